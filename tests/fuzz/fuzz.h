/*
 * What a fuzz driver is: one function that feeds any bytes to one door of the program and asserts
 * what must hold whatever they are. It finds its corpus by its name: fuzz_wire.c has corpus/wire/.
 *
 * A driver's first line is for the build: USES and the modules that it needs, and RUNS, how often a
 * file may be replayed with changes, where one run takes long.
 */
#ifndef TESTS_FUZZ_FUZZ_H
#define TESTS_FUZZ_FUZZ_H

#include <stddef.h>
#include <stdint.h>

#include "attributes.h"

/* Always 0. `data` is the caller's and not NULL; `size` bytes of it may be read. Leaves nothing
 * behind. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/*
 * Inputs of several parts. A part is what stands before the next `separator`; the rest moves behind
 * it. The copy has no byte behind its end, so that the sanitizer sees a reader that needs one; free
 * it. NULL when the input is used up.
 */
struct fuzz_input {
    const uint8_t *data;
    size_t size;
};

uint8_t *fuzz_take_part(struct fuzz_input *input, uint8_t separator, size_t *ret_size) MUST_CHECK;

/* A part with its size in two bytes before it, lowest first; cut to what is left. Free it. */
uint8_t *fuzz_take_sized(struct fuzz_input *input, size_t *ret_size) MUST_CHECK;

/* All that is left, as a text that ends at its first zero; free it. */
char *fuzz_take_text(struct fuzz_input *input) MUST_CHECK;

/* The next byte; 0 when there is none. */
uint8_t fuzz_take_byte(struct fuzz_input *input);

/* What the program puts out must always be: one JSON value with blanks around it; UTF-8 without
 * control characters other than `allowed`. */
int fuzz_is_json(const void *text, size_t size) MUST_CHECK;
int fuzz_is_clean(const void *text, size_t size, const char *allowed) MUST_CHECK;

#endif
