/*
 * What our own code takes of memory. The agent lives in its target's container, where resident
 * memory is what people look at, and a static program of 13 MB is mapped by the kernel in pieces of
 * up to 2 MB, most of which served the start and one handshake and nothing after that.
 *
 * The pages are the file's, clean and shared with every other agent of the machine: given back,
 * they stay in the page cache, and the few that are needed come back without any I/O.
 */
#ifndef AGENT_FOOTPRINT_H
#define AGENT_FOOTPRINT_H

#include <stdint.h>

enum { FOOTPRINT_FILE_BYTES_MAX = 4 << 20 };

/* From now on our code is mapped in small pieces. */
void footprint_init(void);

/* Give all of our code back, if more than FOOTPRINT_FILE_BYTES_MAX of it is resident. To be called
 * where nothing of it will be needed soon; any thread. 1 if it was. */
int footprint_trim(void);

/* Resident pages of files, in bytes; 0: cannot tell. */
uint64_t footprint_file_bytes(void);

#endif
