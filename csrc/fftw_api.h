/* FFTW (single precision), found at run time: the build needs no FFTW, and no GPL code is linked in. */
#ifndef FFTW_API_H
#define FFTW_API_H

typedef struct fftwf_plan_s *fftw_plan;

typedef struct {
    fftw_plan (*plan_r2c)(int n, float *in, float (*out)[2], unsigned flags);
    void (*execute_r2c)(const fftw_plan plan, float *in, float (*out)[2]); /* thread-safe; arrays aligned as planned */
    void (*destroy_plan)(fftw_plan plan);
    char *(*export_wisdom)(void); /* may be NULL, as the next two: then nothing is planned by timing */
    int (*import_wisdom)(const char *text);
    void (*forget_wisdom)(void);
    const char *version;
} fftw_api;

/* Binds the library at path, or libfftw3f.so.3 for NULL. 1 on success or if one is bound already. */
int fftw_api_load(const char *path);

/* The bound functions, or NULL. */
const fftw_api *fftw_api_get(void);

/* FFTW's planner is not thread-safe: these two take turns. Plans by rule, or with `measure` by timing, which leaves
 * no trace: else later plans of this size would follow it. NULL: FFTW cannot, or is not bound. */
fftw_plan fftw_api_plan(int n, float *in, float (*out)[2], int measure);
void fftw_api_destroy(fftw_plan plan);

#endif
