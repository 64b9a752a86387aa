#include "terminal.h"

#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

int terminal_has_colours(int fd)
{
    /* NOLINTBEGIN(concurrency-mt-unsafe): nobody changes the environment */
    const char *no_color = getenv("NO_COLOR");
    const char *term = getenv("TERM");
    /* NOLINTEND(concurrency-mt-unsafe) */
    if (no_color != NULL && *no_color != '\0')
        return 0;
    if (term == NULL || *term == '\0' || strcmp(term, "dumb") == 0)
        return 0;
    return isatty(fd) == 1;
}

int terminal_columns(int fd, int otherwise)
{
    struct winsize size = {0};
    if (ioctl(fd, TIOCGWINSZ, &size) != 0 || size.ws_col == 0)
        return otherwise;
    return size.ws_col;
}
