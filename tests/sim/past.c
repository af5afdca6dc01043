/* past.c: what is known, and the room for it. */
#include "sim/world.h"

#include "audit/audit.h"
#include "sched/tier.h"

#include <stdio.h>
#include <stdlib.h>

void history_init(struct history *h)
{
    *h = (struct history){0};
    for (unsigned t = 0; t < TIERS; t++)
        h->tier_cap[t] = tier_row((uint8_t)t)->running_max;
    if (audit_new(&h->audit) != 0)
        abort();
}

void history_deinit(struct history *h)
{
    free(h->jobs);
    free(h->servings);
    audit_free(h->audit);
    *h = (struct history){0};
}

void history_looked(struct history *h)
{
    for (size_t i = 0; i < h->accounts_n; i++) {
        struct past_account *a = &h->accounts[i];
        a->was_set = false;
        for (size_t m = 0; m < a->months_n; m++)
            a->months[m] = (struct past_month){.month = a->months[m].month,
                                               .most_used = a->months[m].counted.used,
                                               .counted = a->months[m].counted};
    }
    h->limits_were_set = false;
    h->servings_n = 0;
    h->seq_looked = h->seq;
}

struct past_job *history_job(struct history *h, struct job_id id)
{
    size_t from = 0, to = h->jobs_n;
    while (from < to) {
        size_t mid = (from + to) / 2;
        int c = job_id_cmp(h->jobs[mid].id, id);
        if (c == 0)
            return &h->jobs[mid];
        if (c < 0)
            from = mid + 1;
        else
            to = mid;
    }
    return NULL;
}

struct past_job *past_job_add(struct world *w, struct job_id id)
{
    struct history *h = &w->history;
    if (h->jobs_n && job_id_cmp(h->jobs[h->jobs_n - 1].id, id) >= 0)
        world_violated(w, "event %llu: a published job's id does not rise",
                       (unsigned long long)h->seq);
    if (h->jobs_n == h->jobs_cap) {
        h->jobs_cap = h->jobs_cap ? h->jobs_cap * 2 : 256;
        h->jobs = realloc(h->jobs, h->jobs_cap * sizeof *h->jobs);
        if (!h->jobs)
            abort();
    }
    h->jobs[h->jobs_n] = (struct past_job){.id = id, .ref = -1};
    return &h->jobs[h->jobs_n++];
}

struct past_account *past_account(struct world *w, uint64_t number)
{
    struct history *h = &w->history;
    for (size_t i = 0; i < h->accounts_n; i++)
        if (h->accounts[i].number == number)
            return &h->accounts[i];
    if (h->accounts_n == PAST_ACCOUNTS_MAX)
        world_violated(w, "more accounts than the history can hold");
    h->accounts[h->accounts_n] = (struct past_account){.number = number};
    return &h->accounts[h->accounts_n++];
}

static void name_keep(struct world *w, char *to, size_t size, const char *name)
{
    if (strlen(name) >= size)
        world_violated(w, "\"%s\" does not fit the history", name);
    memcpy(to, name, strlen(name) + 1);
}

struct past_pool *past_pool(struct world *w, const char *name)
{
    struct history *h = &w->history;
    for (size_t i = 0; i < h->pools_n; i++)
        if (strcmp(h->pools[i].name, name) == 0)
            return &h->pools[i];
    if (h->pools_n == PAST_PLACES_MAX)
        world_violated(w, "more pools than the history can hold");
    struct past_pool *p = &h->pools[h->pools_n++];
    *p = (struct past_pool){.rotation = ROTATION_FRESH};
    name_keep(w, p->name, sizeof p->name, name);
    return p;
}

uint8_t past_class(struct world *w, const char *name)
{
    struct history *h = &w->history;
    for (size_t i = 0; i < h->classes_n; i++)
        if (strcmp(h->classes[i].name, name) == 0)
            return (uint8_t)i;
    if (h->classes_n == PAST_PLACES_MAX)
        world_violated(w, "more classes than the history can hold");
    struct past_class *c = &h->classes[h->classes_n];
    *c = (struct past_class){.is_closed = false};
    name_keep(w, c->name, sizeof c->name, name);
    return (uint8_t)h->classes_n++;
}

void past_serving_add(struct history *h, const char *pool, uint64_t account, uint8_t tier)
{
    if (h->servings_n == h->servings_cap) {
        h->servings_cap = h->servings_cap ? h->servings_cap * 2 : 64;
        h->servings = realloc(h->servings, h->servings_cap * sizeof *h->servings);
        if (!h->servings)
            abort();
    }
    struct past_serving *s = &h->servings[h->servings_n++];
    *s = (struct past_serving){.account = account, .tier = tier};
    snprintf(s->pool, sizeof s->pool, "%s", pool);
}

uint32_t past_cap(const struct history *h, const struct past_account *a)
{
    return a->running_own ? a->running_own : h->tier_cap[a->tier];
}
