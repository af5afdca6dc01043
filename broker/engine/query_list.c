/* query_list.c: jobs, newest first, a page at a time.
 *
 * Ids rise with time, and the listing index is folded from the tail of `job` in that same order, so
 * the unfolded jobs are all newer than the folded ones: a page walks `job` downwards to the place
 * of the fold and goes on in the index. Without an account the job table itself is the list; for
 * states that have a table of their own (leased, held, the ended ones) that table is. A page looks
 * at no more than about LIST_COST_MAX rows and may therefore come short, even empty, with a cursor
 * to go on from.          */
#include "engine/query.h"
#include "engine/query_parts.h"

#include <assert.h>

int id_walk_open(struct id_walk *w, struct txn *txn, enum table t, struct span prefix,
                 struct job_id below)
{
    assert(prefix.n + sizeof below.b <= sizeof w->prefix.b);
    *w = (struct id_walk){.prefix_n = prefix.n, .below = below};
    if (prefix.n)
        memcpy(w->prefix.b, prefix.p, prefix.n);
    return cursor_open(txn, t, &w->cursor);
}

void id_walk_close(struct id_walk *w)
{
    w->cursor = cursor_free(w->cursor);
}

int id_walk_next(struct id_walk *w, struct job_id *ret_id, struct span *ret_value)
{
    struct key_buf k = w->prefix;
    struct span key;
    memcpy(k.b + w->prefix_n, w->below.b, sizeof w->below.b);
    int r = w->has_begun ? cursor_prev(w->cursor, &key, ret_value)
                         : cursor_before(w->cursor, span_of(k.b, w->prefix_n + sizeof w->below.b),
                                         &key, ret_value);
    w->has_begun = true;
    if (r)
        return r;
    if (key.n != w->prefix_n + sizeof w->below.b || memcmp(key.p, w->prefix.b, w->prefix_n) != 0)
        return STORE_MISSING;
    *ret_id = key_tail_id(key);
    return 0;
}

/* What one page is about. */
struct page {
    uint64_t account; /* 0: all */
    uint32_t app;     /* 0: all, or by name below */
    const char *app_name;
    Rota__State state;
    size_t limit, cost, bytes;
    struct job_id below, last, fold;
    Rota__ListResult *result;
    bool is_full;
};

static int read_fold(struct query *q, struct job_id *ret_fold)
{
    struct meta_row row;
    int r = row_get(q->txn, &meta_row_type, span_str("fold"), &row);
    if (r < 0)
        return err_pass(r);
    *ret_fold = (struct job_id){{0}};
    if (r == 0 && row.value.n == sizeof ret_fold->b)
        memcpy(ret_fold->b, row.value.p, row.value.n);
    return 0;
}

static enum error_code page_app(struct query *q, struct page *page)
{
    struct key_buf k;
    struct app_row row;
    page->app_name = q->request->list->app;
    if (!*page->app_name || !page->account)
        return E_OK;
    int r = row_get(q->txn, &app_row_type, key_named(&k, page->account, span_str(page->app_name)),
                    &row);
    if (r < 0)
        return query_fault(r);
    if (r == STORE_MISSING)
        return E_APP_UNKNOWN;
    page->app = row.number;
    return E_OK;
}

static enum error_code page_init(struct query *q, struct page *page)
{
    const Rota__List *list = q->request->list;
    page->limit = list->limit ? list->limit : LIST_LIMIT_DEFAULT;
    if (page->limit > LIST_LIMIT_MAX)
        page->limit = LIST_LIMIT_MAX;
    page->state = list->state;
    memset(page->below.b, 0xff, sizeof page->below.b);
    if (*list->cursor && job_id_parse(list->cursor, &page->below) != 0)
        return E_CURSOR_INVALID;
    if (q->who->role != ROTA__ROLE__OPERATOR || *list->account) {
        enum error_code e = auth_account(q->txn, q->who, list->account, &page->account);
        if (e)
            return e;
    }
    int r = read_fold(q, &page->fold);
    return r < 0 ? query_fault(r) : page_app(q, page);
}

static bool fits(const struct page *page, const struct job_row *row)
{
    if (page->account && row->account != page->account)
        return false;
    if (page->app)
        return row->app == page->app;
    size_t n = strlen(page->app_name);
    return n == 0 || (row->app_name.n == n && memcmp(row->app_name.p, page->app_name, n) == 0);
}

