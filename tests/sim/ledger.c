/* ledger.c: see ledger.h. */
#include "sim/ledger.h"

#include <stdlib.h>

struct promise *ledger_of(struct ledger *l, struct job_id job)
{
    size_t at = l->n;
    while (at && job_id_cmp(l->all[at - 1].job, job) > 0)
        at--; /* from the end: most are new */
    if (at && job_id_cmp(l->all[at - 1].job, job) == 0)
        return &l->all[at - 1];
    if (l->n == l->cap) {
        l->cap = l->cap ? l->cap * 2 : 256;
        l->all = realloc(l->all, l->cap * sizeof *l->all);
        if (!l->all)
            abort();
    }
    memmove(&l->all[at + 1], &l->all[at], (l->n++ - at) * sizeof *l->all);
    l->all[at] = (struct promise){.job = job};
    return &l->all[at];
}

void ledger_deinit(struct ledger *l)
{
    free(l->all);
    *l = (struct ledger){0};
}
