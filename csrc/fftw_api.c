#include "fftw_api.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stddef.h>
#include <stdlib.h>

#if defined(__APPLE__)
#define SYSTEM_LIBRARY "libfftw3f.3.dylib"
#else
#define SYSTEM_LIBRARY "libfftw3f.so.3"
#endif

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static fftw_api api;
static int is_bound = 0;

/* Store the address of symbol `name`; return 0 if the library lacks it. ISO C has no cast from void* to a function
 * pointer, so the address is written through a void**, as POSIX recommends for dlsym. */
static int bind_symbol(void *library, const char *name, void **function)
{
    *function = dlsym(library, name);
    return *function != NULL;
}

static int bind_symbols(void *library)
{
    fftw_api functions;
    if (!bind_symbol(library, "fftwf_plan_dft_r2c_1d", (void **)&functions.plan_r2c) ||
        !bind_symbol(library, "fftwf_execute_dft_r2c", (void **)&functions.execute_r2c) ||
        !bind_symbol(library, "fftwf_destroy_plan", (void **)&functions.destroy_plan)) {
        return 0;
    }
    bind_symbol(library, "fftwf_export_wisdom_to_string", (void **)&functions.export_wisdom);
    bind_symbol(library, "fftwf_import_wisdom_from_string", (void **)&functions.import_wisdom);
    bind_symbol(library, "fftwf_forget_wisdom", (void **)&functions.forget_wisdom);
    functions.version = dlsym(library, "fftwf_version");
    api = functions;
    return 1;
}

int fftw_api_load(const char *path)
{
    pthread_mutex_lock(&lock);
    if (!is_bound) {
        /* RTLD_LAZY: pyFFTW's extension module also has references to Python functions, which are never called here. */
        void *library = dlopen(path ? path : SYSTEM_LIBRARY, RTLD_LAZY | RTLD_LOCAL);
        if (library) {
            is_bound = bind_symbols(library);
            if (!is_bound) dlclose(library);
        }
    }
    int result = is_bound;
    pthread_mutex_unlock(&lock);
    return result;
}

const fftw_api *fftw_api_get(void)
{
    pthread_mutex_lock(&lock);
    const fftw_api *result = is_bound ? &api : NULL;
    pthread_mutex_unlock(&lock);
    return result;
}

/* The flags' values in fftw3.h. */
static const unsigned FFTW_MEASURE = 0, FFTW_ESTIMATE = 1U << 6;

/* Plan with FFTW_MEASURE and restore FFTW's wisdom. */
static fftw_plan plan_measured(int n, float *in, float (*out)[2])
{
    char *wisdom = api.export_wisdom();
    fftw_plan plan = api.plan_r2c(n, in, out, FFTW_MEASURE);
    api.forget_wisdom();
    if (wisdom) api.import_wisdom(wisdom);
    free(wisdom);
    return plan;
}

fftw_plan fftw_api_plan(int n, float *in, float (*out)[2], int measure)
{
    fftw_plan plan = NULL;
    pthread_mutex_lock(&lock);
    if (is_bound) {
        int can_measure = api.export_wisdom && api.import_wisdom && api.forget_wisdom;
        plan = measure && can_measure ? plan_measured(n, in, out) : api.plan_r2c(n, in, out, FFTW_ESTIMATE);
    }
    pthread_mutex_unlock(&lock);
    return plan;
}

void fftw_api_destroy(fftw_plan plan)
{
    pthread_mutex_lock(&lock);
    if (plan) api.destroy_plan(plan);
    pthread_mutex_unlock(&lock);
}
