/* query_workers.c: the connected workers and what each of them runs, from the board alone (but for
 * the names of accounts and apps). Leases are sorted by (pool, worker) once, so that the cost is
 * that of the sort and not workers times leases. */
#include "engine/query.h"
#include "engine/query_parts.h"

#include <stdlib.h>

static int by_worker(const void *a, const void *b)
{
    const struct board_lease *x = a, *y = b;
    if (x->pool != y->pool)
        return x->pool < y->pool ? -1 : 1;
    int order = strcmp(x->worker, y->worker);
    return order ? order : job_id_cmp(x->job, y->job);
}

static int by_name(const void *a, const void *b)
{
    const struct board_worker *x = a, *y = b;
    int order = strcmp(x->pool_name, y->pool_name);
    return order ? order : strcmp(x->name, y->name);
}

/* First of the sorted leases that belongs to this worker, or where it would stand. */
static size_t leases_of(const struct board_lease *all, size_t n, const struct board_worker *w)
{
    size_t low = 0, high = n;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        bool before = all[mid].pool != w->pool ? all[mid].pool < w->pool
                                               : strcmp(all[mid].worker, w->name) < 0;
        if (before)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

static bool is_of(const struct board_lease *l, const struct board_worker *w)
{
    return l->pool == w->pool && strcmp(l->worker, w->name) == 0;
}

static Rota__WorkerJob *job_new(struct query *q, const struct board_lease *l)
{
    Rota__WorkerJob *job;
    struct job_row row;
    char text[JOB_ID_TEXT_LEN + 1];
    QUERY_NEW(q, job, Rota__WorkerJob, rota__worker_job__init);
    if (!job)
        return NULL;
    job->job = query_text(q, job_id_text(l->job, text));
    if (query_job_row(q, l->job, &row) == E_OK) {
        job->account = query_str(q, row.account_id);
        job->app = query_str(q, row.app_name);
    }
    job->tier = (Rota__Tier)l->tier;
    job->phase = query_text(q, l->phase);
    job->percent = l->percent;
    job->running_ms = q->wall_ms > l->granted_ms ? q->wall_ms - l->granted_ms : 0;
    return job;
}

static void fill_jobs(struct query *q, const struct board_worker *w, const struct board_lease *all,
                      size_t n, Rota__WorkerStats *stats)
{
    size_t first = leases_of(all, n, w), end = first;
    while (end < n && is_of(&all[end], w))
        end++;
    stats->job = query_array(q, end - first);
    for (size_t i = first; stats->job && i < end; i++) {
        Rota__WorkerJob *job = job_new(q, &all[i]);
        if (job)
            stats->job[stats->n_job++] = job;
    }
}

/* Takes joined names apart again. */
static void fill_names(struct query *q, const char *joined, char ***ret_names, size_t *ret_n)
{
    char **names = query_array(q, RESOURCE_NAMES_MAX / 2 + 1);
    size_t n = 0;
    for (const char *at = joined; names && *at;) {
        size_t len = strcspn(at, " ");
        names[n] = arena_printf(q->arena, "%.*s", (int)len, at);
        q->is_short |= !names[n];
        n += names[n] != NULL;
        at += len + (at[len] == ' ');
    }
    *ret_names = names;
    *ret_n = n;
}

static Rota__Resources *resources_new(struct query *q, const struct board_resources *r)
{
    Rota__Resources *to;
    QUERY_NEW(q, to, Rota__Resources, rota__resources__init);
    if (!to)
        return NULL;
    to->cpus = r->cpus;
    to->memory_bytes = r->memory_bytes;
    to->workspace_bytes = r->workspace_bytes;
    fill_names(q, r->nodes, &to->node, &to->n_node);
    fill_names(q, r->managers, &to->manager, &to->n_manager);
    to->limits = query_text(q, r->limits);
    to->isolation = query_text(q, r->isolation);
    return to;
}

static Rota__WorkerStats *worker_new(struct query *q, const struct board_worker *w,
                                     uint64_t broker_ms)
{
    Rota__WorkerStats *stats;
    QUERY_NEW(q, stats, Rota__WorkerStats, rota__worker_stats__init);
    if (!stats)
        return NULL;
    stats->worker = query_text(q, w->name);
    stats->pool = query_text(q, w->pool_name);
    stats->class_ = query_array(q, w->classes_n);
    for (uint32_t i = 0; stats->class_ && i < w->classes_n; i++)
        stats->class_[stats->n_class_++] = query_text(q, w->classes[i]);
    stats->slots = w->slots;
    stats->seen_ms = broker_ms > w->seen_bt_ms ? broker_ms - w->seen_bt_ms : 0;
    stats->version = query_text(q, w->version);
    stats->rss_bytes = w->rss_bytes;
    stats->draining = w->draining;
    if (w->resources.are_said)
        stats->resources = resources_new(q, &w->resources);
    return stats;
}

static enum error_code fill_workers(struct query *q, size_t bytes_max,
                                    const struct board_worker *workers, size_t workers_n,
                                    const struct board_lease *leases, size_t leases_n,
                                    Rota__WorkerStats ***ret_all, size_t *ret_n)
{
    struct board_totals totals;
    board_totals(q->board, &totals);
    size_t bytes = 0, n = 0;
    Rota__WorkerStats **all = query_array(q, workers_n);
    for (size_t i = 0; all && i < workers_n; i++) {
        Rota__WorkerStats *stats = worker_new(q, &workers[i], query_broker_ms(q, &totals));
        if (!stats)
            break;
        fill_jobs(q, &workers[i], leases, leases_n, stats);
        bytes += rota__worker_stats__get_packed_size(stats) + 8;
        if (bytes > bytes_max)
            break;
        all[n++] = stats;
    }
    if (q->is_short)
        return E_MEMORY;
    *ret_all = all;
    *ret_n = n;
    return E_OK;
}

enum error_code query_workers(struct query *q, size_t bytes_max, Rota__WorkerStats ***ret_all,
                              size_t *ret_n)
{
    AUTO_FREE struct board_worker *workers = NULL;
    AUTO_FREE struct board_lease *leases = NULL;
    size_t workers_n = 0, leases_n = 0;
    int r = board_workers(q->board, &workers, &workers_n);
    if (r == 0)
        r = board_leases(q->board, &leases, &leases_n);
    if (r)
        return query_fault(r);
    qsort(workers, workers_n, sizeof *workers, by_name);
    qsort(leases, leases_n, sizeof *leases, by_worker);
    return fill_workers(q, bytes_max, workers, workers_n, leases, leases_n, ret_all, ret_n);
}

enum error_code query_worker_list(struct query *q)
{
    Rota__WorkerListResult *result;
    QUERY_NEW(q, result, Rota__WorkerListResult, rota__worker_list_result__init);
    if (!result)
        return E_MEMORY;
    enum error_code e = query_workers(q, ANSWER_BYTES_MAX, &result->worker, &result->n_worker);
    if (e)
        return e;
    q->reply->worker_list = result;
    q->reply->result_case = ROTA__REPLY__RESULT_WORKER_LIST;
    return E_OK;
}
