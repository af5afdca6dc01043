/* heads.c: the ready job that is next of each tally, and since when it waits.
 *
 * What comes is compared with the head, which needs no look-up. When the head itself goes, the next
 * one is looked up when the turn writes its tallies: once, however many jobs of the account the
 * turn handed out, and never for a publish. The time of the head's publish is stored with the
 * tally, so that neither a start nor a reader needs a look-up; which job it is, is learned again
 * when the tally next changes. */
#include "engine/cache.h"

#include "store/keys.h"

#include <errno.h>

static int rank_cmp(uint8_t priority, struct job_id job, const struct head *head)
{
    if (priority != head->priority)
        return priority < head->priority ? -1 : 1;
    return job_id_cmp(job, head->job);
}

static void head_set(struct cache *c, struct tally *t, uint8_t priority, struct job_id job)
{
    struct head head = {HEAD_KNOWN, priority, job};
    SET(c->undo, t->head, head);
    SET(c->undo, t->now.head_ms, job_id_ms(job));
}

void head_enter(struct cache *c, struct tally *t, uint8_t priority, struct job_id job)
{
    bool is_known = !t->now.ready || t->head.state == HEAD_KNOWN;
    if (!is_known)
        SET(c->undo, t->head.state, HEAD_LOST);
    else if (!t->now.ready || rank_cmp(priority, job, &t->head) < 0)
        head_set(c, t, priority, job);
}

void head_leave(struct cache *c, struct tally *t, uint8_t priority, struct job_id job)
{
    if (t->head.state != HEAD_KNOWN || rank_cmp(priority, job, &t->head) == 0)
        SET(c->undo, t->head.state, HEAD_LOST);
}

static int head_find(struct cache *c, struct tally *t, struct txn *txn, struct cursor **ready)
{
    static const struct job_id zero;
    struct key_buf k;
    struct span key, value;
    struct span from = key_ready(&k, t->pool->number, t->account->number, 0, zero);
    int r = *ready ? 0 : cursor_open(txn, TABLE_READY, ready);
    if (r == 0)
        r = cursor_seek(*ready, from, &key, &value);
    if (r < 0)
        return err_pass(r);
    if (r != 0 || key.n != from.n || memcmp(key.p, from.p, READY_PRIORITY_AT) != 0)
        return err_raise(-EBADMSG); /* its count says that it has one */
    head_set(c, t, ((const uint8_t *)key.p)[READY_PRIORITY_AT], key_tail_id(key));
    return 0;
}

int heads_settle(struct cache *c, struct txn *txn)
{
    AUTO(cursor) ready = NULL;
    int r = 0;
    for (struct account *a = c->dirty; a; a = a->dirty_next)
        for (struct tally *t = a->tallies; t && r == 0; t = t->next)
            if (!t->now.ready && t->now.head_ms)
                SET(c->undo, t->now.head_ms, 0);
            else if (t->now.ready && t->head.state == HEAD_LOST)
                r = head_find(c, t, txn, &ready);
    return r;
}
