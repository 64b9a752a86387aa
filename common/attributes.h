/* Compiler attributes, the assertion that stays on in release builds, and small integer helpers. */
#ifndef COMMON_ATTRIBUTES_H
#define COMMON_ATTRIBUTES_H

#define MUST_CHECK __attribute__((warn_unused_result))
#define PRINTF(format_index, first_index) __attribute__((format(printf, format_index, first_index)))
#define NORETURN __attribute__((noreturn))
#define UNUSED __attribute__((unused))

/*
 * Around structs that are written down as they lie in memory: none of their bytes may be anything
 * but a member's, or what once lay there would be written, too. The compiler sees to it.
 */
#define NO_PADDING_BEGIN _Pragma("GCC diagnostic push") _Pragma("GCC diagnostic error \"-Wpadded\"")
#define NO_PADDING_END _Pragma("GCC diagnostic pop")

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

/*
 * A bug in our own code. Stays on in release builds: a wrong number that is shipped to a fleet
 * costs more than a restart. Never used on bytes that came from outside; those get a status.
 */
#define ASSERT(condition)                                                                          \
    ((condition) ? (void)0 : assert_failed(#condition, __FILE__, __LINE__, __func__))

NORETURN void assert_failed(const char *condition, const char *file, int line,
                            const char *function);

#endif
