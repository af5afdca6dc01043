/* query_watch.c: what a watch sees at this moment; parking it is the edge's.
 *
 * A job's watch compares versions (query_job.c). The event log is read from the cursor `from`, at
 * most EVENTS_SCAN_MAX rows for one answer; an account sees its own events only, so its answer may
 * be empty and yet have moved `next` on. */
#include "engine/query.h"
#include "engine/query_parts.h"

#include <errno.h>

static bool is_over(Rota__State state)
{
    return state >= ROTA__STATE__SUCCEEDED;
}

bool query_watch_is_news(const struct query *q, uint64_t *ret_from)
{
    const Rota__Watch *watch = q->request->watch;
    const Rota__WatchResult *result = q->reply->watch;
    if (result->job) /* an ended job never changes again: waiting would be for nothing */
        return result->version != watch->version || is_over(result->job->state);
    *ret_from = result->next;
    /* An answer that ended at the bound is given though it is empty: nothing may wake it later. */
    return result->n_event > 0 || result->next - watch->from >= EVENTS_SCAN_MAX;
}

/* The state of one reading of the event log. */
struct reading {
    uint64_t next;
    size_t limit, bytes;
    uint64_t account; /* whose id is in `id` */
    char *id;
    Rota__WatchResult *result;
};

static bool sees_event(const struct query *q, const Rota__Event *event)
{
    if (q->who->role == ROTA__ROLE__OPERATOR)
        return true;
    return event->account_number && auth_sees(q->who, event->account_number);
}

static void name_account(struct query *q, struct reading *rd, Rota__Event *event)
{
    if (!event->account_number)
        return;
    if (rd->account != event->account_number || !rd->id) {
        rd->account = event->account_number;
        rd->id = query_account_id(q, rd->account);
    }
    event->account = rd->id;
    if (q->who->role != ROTA__ROLE__OPERATOR) /* who checks the log needs it: it is its key */
        event->account_number = 0;
}

/* Adds one event if the caller may see it. STORE_FULL: the answer is full and the event not in it.
 */
static int event_visit(struct query *q, struct reading *rd, struct span key, struct span value)
{
    struct event_row row;
    int r = row_decode(&event_row_type, key, value, &row);
    if (r)
        return r;
    Rota__Event *event = rota__event__unpack(arena_allocator(q->arena), row.packed.n, row.packed.p);
    if (!event)
        return err_raise(-ENOMEM);
    if (sees_event(q, event)) {
        size_t n = rota__event__get_packed_size(event) + ACCOUNT_ID_MAX + 8;
        if (rd->result->n_event && rd->bytes + n > ANSWER_BYTES_MAX)
            return STORE_FULL;
        name_account(q, rd, event);
        event->seq = get_be64(key.p);
        rd->bytes += n;
        rd->result->event[rd->result->n_event++] = event;
    }
    rd->next = get_be64(key.p) + 1;
    return 0;
}

/* STORE_MISSING: the log begins after `from`, so events were lost to the caller. */
static int events_read(struct query *q, struct reading *rd)
{
    AUTO(cursor) cursor = NULL;
    struct key_buf k;
    struct span key, value;
    int r = cursor_open(q->txn, TABLE_EVENT, &cursor);
    if (r == 0)
        r = cursor_seek(cursor, key_u64(&k, rd->next), &key, &value);
    if (r == 0 && rd->next > 1 && get_be64(key.p) > rd->next) {
        struct span first;
        r = cursor_seek(cursor, span_of("", 0), &first, &value);
        if (r == 0 && get_be64(first.p) > rd->next)
            return STORE_MISSING;
        if (r == 0)
            r = cursor_seek(cursor, key_u64(&k, rd->next), &key, &value);
    }
    for (size_t i = 0; r == 0 && i < EVENTS_SCAN_MAX && rd->result->n_event < rd->limit; i++) {
        r = event_visit(q, rd, key, value);
        if (r == 0)
            r = cursor_next(cursor, &key, &value);
    }
    return r < 0 ? err_pass(r) : 0;
}

static enum error_code watch_events(struct query *q, Rota__WatchResult *result)
{
    const Rota__Watch *watch = q->request->watch;
    struct reading rd = {.next = watch->from, .result = result};
    if (q->who->app[0]) {
        q->text = arena_printf(q->arena,
                               "key %s is good for app \"%s\" only, the event log is "
                               "about all: watch a job",
                               q->who->key_prefix, q->who->app);
        return E_KEY_APP;
    }
    rd.limit = watch->limit ? watch->limit : EVENTS_LIMIT_DEFAULT;
    if (rd.limit > EVENTS_LIMIT_MAX)
        rd.limit = EVENTS_LIMIT_MAX;
    result->event = query_array(q, rd.limit);
    if (!result->event)
        return E_MEMORY;
    int r = events_read(q, &rd);
    if (r == STORE_MISSING)
        return E_CURSOR_GONE;
    if (r < 0)
        return query_fault(r);
    result->next = rd.next;
    return E_OK;
}

enum error_code query_watch(struct query *q)
{
    const Rota__Watch *watch = q->request->watch;
    Rota__WatchResult *result;
    QUERY_NEW(q, result, Rota__WatchResult, rota__watch_result__init);
    if (!result)
        return E_MEMORY;
    enum error_code e = *watch->job ? query_job(q, watch->job, &result->job, &result->version)
                                    : watch_events(q, result);
    if (e)
        return e;
    q->reply->watch = result;
    q->reply->result_case = ROTA__REPLY__RESULT_WATCH;
    return E_OK;
}
