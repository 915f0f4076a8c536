#include "fftw_api.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stddef.h>
#include <stdlib.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static fftw_api api;
static int bound = 0;

/* ISO C has no cast from void* to a function pointer; POSIX allows it through the object. */
static int bind(void *library, const char *name, void **function)
{
    *function = dlsym(library, name);
    return *function != NULL;
}

static int bind_all(void *library)
{
    fftw_api found;
    if (!bind(library, "fftwf_plan_dft_r2c_1d", (void **)&found.plan_r2c) ||
        !bind(library, "fftwf_execute_dft_r2c", (void **)&found.execute_r2c) ||
        !bind(library, "fftwf_destroy_plan", (void **)&found.destroy_plan)) {
        return 0;
    }
    bind(library, "fftwf_export_wisdom_to_string", (void **)&found.export_wisdom);
    bind(library, "fftwf_import_wisdom_from_string", (void **)&found.import_wisdom);
    bind(library, "fftwf_forget_wisdom", (void **)&found.forget_wisdom);
    found.version = dlsym(library, "fftwf_version");
    api = found;
    return 1;
}

int fftw_api_load(const char *path)
{
    pthread_mutex_lock(&lock);
    if (!bound) {
        /* Lazy: pyFFTW's extension also refers to Python functions that are never called from here. */
        void *library = dlopen(path ? path : "libfftw3f.so.3", RTLD_LAZY | RTLD_LOCAL);
        if (library) {
            bound = bind_all(library);
            if (!bound) dlclose(library);
        }
    }
    int result = bound;
    pthread_mutex_unlock(&lock);
    return result;
}

const fftw_api *fftw_api_get(void)
{
    pthread_mutex_lock(&lock);
    const fftw_api *result = bound ? &api : NULL;
    pthread_mutex_unlock(&lock);
    return result;
}

/* FFTW's documented flags. */
static const unsigned MEASURE = 0, ESTIMATE = 1U << 6;

static fftw_plan plan_by_timing(int n, float *in, float (*out)[2])
{
    char *wisdom = api.export_wisdom();
    fftw_plan plan = api.plan_r2c(n, in, out, MEASURE);
    api.forget_wisdom();
    if (wisdom) api.import_wisdom(wisdom);
    free(wisdom);
    return plan;
}

fftw_plan fftw_api_plan(int n, float *in, float (*out)[2], int measure)
{
    fftw_plan plan = NULL;
    pthread_mutex_lock(&lock);
    if (bound) {
        int can_measure = api.export_wisdom && api.import_wisdom && api.forget_wisdom;
        plan = measure && can_measure ? plan_by_timing(n, in, out) : api.plan_r2c(n, in, out, ESTIMATE);
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
