/* runs.c: the table of what becomes of a run. */
#include "sim/runs.h"

#include "sim/world.h"

enum { RUN_MS_MAX = 250, RUN_MS_STEADY = 400, CONTENTS = 5, LEAVING_PERMILLE = 250 };

static const struct run good = {.outcome = ROTA__OUTCOME__OUTCOME_SUCCEEDED, .is_good = true};
static const struct run fault = {.outcome = ROTA__OUTCOME__OUTCOME_NONE, .is_fault = true};

static const struct run failed = {.outcome = ROTA__OUTCOME__OUTCOME_FAILED};
static const struct run late = {.outcome = ROTA__OUTCOME__OUTCOME_TIMED_OUT};
static const struct run untouched = {.outcome = ROTA__OUTCOME__OUTCOME_NONE};
static const struct run endless = {.outcome = ROTA__OUTCOME__OUTCOME_SUCCEEDED, .is_endless = true};

static const struct {
    const struct run *run;
    unsigned weight;
} runs[] = {{&good, 80}, {&failed, 6}, {&late, 3}, {&untouched, 4}, {&fault, 5}, {&endless, 2}};

static bool is_broken(const struct world *w, const char *class)
{
    for (unsigned i = 0; i < CLASSES; i++)
        if (strcmp(world_class(i), class) == 0)
            return w->clock.now_ms < w->broken_until_ms[i];
    return false;
}

const struct run *run_choose(struct world *w, const char *class)
{
    unsigned sum = 0, i = 0;
    if (w->is_ending || w->kind.is_steady)
        return &good;
    if (is_broken(w, class))
        return &fault;
    for (size_t k = 0; k < ARRAY_LEN(runs); k++)
        sum += runs[k].weight;
    for (unsigned at = world_below(w, sum); at >= runs[i].weight; i++)
        at -= runs[i].weight;
    return runs[i].run;
}

uint64_t run_ms(struct world *w)
{
    return w->kind.is_steady ? RUN_MS_STEADY : world_below(w, RUN_MS_MAX);
}

void run_leave(struct world *w, const struct run *run, struct leaving *l, Rota__Finish *finish)
{
    static const Rota__ObjectKind kinds[RUN_ARTIFACTS] = {ROTA__OBJECT_KIND__BUNDLE,
                                                          ROTA__OBJECT_KIND__BUILD_LOG};
    if (!run->is_good || w->kind.is_steady || !world_chance(w, LEAVING_PERMILLE))
        return;
    for (unsigned i = 0; i < RUN_ARTIFACTS; i++) {
        unsigned content = 1 + world_below(w, CONTENTS);
        Rota__Artifact *a = l->list[i] = &l->artifact[i];
        memset(l->hash[i], (int)content, sizeof l->hash[i]);
        rota__artifact__init(a);
        a->kind = kinds[i];
        a->sha256 = a->blake2b = (ProtobufCBinaryData){sizeof l->hash[i], l->hash[i]};
        a->size = UINT64_C(1000) * content;
    }
    finish->artifact = l->list;
    finish->n_artifact = 1 + world_below(w, RUN_ARTIFACTS);
}
