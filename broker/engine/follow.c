/* follow.c: jobs that wait for other jobs.
 *
 * A child has a row in `waits_on` under each parent it still waits for, and their number in its
 * state. When a parent ends while anybody waits at all, its id goes into `follow`; the turn tells
 * its children a slice at a time, so that one parent with ten thousand children costs no turn more
 * than its slice, and a restart goes on where it stood. A parent that succeeded lets its children
 * go on; any other end cancels them, and theirs in turn. */
#include "engine/job.h"

#include "store/keys.h"

#include <errno.h>

enum { FOLLOW_SLICE = 128 };

static void count_waits(struct turn *t, int64_t by)
{
    SET(t->undo, t->cache->hot.waits, t->cache->hot.waits + (uint64_t)by);
    t->cache->hot_dirty = true;
}

int follow_begin(struct turn *t, struct job_id child, const struct job_id *parents, size_t n)
{
    struct key_buf k;
    struct mark_row mark = {{"", 0}};
    for (size_t i = 0; i < n; i++) {
        int r = turn_store(
            row_put(t->txn, &waits_on_row_type, key_waits_on(&k, parents[i], child), &mark));
        if (r != 0)
            return r;
    }
    count_waits(t, (int64_t)n);
    return 0;
}

int follow_forget(struct turn *t, const struct job *child)
{
    struct key_buf k;
    int64_t gone = 0;
    for (size_t i = 0; i + sizeof(struct job_id) <= child->after.n; i += sizeof(struct job_id)) {
        struct job_id parent;
        memcpy(parent.b, (const uint8_t *)child->after.p + i, sizeof parent.b);
        int r = txn_del(t->txn, TABLE_WAITS_ON, key_waits_on(&k, parent, child->id));
        gone += r == 0;
        if (r != 0 && r != STORE_MISSING)
            return turn_store(r);
    }
    count_waits(t, -gone);
    return 0;
}

/* One that had begun once needs no look: its parents had succeeded, and that is for good. */
int follow_again(struct turn *t, const struct job *child, struct job_id *ret_waits, size_t *ret_n)
{
    size_t left = child->attempt ? 0 : child->after.n;
    *ret_n = 0;
    for (size_t i = 0; i + sizeof(struct job_id) <= left; i += sizeof(struct job_id)) {
        struct job_id id;
        struct job parent;
        memcpy(id.b, (const uint8_t *)child->after.p + i, sizeof id.b);
        int r = job_load(t, id, &parent);
        if (r < 0)
            return err_pass(r);
        if (r == STORE_MISSING || parent.state > ROTA__STATE__SUCCEEDED)
            return turn_refuse(t, E_DEPENDENCY_FAILED, "%s did not succeed%s", turn_job(t, id),
                               r == 0 ? "" : ", or is no longer kept");
        if (parent.state != ROTA__STATE__SUCCEEDED)
            ret_waits[(*ret_n)++] = id;
    }
    return 0;
}

int follow_ended(struct turn *t, struct job_id parent)
{
    struct key_buf k;
    struct mark_row mark = {{"", 0}};
    if (!t->cache->hot.waits)
        return 0;
    SET(t->undo, t->cache->has_follow, true);
    return turn_store(row_put(t->txn, &follow_row_type, key_id(&k, parent), &mark));
}

/* One parent less. Held children stay held; the others go on when it was the last. */
static int child_goes_on(struct turn *t, struct job *child)
{
    struct step s = step_stay(child, ROTA__EVENT_KIND__EVENT_MOVED);
    s.waits = (uint16_t)(child->waits - 1);
    bool is_later = child->due_ms && child->due_ms > t->now.wall_ms;
    if (child->state == ROTA__STATE__DELAYED && !s.waits) {
        s.to = is_later ? ROTA__STATE__DELAYED : ROTA__STATE__READY;
        s.reason = span_str(is_later ? "RUN_AT" : "");
        s.due_ms = is_later ? child->due_ms : 0;
    }
    return job_move(t, child, &s);
}

static int child_told(struct turn *t, struct job_id parent, struct job_id id, bool succeeded)
{
    struct key_buf k;
    struct job child;
    int r = turn_store(txn_del(t->txn, TABLE_WAITS_ON, key_waits_on(&k, parent, id)));
    if (r != 0)
        return r;
    count_waits(t, -1);
    r = job_load_known(t, id, &child);
    if (r != 0 || !child.waits)
        return r;
    if (succeeded)
        return child_goes_on(t, &child);
    struct step s =
        step_of(ROTA__STATE__CANCELLED, ROTA__EVENT_KIND__EVENT_FINISHED, E_DEPENDENCY_FAILED);
    s.reason = span_str(error_row(E_DEPENDENCY_FAILED)->name);
    return job_move(t, &child, &s);
}

static int parent_succeeded(struct turn *t, struct job_id parent, bool *ret_succeeded)
{
    struct done_row done;
    struct key_buf k;
    int r = row_get(t->txn, &done_row_type, key_id(&k, parent), &done);
    *ret_succeeded = r == 0 && done.state == ROTA__STATE__SUCCEEDED;
    return r == STORE_MISSING ? 0 : turn_store(r);
}

/* Up to `max` children of one parent; *ret_n of them. */
static int children_read(struct turn *t, struct job_id parent, struct job_id *ret_ids, size_t max,
                         size_t *ret_n)
{
    AUTO(cursor) cursor = NULL;
    struct key_buf k;
    struct span key, value;
    static const struct job_id zero;
    int r = turn_store(cursor_open(t->txn, TABLE_WAITS_ON, &cursor));
    *ret_n = 0;
    if (r != 0)
        return r;
    r = cursor_seek(cursor, key_waits_on(&k, parent, zero), &key, &value);
    while (r == 0 && *ret_n < max && memcmp(key.p, parent.b, sizeof parent.b) == 0) {
        ret_ids[(*ret_n)++] = key_tail_id(key);
        r = cursor_next(cursor, &key, &value);
    }
    return r < 0 ? err_pass(r) : 0;
}

static int follow_first(struct turn *t, struct job_id *ret_parent, bool *ret_found)
{
    AUTO(cursor) cursor = NULL;
    struct span key, value;
    int r = turn_store(cursor_open(t->txn, TABLE_FOLLOW, &cursor));
    if (r == 0)
        r = cursor_seek(cursor, span_of("", 0), &key, &value);
    *ret_found = r == 0;
    if (r == 0)
        *ret_parent = key_tail_id(key);
    return r == STORE_MISSING ? 0 : r;
}

int follow_some(struct turn *t)
{
    struct job_id parent, ids[FOLLOW_SLICE];
    size_t left = FOLLOW_SLICE, n = 0;
    bool found = true;
    int r = 0;
    while (r == 0 && left && t->cache->has_follow) {
        bool succeeded = false;
        r = follow_first(t, &parent, &found);
        if (r != 0 || !found) {
            SET(t->undo, t->cache->has_follow, false);
            return r;
        }
        r = parent_succeeded(t, parent, &succeeded);
        if (r == 0)
            r = children_read(t, parent, ids, left, &n);
        for (size_t i = 0; i < n && r == 0; i++)
            r = child_told(t, parent, ids[i], succeeded);
        if (r == 0 && n < left) {
            struct key_buf k;
            r = turn_store(txn_del(t->txn, TABLE_FOLLOW, key_id(&k, parent)));
        }
        left -= n < left ? n : left;
    }
    return r;
}
