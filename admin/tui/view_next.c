/* view_next.c: the next dispatches of the chosen pool if nothing else happened. */
#include "text.h"
#include "view.h"

#include <stdio.h>

enum { WAITED_COLUMNS = 15, FULL_ID_COLUMNS = 30, NUMBER_COLUMNS = 4 };

static void job_draw(struct area a, int y, int number, const Rota__NextJob *job)
{
    char waited[TEXT_SHORT_LEN + 1];
    int id = a.w >= 110 ? FULL_ID_COLUMNS : ID_SHORT_BYTES + 1;
    int names = a.w - 1 - NUMBER_COLUMNS - 4 - id - 2 - WAITED_COLUMNS - 1;
    int account = names / 2 - 1, x = 1;
    unsigned tier = (unsigned)job->tier & 3;
    putf_right(a, x, y, NUMBER_COLUMNS - 1, PAINT_DIM, "%d", number);
    x += NUMBER_COLUMNS;
    putf(a, x, y, 2, PAINT_P0 + tier, "P%u", tier);
    x += 4;
    put(a, x, y, account, PAINT_PLAIN, job->account);
    x += account + 1;
    put(a, x, y, names - account - 2, PAINT_PLAIN, job->app);
    x += names - account;
    if (id == FULL_ID_COLUMNS)
        put(a, x, y, id, PAINT_DIM, job->job);
    else
        putf(a, x, y, id, PAINT_DIM, "%s%s", a.cells->ascii ? "~" : "…", view_id_tail(job->job));
    putf_right(a, a.w - 1 - WAITED_COLUMNS, y, WAITED_COLUMNS, PAINT_DIM, "waited %s",
               text_duration(job->waited_ms, waited));
}

void view_next(const struct model *m, struct area a)
{
    char title[128];
    if (!a.h)
        return;
    snprintf(title, sizeof title, "NEXT IN %s", model_pool_name(m));
    put_rule(a, 0, title);
    int n = m->next ? (int)m->next->n_job : 0;
    if (!n && a.h > 1)
        put(a, 3, 1, a.w - 4, PAINT_DIM, "nothing waits for a worker");
    for (int i = 0; i < n && i + 1 < a.h; i++)
        job_draw(a, 1 + i, i + 1, m->next->job[i]);
}
