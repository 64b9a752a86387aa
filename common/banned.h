/*
 * Functions that cannot be used safely, with what to use instead. Included before every file.
 */
#ifndef COMMON_BANNED_H
#define COMMON_BANNED_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#pragma GCC poison strcpy strcat strncpy strncat stpcpy /* snprintf, buf */
#pragma GCC poison sprintf vsprintf gets                /* snprintf, buf_printf */
#pragma GCC poison atoi atol atoll atof                 /* parse.h */
#pragma GCC poison strtok                               /* strtok_r */
#pragma GCC poison gmtime localtime ctime asctime       /* the _r forms */

#endif
