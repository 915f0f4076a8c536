/* Preloaded library: the FAIL_AT-th write or fsync of a regular file fails with FAIL_ERRNO, and with FAIL_ALL all later
   ones. At exit, the number of such calls is written to the file FAIL_COUNT if there were any. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static long n_calls;

static int fails(int fd)
{
    struct stat status;
    if (fstat(fd, &status) || !S_ISREG(status.st_mode))
        return 0;
    const char *at = getenv("FAIL_AT"), *number = getenv("FAIL_ERRNO");
    n_calls++;
    if (!at || !number || (getenv("FAIL_ALL") ? n_calls < atol(at) : n_calls != atol(at)))
        return 0;
    errno = atoi(number);
    return 1;
}

#define WRAP(name, parameters, arguments, type)                                                                        \
    type name parameters                                                                                               \
    {                                                                                                                  \
        static type(*next) parameters;                                                                                 \
        if (!next)                                                                                                     \
            next = (type(*) parameters)dlsym(RTLD_NEXT, #name);                                                        \
        return fails(fd) ? -1 : next arguments;                                                                        \
    }

WRAP(write, (int fd, const void *data, size_t n), (fd, data, n), ssize_t)
WRAP(pwrite, (int fd, const void *data, size_t n, off_t at), (fd, data, n, at), ssize_t)
WRAP(pwrite64, (int fd, const void *data, size_t n, off64_t at), (fd, data, n, at), ssize_t)
WRAP(fsync, (int fd), (fd), int)
WRAP(fdatasync, (int fd), (fd), int)

__attribute__((destructor)) static void report(void)
{
    const char *path = getenv("FAIL_COUNT");
    FILE *file = path && n_calls ? fopen(path, "w") : NULL;
    if (file) {
        fprintf(file, "%ld", n_calls);
        fclose(file);
    }
}
