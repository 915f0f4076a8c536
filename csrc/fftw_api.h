/* Single-precision FFTW, loaded with dlopen at run time: the build does not need FFTW and links no GPL code. */
#ifndef FFTW_API_H
#define FFTW_API_H

typedef struct fftwf_plan_s *fftw_plan;

typedef struct {
    fftw_plan (*plan_r2c)(int n, float *in, float (*out)[2], unsigned flags);
    void (*execute_r2c)(const fftw_plan plan, float *in, float (*out)[2]); /* thread-safe; align arrays as in plan */
    void (*destroy_plan)(fftw_plan plan);
    char *(*export_wisdom)(void); /* if one of the three wisdom functions is NULL, `measure` has no effect */
    int (*import_wisdom)(const char *text);
    void (*forget_wisdom)(void);
    const char *version;
} fftw_api;

/* Load the FFTW library at `path` (NULL: the system's, libfftw3f.so.3 or libfftw3f.3.dylib) and bind its functions.
 * Return 1 on success or if a library is already bound, else 0. */
int fftw_api_load(const char *path);

/* Return the bound functions, or NULL if no library is bound. */
const fftw_api *fftw_api_get(void);

/* Plan a real-to-complex transform of n samples, with FFTW_ESTIMATE or, if `measure` is set, FFTW_MEASURE. Measuring
 * restores FFTW's wisdom afterwards, so that later plans of the same size do not depend on it. Return NULL if FFTW
 * cannot plan this size or is not bound. FFTW's planner is not thread-safe: both functions hold a process-wide lock. */
fftw_plan fftw_api_plan(int n, float *in, float (*out)[2], int measure);
void fftw_api_destroy(fftw_plan plan);

#endif
