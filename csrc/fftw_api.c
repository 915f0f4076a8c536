#include "fftw_api.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stddef.h>

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

void fftw_api_lock(void)
{
    pthread_mutex_lock(&lock);
}

void fftw_api_unlock(void)
{
    pthread_mutex_unlock(&lock);
}
