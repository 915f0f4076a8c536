/* CHECK(condition) reports a failed condition with file and line, and continues. main returns check_report(). */
#ifndef CHECK_H
#define CHECK_H

#include <stdio.h>

static int check_count, check_failures;

#define CHECK(condition)                                                           \
    do {                                                                           \
        check_count++;                                                             \
        if (!(condition)) {                                                        \
            check_failures++;                                                      \
            fprintf(stderr, "%s:%d: failed: %s\n", __FILE__, __LINE__, #condition); \
        }                                                                          \
    } while (0)

/* Print the number of checks; return the exit status: 0 if all passed and there was at least one. */
static inline int check_report(void)
{
    fprintf(stderr, "%d checks, %d failed\n", check_count, check_failures);
    return check_failures != 0 || check_count == 0;
}

#endif
