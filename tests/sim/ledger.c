/* ledger.c: see ledger.h. */
#include "sim/ledger.h"

#include <stdlib.h>

/* Room for one more of `size` bytes. */
static void *more(void *all, size_t n, size_t *cap, size_t size)
{
    if (n < *cap)
        return all;
    *cap = *cap ? *cap * 2 : 256;
    all = realloc(all, *cap * size);
    if (!all)
        abort();
    return all;
}

struct promise *ledger_of(struct ledger *l, struct job_id job)
{
    size_t at = l->n;
    while (at && job_id_cmp(l->all[at - 1].job, job) > 0)
        at--; /* from the end: most are new */
    if (at && job_id_cmp(l->all[at - 1].job, job) == 0)
        return &l->all[at - 1];
    l->all = more(l->all, l->n, &l->cap, sizeof *l->all);
    memmove(&l->all[at + 1], &l->all[at], (l->n++ - at) * sizeof *l->all);
    l->all[at] = (struct promise){.job = job};
    return &l->all[at];
}

void ledger_claim(struct ledger *l, struct job_id job, uint64_t token, bool is_loose)
{
    l->claims = more(l->claims, l->claims_n, &l->claims_cap, sizeof *l->claims);
    l->claims[l->claims_n++] = (struct claim){job, token, is_loose};
}

void ledger_deinit(struct ledger *l)
{
    free(l->all);
    free(l->claims);
    *l = (struct ledger){0};
}
