/* view_workers.c: workers and, under each, its jobs with phase and progress. The lines are counted
 * from the top, so that scrolling is a number and not a state. */
#include "text.h"
#include "view.h"

#include <stdio.h>
#include <string.h>

enum {
    PHASE_COLUMNS = 9,
    TIME_COLUMNS = 8,
    PERCENT_COLUMNS = 5,
    ID_FROM_COLUMNS = 110,
    JOB_COLUMNS = 30
};
enum { NAME_LEAST = 12, NOW_MS = 12000, SILENT_MS = 20000, RESOURCES_TEXT_MAX = 128 };

int view_workers_lines(const struct model *m)
{
    size_t n = 0;
    for (size_t i = 0; m->stats && i < m->stats->n_worker; i++)
        n += 1 + m->stats->worker[i]->n_job;
    return n < 10000 ? (int)n : 10000;
}

/* A worker with nothing to say speaks every ten seconds: below that, a number would only flicker.
 */
static const char *seen_text(uint64_t seen_ms, char text[TEXT_SHORT_LEN + 1])
{
    return seen_ms < NOW_MS ? "now" : text_duration(seen_ms, text);
}

/* "  4 cpus, 16.0 GB, node v22 v20"; empty: it has said nothing. */
static void resources_text(const Rota__WorkerStats *w, char text[RESOURCES_TEXT_MAX])
{
    const Rota__Resources *r = w->resources;
    char memory[TEXT_SHORT_LEN + 1];
    text[0] = '\0';
    if (!r)
        return;
    int n = snprintf(text, RESOURCES_TEXT_MAX, "  %u cpu%s, %s", r->cpus, r->cpus == 1 ? "" : "s",
                     text_bytes(r->memory_bytes, memory));
    for (size_t i = 0; i < r->n_node && n < RESOURCES_TEXT_MAX - 24; i++)
        n += snprintf(text + n, RESOURCES_TEXT_MAX - (size_t)n, "%s%.*s", i ? " " : ", node ",
                      (int)(strcspn(r->node[i], ".") < 8 ? strcspn(r->node[i], ".") : 8),
                      r->node[i]);
}

static void worker_draw(struct area a, int y, const Rota__WorkerStats *w)
{
    char seen[TEXT_SHORT_LEN + 1], text[96], more[RESOURCES_TEXT_MAX];
    bool is_silent = w->seen_ms > SILENT_MS;
    snprintf(text, sizeof text, "%s%zu of %u slots   seen %s", w->draining ? "draining   " : "",
             w->n_job, w->slots, seen_text(w->seen_ms, seen));
    int room = a.w - 4 - text_columns(text);
    int used = put(a, 1, y, room > NAME_LEAST ? room : NAME_LEAST, PAINT_HEAD, w->worker);
    if (room - used > 4)
        used += putf(a, 1 + used, y, room - used, PAINT_DIM, "  %s", w->pool);
    resources_text(w, more);
    if (room - used >= text_columns(more))
        used += put(a, 1 + used, y, room - used, PAINT_DIM, more);
    put_right(a, 3 + used, y, a.w - 4 - used, is_silent ? PAINT_BAD : PAINT_DIM, text);
}

static void subject_draw(struct area a, int x, int y, int room, const Rota__WorkerJob *job)
{
    if (*job->app)
        putf(a, x, y, room, PAINT_PLAIN, "%s/%s", job->account, job->app);
    else
        put(a, x, y, room, PAINT_PLAIN, job->account);
}

static void job_draw(struct area a, int y, const Rota__WorkerJob *job)
{
    char took[TEXT_SHORT_LEN + 1];
    unsigned tier = (unsigned)job->tier & 3;
    int id = a.w >= ID_FROM_COLUMNS ? JOB_COLUMNS + 2 : 0;
    int rest = a.w - 1 - 3 - 4 - id - PHASE_COLUMNS - 1 - PERCENT_COLUMNS - TIME_COLUMNS;
    int subject = rest * 9 / 20, bar = rest - subject - 2, x = 3;
    putf(a, x, y, 2, PAINT_P0 + tier, "P%u", tier);
    x += 3;
    subject_draw(a, x, y, subject, job);
    x += subject + 1;
    put(a, x, y, id ? JOB_COLUMNS : 0, PAINT_DIM, job->job);
    x += id;
    put(a, x, y, PHASE_COLUMNS, *job->phase ? PAINT_PLAIN : PAINT_DIM,
        *job->phase ? job->phase : "starting");
    x += PHASE_COLUMNS + 1;
    if (bar > 0)
        put_bar(a, x, y, bar, job->percent, PAINT_P0 + tier);
    putf_right(a, x + bar, y, PERCENT_COLUMNS, PAINT_PLAIN, "%u%%", job->percent);
    put_right(a, a.w - 1 - TIME_COLUMNS, y, TIME_COLUMNS, PAINT_DIM,
              text_duration(job->running_ms, took));
}

static void rule_draw(const struct model *m, struct area a)
{
    char title[96];
    size_t busy = 0, slots = 0;
    for (size_t i = 0; i < m->stats->n_worker; i++) {
        busy += m->stats->worker[i]->n_job;
        slots += m->stats->worker[i]->slots;
    }
    if (m->stats->n_worker)
        snprintf(title, sizeof title, "WORKERS %zu  %zu of %zu slots busy", m->stats->n_worker,
                 busy, slots);
    else
        snprintf(title, sizeof title, "WORKERS");
    put_rule(a, 0, title);
}

void view_workers(const struct model *m, struct area a)
{
    if (!a.h)
        return;
    rule_draw(m, a);
    if (!m->stats->n_worker)
        put(a, 3, 1, a.w - 4, PAINT_DIM, "none connected: start rota-worker");
    int lines = view_workers_lines(m), rows = a.h - 1;
    int first = lines > rows ? lines - rows : 0;
    if ((int)m->scroll < first)
        first = (int)m->scroll;
    int line = -first;
    for (size_t i = 0; i < m->stats->n_worker && line < rows; i++) {
        const Rota__WorkerStats *w = m->stats->worker[i];
        if (line >= 0)
            worker_draw(a, 1 + line, w);
        line++;
        for (size_t j = 0; j < w->n_job && line < rows; j++, line++)
            if (line >= 0)
                job_draw(a, 1 + line, w->job[j]);
    }
    if (lines > first + rows && rows > 0)
        putf_right(a, 0, 0, a.w - 3, PAINT_DIM, " %d more ", lines - first - rows);
}