static enum error_code page_add(struct query *q, struct page *page, struct job_id id,
                                const struct job_row *row)
{
    Rota__Job *job;
    enum error_code e = query_job_fill(q, id, row, &job);
    if (e)
        return e;
    size_t n = rota__job__get_packed_size(job) + 8;
    if (page->result->n_job && page->bytes + n > ANSWER_BYTES_MAX) {
        page->is_full = true;
        return E_OK;
    }
    page->bytes += n;
    page->result->job[page->result->n_job++] = job;
    page->last = id;
    page->is_full = page->result->n_job == page->limit;
    return E_OK;
}

/* The job's row: the walk stands on it when it walks `job` itself. */
static enum error_code row_of(struct query *q, enum table t, struct job_id id, struct span value,
                              struct job_row *ret_row)
{
    struct key_buf k;
    if (t != TABLE_JOB)
        return query_job_row(q, id, ret_row);
    int r = row_decode(&job_row_type, key_id(&k, id), value, ret_row);
    if (r)
        return query_fault(r);
    return auth_sees(q->who, ret_row->account) ? E_OK : E_JOB_UNKNOWN;
}

/* Looks at one id. Jobs whose row is gone (retention) are passed over. */
static enum error_code page_visit(struct query *q, struct page *page, enum table t,
                                  struct job_id id, struct span value)
{
    struct job_row row = {0};
    enum error_code e = row_of(q, t, id, value, &row);
    page->cost++;
    if (e == E_JOB_UNKNOWN || (e == E_OK && !fits(page, &row))) {
        page->last = id;
        return E_OK;
    }
    Rota__State state = page->state;
    if (e == E_OK && page->state != ROTA__STATE__STATE_NONE) {
        e = query_state(q, id, &state);
        page->cost += LIST_COST_STATE;
    }
    if (e)
        return e;
    if (state != page->state) {
        page->last = id;
        return E_OK;
    }
    return page_add(q, page, id, &row);
}

/* Walks one table downwards; ids at or below `floor` belong to the walk after it. */
static enum error_code page_walk(struct query *q, struct page *page, enum table t,
                                 struct span prefix, struct job_id floor)
{
    struct id_walk w;
    struct job_id id;
    struct span value;
    enum error_code e = E_OK;
    int r = id_walk_open(&w, q->txn, t, prefix, page->below);
    while (r == 0 && e == E_OK && !page->is_full) {
        r = id_walk_next(&w, &id, &value);
        if (r || job_id_cmp(id, floor) <= 0)
            break;
        e = page_visit(q, page, t, id, value);
        page->is_full |= page->cost >= LIST_COST_MAX;
    }
    id_walk_close(&w);
    return r < 0 ? query_fault(r) : e;
}

static bool is_ended(Rota__State state)
{
    return state >= ROTA__STATE__SUCCEEDED;
}

/* The table whose ids are the jobs of this state, when there is one. */
static bool table_of_state(const struct page *page, enum table *ret_table)
{
    if (page->state == ROTA__STATE__LEASED)
        *ret_table = TABLE_LEASE;
    else if (page->state == ROTA__STATE__HELD)
        *ret_table = TABLE_HELD;
    else if (is_ended(page->state) && !page->account)
        *ret_table = TABLE_DONE;
    else
        return false;
    return true;
}

static enum error_code page_fill(struct query *q, struct page *page)
{
    static const struct job_id none;
    struct key_buf k;
    enum table t;
    struct span empty = span_of("", 0);
    if (table_of_state(page, &t))
        return page_walk(q, page, t, empty, none);
    if (!page->account)
        return page_walk(q, page, TABLE_JOB, empty, none);
    enum error_code e = page_walk(q, page, TABLE_JOB, empty, page->fold);
    if (e || page->is_full)
        return e;
    /* A batch that is being folded stands in both: the index counts only up to the fold. */
    if (job_id_cmp(page->below, page->fold) > 0)
        page->below = job_id_after(page->fold);
    struct span prefix = page->app ? key_of_app(&k, page->account, page->app, none)
                                   : key_of_account(&k, page->account, none);
    prefix.n -= sizeof none.b;
    return page_walk(q, page, TABLE_JOB_OF, prefix, none);
}

enum error_code query_list(struct query *q)
{
    struct page page = {.app_name = ""};
    enum error_code e = page_init(q, &page);
    if (e)
        return e;
    QUERY_NEW(q, page.result, Rota__ListResult, rota__list_result__init);
    if (!page.result || !(page.result->job = query_array(q, page.limit)))
        return E_MEMORY;
    e = page_fill(q, &page);
    if (e)
        return e;
    if (page.is_full) {
        char text[JOB_ID_TEXT_LEN + 1];
        page.result->next_cursor = query_text(q, job_id_text(page.last, text));
    }
    q->reply->list = page.result;
    q->reply->result_case = ROTA__REPLY__RESULT_LIST;
    return E_OK;
}
