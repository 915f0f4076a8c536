/* FFTW (single precision), found at run time: the build needs no FFTW, and no GPL code is linked in. */
#ifndef FFTW_API_H
#define FFTW_API_H

typedef struct fftwf_plan_s *fftw_plan;

typedef struct {
    fftw_plan (*plan_r2c)(int n, float *in, float (*out)[2], unsigned flags);
    void (*execute_r2c)(const fftw_plan plan, float *in, float (*out)[2]); /* thread-safe; arrays aligned as planned */
    void (*destroy_plan)(fftw_plan plan);
    const char *version;
} fftw_api;

/* FFTW's documented flags: plan by timing, or by rule. */
#define FFTW_API_MEASURE 0U
#define FFTW_API_ESTIMATE (1U << 6)

/* Binds the library at path, or libfftw3f.so.3 for NULL. 1 on success or if one is bound already. */
int fftw_api_load(const char *path);

/* The bound functions, or NULL. */
const fftw_api *fftw_api_get(void);

/* FFTW's planner is not thread-safe: hold this lock around plan_r2c and destroy_plan. */
void fftw_api_lock(void);
void fftw_api_unlock(void);

#endif
