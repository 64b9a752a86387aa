/* What standard output is connected to. */
#ifndef COMMON_TERMINAL_H
#define COMMON_TERMINAL_H

/* 1 if `fd` is a terminal that shows colours and nobody asked for none (NO_COLOR, TERM=dumb). */
int terminal_has_colours(int fd);

/* Width of the terminal at `fd`; `otherwise` when it is none or does not tell. */
int terminal_columns(int fd, int otherwise);

#endif
