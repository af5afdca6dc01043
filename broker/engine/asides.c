/* asides.c: jobs of a closed class that stood in the way, and their way back.
 *
 * `aside` has them by class, account, priority and id: in the order in which their account's line
 * had them. While a class that has opened again still has some there, the head of an account's line
 * is compared with the first that the account has set aside, and the earlier one is served: so the
 * slices in which they come back never show. */
#include "engine/classes.h"

#include "store/keys.h"

#include <assert.h>
#include <errno.h>

enum {
    ASIDES_PER_TURN = 256, /* moved by decisions */
    RANK_BYTES = 1 + 16,   /* priority and id, the tail of keys of `ready` and of `aside` */
};

static bool is_same(struct span a, struct span b)
{
    return a.n == b.n && (!a.n || memcmp(a.p, b.p, a.n) == 0);
}

bool job_is_aside(const struct job *j)
{
    return j->state == ROTA__STATE__HELD && is_same(j->reason, span_str(ASIDE_REASON)) &&
           j->by.n > strlen(ASIDE_BY) && memcmp(j->by.p, ASIDE_BY, strlen(ASIDE_BY)) == 0;
}

static struct span aside_key(struct key_buf *k, const struct job *j, struct span by)
{
    struct span class = span_of((const char *)by.p + strlen(ASIDE_BY), by.n - strlen(ASIDE_BY));
    return key_aside(k, class, j->account->number, j->priority, j->id);
}

int aside_moved(struct turn *t, const struct job *before, const struct job *j, const struct step *s)
{
    struct key_buf k, old;
    struct mark_row mark = {{"", 0}};
    if (before->state != ROTA__STATE__HELD && s->to != ROTA__STATE__HELD)
        return 0;
    struct job after = *j;
    after.state = s->to;
    after.reason = s->reason;
    after.by = s->by;
    bool was = job_is_aside(before), is = job_is_aside(&after);
    struct span key = is ? aside_key(&k, &after, s->by) : span_of("", 0);
    struct span old_key = was ? aside_key(&old, before, before->by) : span_of("", 0);
    if (is_same(key, old_key))
        return 0;
    int r = is ? turn_store(row_put(t->txn, &aside_row_type, key, &mark)) : 0;
    if (r == 0 && was)
        r = turn_store(txn_del(t->txn, TABLE_ASIDE, old_key));
    return r;
}

/* ---- out of the way ---- */

static int aside_put(struct turn *t, struct class *class, struct job_id id)
{
    struct job j;
    char by[sizeof ASIDE_BY + CLASS_NAME_MAX] = ASIDE_BY;
    size_t n = strlen(class->name);
    memcpy(by + strlen(ASIDE_BY), class->name, n);
    struct step s = {.to = ROTA__STATE__HELD,
                     .why = ROTA__EVENT_KIND__EVENT_MOVED,
                     .reason = span_str(ASIDE_REASON),
                     .by = span_of(by, strlen(ASIDE_BY) + n)};
    int r = job_load_known(t, id, &j);
    if (r == 0)
        r = job_move(t, &j, &s);
    if (r != 0 || class->has_aside)
        return r;
    SET(t->undo, class->has_aside, true);
    classes_note(t);
    return 0;
}

static int aside_back(struct turn *t, struct job_id id)
{
    struct job j;
    struct step s = {.to = ROTA__STATE__READY, .why = ROTA__EVENT_KIND__EVENT_MOVED};
    int r = job_load_known(t, id, &j);
    if (r != 0)
        return r;
    assert(job_is_aside(&j) && !j.waits);
    return job_move(t, &j, &s);
}

/* ---- the decision ---- */

/* Has the account set aside a job of this class that is to run before the head? */
static int earlier_aside(struct turn *t, const struct class *class, const struct account *a,
                         struct span ready_key, struct job_id *ret_id, bool *ret_found)
{
    AUTO(cursor) cursor = NULL;
    static const struct job_id zero;
    struct key_buf k;
    struct span key, value, from = key_aside(&k, span_str(class->name), a->number, 0, zero);
    *ret_found = false;
    int r = turn_store(cursor_open(t->txn, TABLE_ASIDE, &cursor));
    if (r != 0)
        return r;
    r = cursor_seek(cursor, from, &key, &value);
    if (r != 0)
        return r < 0 ? err_pass(r) : 0;
    if (key.n != from.n || memcmp(key.p, from.p, from.n - RANK_BYTES) != 0)
        return 0;
    const uint8_t *rank = (const uint8_t *)key.p + key.n - RANK_BYTES;
    const uint8_t *head = (const uint8_t *)ready_key.p + ready_key.n - RANK_BYTES;
    *ret_found = memcmp(rank, head, RANK_BYTES) < 0;
    *ret_id = key_tail_id(key);
    return 0;
}

int head_look(struct turn *t, struct account *a, struct span ready_key, enum head_fate *ret_fate)
{
    struct job_row row;
    struct key_buf k;
    struct job_id head = key_tail_id(ready_key), earlier;
    bool found = false;
    int r = turn_store(row_get(t->txn, &job_row_type, key_id(&k, head), &row));
    if (r != 0)
        return r;
    *ret_fate = HEAD_STAYS;
    struct class *class = class_of(t->cache, row.class);
    if (!class)
        return 0;
    bool closed = class_is_closed(class);
    if (!closed && class->has_aside)
        r = earlier_aside(t, class, a, ready_key, &earlier, &found);
    if (r != 0 || (!closed && !found))
        return r;
    *ret_fate = t->asides == ASIDES_PER_TURN ? HEAD_LATER : HEAD_CHANGED;
    if (*ret_fate == HEAD_LATER)
        return 0;
    t->asides++;
    return closed ? aside_put(t, class, head) : aside_back(t, earlier);
}

/* ---- the way back ---- */

static int asides_read(struct turn *t, const struct class *class, struct job_id *ret_ids,
                       size_t most, size_t *ret_n)
{
    AUTO(cursor) cursor = NULL;
    static const struct job_id zero;
    struct key_buf k;
    struct span name = span_str(class->name), key, value, from = key_aside(&k, name, 0, 0, zero);
    size_t prefix = name.n + 1;
    *ret_n = 0;
    int r = turn_store(cursor_open(t->txn, TABLE_ASIDE, &cursor));
    if (r != 0)
        return r;
    r = cursor_seek(cursor, from, &key, &value);
    while (r == 0 && *ret_n < most && key.n > prefix && memcmp(key.p, from.p, prefix) == 0) {
        ret_ids[(*ret_n)++] = key_tail_id(key);
        r = cursor_next(cursor, &key, &value);
    }
    return r < 0 ? err_pass(r) : 0;
}

int asides_back(struct turn *t, struct class *class, size_t most, size_t *ret_n)
{
    struct job_id *ids = arena_alloc(t->fx->arena, most * sizeof *ids);
    if (!ids)
        return err_raise(-ENOMEM);
    int r = asides_read(t, class, ids, most, ret_n);
    for (size_t i = 0; i < *ret_n && r == 0; i++)
        r = aside_back(t, ids[i]);
    if (r == 0 && *ret_n < most)
        SET(t->undo, class->has_aside, false);
    return r;
}
