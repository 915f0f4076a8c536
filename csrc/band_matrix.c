#include "band_matrix.h"

#include <stdlib.h>

#include "aligned.h"

struct band_matrix {
    const kernels *kernel;
    band_tables tables;
    band_group *groups;
    size_t *offsets; /* index of each group's first weight */
    float *weights;
    size_t n_weights, n_readable;
};

/* Set each group's columns and offset; return the number of weights. All rows of a group get the width of its widest
 * row: the widths of neighbouring rows hardly differ, and a single loop handles the whole group. */
static size_t init_groups(band_matrix *self, int n_rows, const band *bands)
{
    int lanes = self->kernel->lanes;
    size_t used = 0;
    for (int g = 0; g < self->tables.n_groups; g++) {
        band_group *group = &self->groups[g];
        group->n_vectors = 1;
        for (int r = 0; r < lanes && g * lanes + r < n_rows; r++) {
            const band *b = &bands[g * lanes + r];
            int n_vectors = (b->n + lanes - 1) / lanes;
            group->first[r] = b->first;
            if (n_vectors > group->n_vectors) group->n_vectors = n_vectors;
        }
        for (int r = 0; r < lanes; r++) {
            size_t stop = (size_t)group->first[r] + (size_t)(group->n_vectors * lanes);
            if (stop > self->n_readable) self->n_readable = stop;
        }
        self->offsets[g] = used;
        used += (size_t)group->n_vectors * (size_t)(lanes * lanes);
    }
    return used;
}

band_matrix *band_matrix_create(const kernels *kernel, int n_rows, const band *bands)
{
    band_matrix *self = calloc(1, sizeof *self);
    if (!self) return NULL;
    size_t n_groups = (size_t)((n_rows + kernel->lanes - 1) / kernel->lanes);
    self->kernel = kernel;
    self->tables.n_groups = (int)n_groups;
    self->groups = calloc(n_groups, sizeof *self->groups);
    self->offsets = calloc(n_groups, sizeof *self->offsets);
    if (self->groups && self->offsets) {
        self->n_weights = init_groups(self, n_rows, bands);
        self->weights = aligned_floats(self->n_weights);
    }
    if (!self->weights) {
        band_matrix_destroy(self);
        return NULL;
    }
    self->tables.groups = self->groups;
    self->tables.weights = self->weights;
    return self;
}

void band_matrix_destroy(band_matrix *self)
{
    if (!self) return;
    free(self->groups);
    free(self->offsets);
    free(self->weights);
    free(self);
}

float *band_matrix_weight(band_matrix *self, int row, int i)
{
    int lanes = self->kernel->lanes, vector = i / lanes;
    size_t group = (size_t)(row / lanes);
    return self->weights + self->offsets[group] + (size_t)((vector * lanes + row % lanes) * lanes + i % lanes);
}

size_t band_matrix_n_readable(const band_matrix *self)
{
    return self->n_readable;
}

size_t band_matrix_output_size(const band_matrix *self)
{
    return (size_t)(self->tables.n_groups * self->kernel->lanes);
}

size_t band_matrix_bytes(const band_matrix *self)
{
    size_t n_groups = (size_t)self->tables.n_groups;
    return sizeof *self + n_groups * (sizeof *self->groups + sizeof *self->offsets) + self->n_weights * sizeof(float);
}

void band_matrix_run(const band_matrix *self, const float *x, float *y)
{
    self->kernel->band_product(&self->tables, x, y);
}
