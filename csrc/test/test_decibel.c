#include "../decibel.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>

#include "check.h"
#include "naive.h"

static const float AMIN = 1e-37f;

static int close_to_log10(float power)
{
    float db;
    decibel_run(&power, 1, AMIN, &db);
    double exact = naive_decibel((double)power, (double)AMIN);
    return fabs((double)db - exact) <= 2e-6 * fabs(exact);
}

/* Every power of two that a normal float above AMIN has, and mantissas in between. */
static void test_all_magnitudes(void)
{
    for (int e = -122; e <= 127; e++) {
        for (int i = 0; i < 512; i++) CHECK(close_to_log10(ldexpf(1.0f + (float)i / 512.0f, e)));
    }
    CHECK(close_to_log10(FLT_MAX));
}

/* Around 1 the result goes through 0, where only the relative error shows a lost digit. */
static void test_around_one(void)
{
    float up = 1.0f, down = 1.0f;
    for (int i = 0; i < 1000; i++) {
        up = nextafterf(up, 2.0f);
        down = nextafterf(down, 0.0f);
        CHECK(close_to_log10(up));
        CHECK(close_to_log10(down));
    }
    float one = 1.0f, db = 7.0f;
    decibel_run(&one, 1, AMIN, &db);
    CHECK(db == 0.0f);
}

/* What the series changes between: sqrt(1/2) * 2^e. */
static void test_around_the_seams(void)
{
    for (int e = -120; e <= 120; e++) {
        float seam = ldexpf(0.70710678f, e);
        CHECK(close_to_log10(seam));
        CHECK(close_to_log10(nextafterf(seam, 0.0f)));
        CHECK(close_to_log10(nextafterf(seam, FLT_MAX)));
    }
}

static void test_floor(void)
{
    float power[] = {0.0f, -1.0f, -FLT_MAX, 1e-11f, 1e-10f, FLT_MIN / 2.0f, 2e-10f}, db[7];
    decibel_run(power, 7, 1e-10f, db);
    for (int i = 0; i < 6; i++) CHECK(fabsf(db[i] + 100.0f) < 1e-4f);
    for (int i = 0; i < 5; i++) CHECK(db[i] == db[i + 1]);
    CHECK(db[6] > db[5] + 3.0f);
}

static void test_in_place_and_bounds(void)
{
    float power[35], apart[35];
    naive_noise(power, 35, 1);
    decibel_run(power, 33, 1e-10f, apart);
    float after = power[33];
    decibel_run(power, 33, 1e-10f, power);
    for (int i = 0; i < 33; i++) CHECK(power[i] == apart[i]);
    CHECK(power[33] == after);
    decibel_run(power, 0, 1e-10f, power);
    CHECK(power[0] == apart[0]);
}

int main(void)
{
    test_all_magnitudes();
    test_around_one();
    test_around_the_seams();
    test_floor();
    test_in_place_and_bounds();
    return check_report();
}
