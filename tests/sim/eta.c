/* eta.c: see eta.h. A job is asked about once, at a moment drawn by lot; the error is the distance
 * between the time that was named and the time that passed, as a part of the latter. */
#include "sim/eta.h"

#include "sched/promise.h"
#include "sim/world.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    ASK_PERMILLE = 300,
    MEDIAN_PERCENT_MAX = 50,
    ANSWERS_MIN = 500,
    WORD_MIN = 50,
    CONFIDENCES = PROMISE_HIGH + 1,
};

/* A time that was named. */
struct named {
    struct job_id job;
    uint64_t asked_ms, eta_ms; /* on the world's clock; from then */
    unsigned confidence;
};

struct errors {
    double *all;
    size_t n, cap;
};

struct watch {
    struct world *w;
    struct named *open;
    size_t n, cap;
    struct errors *errors; /* CONFIDENCES + 1; the last: of all */
};

static void error_add(struct errors *e, double error)
{
    if (e->n == e->cap) {
        e->cap = e->cap ? e->cap * 2 : 1024;
        e->all = realloc(e->all, e->cap * sizeof *e->all);
        if (!e->all)
            abort();
    }
    e->all[e->n++] = error;
}

static bool is_open(const struct watch *t, struct job_id job)
{
    for (size_t i = 0; i < t->n; i++)
        if (job_id_cmp(t->open[i].job, job) == 0)
            return true;
    return false;
}

static unsigned confidence_of(struct world *w, const char *text)
{
    for (unsigned i = 0; i < CONFIDENCES; i++)
        if (strcmp(promise_confidence_text(i), text) == 0)
            return i;
    world_violated(w, "a time is named with confidence \"%s\"", text);
}

static void ask(struct watch *t)
{
    AUTO(txn) txn = NULL;
    struct job_id job;
    if (!inquiry_choose(t->w, &job) || is_open(t, job))
        return;
    if (store_snapshot(t->w->host.store, &txn) != 0)
        abort();
    const Rota__WhyResult *why = inquiry_why(t->w, txn, job);
    if (why->state != ROTA__STATE__READY || !why->eta_ms)
        return;
    if (t->n == t->cap) {
        t->cap = t->cap ? t->cap * 2 : 64;
        t->open = realloc(t->open, t->cap * sizeof *t->open);
        if (!t->open)
            abort();
    }
    t->open[t->n++] = (struct named){.job = job,
                                     .asked_ms = t->w->clock.now_ms,
                                     .eta_ms = why->eta_ms,
                                     .confidence = confidence_of(t->w, why->confidence)};
}

/* Those that have begun. */
static void settle(struct watch *t)
{
    size_t n = 0;
    for (size_t i = 0; i < t->n; i++) {
        const struct named *m = &t->open[i];
        if (history_job(&t->w->history, m->job)->state == ROTA__STATE__READY) {
            t->open[n++] = *m;
            continue;
        }
        double passed = (double)(t->w->clock.now_ms - m->asked_ms), named = (double)m->eta_ms;
        passed = passed > 1 ? passed : 1;
        double error = (named > passed ? named - passed : passed - named) / passed;
        error_add(&t->errors[m->confidence], error);
        error_add(&t->errors[CONFIDENCES], error);
    }
    t->n = n;
}

static void live(uint64_t seed, unsigned steps, struct errors *errors)
{
    struct watch t = {.errors = errors};
    t.w = world_new(seed, (struct world_kind){.is_steady = true, .steps = steps});
    while (t.w->step < steps) {
        world_step(t.w);
        settle(&t);
        if (random_below(&t.w->inquiry.random, 1000) < ASK_PERMILLE)
            ask(&t);
    }
    free(t.open);
    world_free(t.w);
}

static int by_size(const void *x, const void *y)
{
    double a = *(const double *)x, b = *(const double *)y;
    return (a > b) - (a < b);
}

/* In percent, as all is printed. */
static double part(struct errors *e, unsigned percent)
{
    if (!e->n)
        return 0;
    qsort(e->all, e->n, sizeof *e->all, by_size);
    return 100 * e->all[(e->n - 1) * percent / 100];
}

/* The words must mean something: of those that claim more, the errors are smaller. */
static bool is_kept(struct errors *errors)
{
    double low = part(&errors[PROMISE_LOW], 50), medium = part(&errors[PROMISE_MEDIUM], 50),
           high = part(&errors[PROMISE_HIGH], 50), all = part(&errors[CONFIDENCES], 50);
    bool is_enough = errors[CONFIDENCES].n >= ANSWERS_MIN && errors[PROMISE_MEDIUM].n >= WORD_MIN &&
                     errors[PROMISE_HIGH].n >= WORD_MIN;
    if (!is_enough)
        printf("too few\n");
    return is_enough && all <= MEDIAN_PERCENT_MAX && medium <= MEDIAN_PERCENT_MAX &&
           high < medium && medium < low;
}

int eta_test(uint64_t first, uint64_t last, unsigned steps)
{
    struct errors errors[CONFIDENCES + 1] = {0};
    for (uint64_t seed = first; seed <= last; seed++)
        live(seed, steps, errors);
    bool is_good = is_kept(errors);
    for (unsigned i = 0; i <= CONFIDENCES; i++) {
        printf("%s: %zu times named, median error %.0f %%, of nine in ten at most %.0f %%\n",
               i < CONFIDENCES ? promise_confidence_text(i) : "all", errors[i].n,
               part(&errors[i], 50), part(&errors[i], 90));
        free(errors[i].all);
    }
    printf("%s: all and medium at most %d %%, high better than medium, medium than low\n",
           is_good ? "kept" : "BROKEN", MEDIAN_PERCENT_MAX);
    return !is_good;
}
