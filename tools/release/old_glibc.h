/* Binds the functions that newer versions of glibc define anew to the first version of glibc for the processor, so that
 * a wheel built on Debian 12 (glibc 2.36) meets manylinux_2_17. tools/release.sh includes it in every source file. The
 * older symbols of exp, log and pow compute the same values and set errno as well; those of dlopen were in libdl, with
 * which the wheel is linked. */
#if defined(__x86_64__)
#define FIRST_GLIBC "GLIBC_2.2.5"
#elif defined(__aarch64__)
#define FIRST_GLIBC "GLIBC_2.17"
#endif
__asm__(".symver exp,exp@" FIRST_GLIBC);
__asm__(".symver log,log@" FIRST_GLIBC);
__asm__(".symver pow,pow@" FIRST_GLIBC);
__asm__(".symver dlopen,dlopen@" FIRST_GLIBC);
__asm__(".symver dlsym,dlsym@" FIRST_GLIBC);
__asm__(".symver dlclose,dlclose@" FIRST_GLIBC);
