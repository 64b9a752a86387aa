/* How many files, sockets and processes' memories may be open at once. */
#ifndef COMMON_OPEN_FILES_H
#define COMMON_OPEN_FILES_H

/* As many as the system allows us: the usual limit of 1,024 is for programs that select(). A
 * program that we start inherits it. */
void open_files_raise_limit(void);

#endif
