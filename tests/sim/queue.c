/* queue.c: see queue.h. */
#include "sim/queue.h"

#include "sim/world.h"
#include "store/keys.h"
#include "store/rows.h"

#include <stdlib.h>

static void rings_read(struct world *w, struct txn *txn, struct queue *q)
{
    AUTO(cursor) cursor = NULL;
    struct span key, value;
    if (cursor_open(txn, TABLE_RING, &cursor) != 0)
        abort();
    while (cursor_next(cursor, &key, &value) == 0) {
        struct ring_row row;
        const uint8_t *p = key.p;
        if (row_decode(&ring_row_type, key, value, &row) != 0)
            world_violated(w, "a ring row is damaged");
        if (q->n == q->cap) {
            q->cap = q->cap ? q->cap * 2 : 32;
            q->all = realloc(q->all, q->cap * sizeof *q->all);
            if (!q->all)
                abort();
        }
        q->all[q->n++] = (struct standing){
            .pool = get_be16(p), .tier = p[2], .turn = get_be64(p + 3), .account = row.account};
    }
}

static void lines_read(struct world *w, struct txn *txn, struct queue *q)
{
    AUTO(cursor) cursor = NULL;
    struct span key, value;
    if (cursor_open(txn, TABLE_READY, &cursor) != 0)
        abort();
    while (cursor_next(cursor, &key, &value) == 0) {
        const uint8_t *p = key.p;
        if (key.n != READY_KEY_BYTES)
            world_violated(w, "a key of `ready` has %zu bytes", key.n);
        if (q->lines_n == q->lines_cap) {
            q->lines_cap = q->lines_cap ? q->lines_cap * 2 : 64;
            q->lines = realloc(q->lines, q->lines_cap * sizeof *q->lines);
            if (!q->lines)
                abort();
        }
        q->lines[q->lines_n++] = (struct waiting){.pool = get_be16(p),
                                                  .account = get_be64(p + 2),
                                                  .priority = p[READY_PRIORITY_AT],
                                                  .job = key_tail_id(key)};
    }
}

/* From the job backwards, as long as it is the same line. */
void queue_check_line(struct world *w, const struct past_job *job)
{
    const struct queue *q = &w->queue;
    char text[JOB_ID_TEXT_LEN + 1], ahead[JOB_ID_TEXT_LEN + 1];
    size_t at = 0;
    while (at < q->lines_n && job_id_cmp(q->lines[at].job, job->id) != 0)
        at++;
    if (at == q->lines_n || job->seq > w->history.seq_looked)
        return;
    for (size_t i = at; i-- && q->lines[i].account == q->lines[at].account &&
                        q->lines[i].pool == q->lines[at].pool;) {
        const struct past_job *other = history_job(&w->history, q->lines[i].job);
        if (other && other->seq <= w->history.seq_looked)
            world_violated(w, "%s starts before %s, which stands ahead of it in its account's line",
                           job_id_text(job->id, text), job_id_text(other->id, ahead));
    }
}

static const struct standing *standing_of(const struct queue *q, uint16_t pool, uint8_t tier,
                                          uint64_t account)
{
    for (size_t i = 0; i < q->n; i++)
        if (q->all[i].pool == pool && q->all[i].tier == tier && q->all[i].account == account)
            return &q->all[i];
    return NULL;
}

static uint16_t pool_number(struct world *w, struct txn *txn, const char *name)
{
    AUTO(cursor) cursor = NULL;
    struct span key, value;
    if (cursor_open(txn, TABLE_POOL, &cursor) != 0)
        abort();
    while (cursor_next(cursor, &key, &value) == 0) {
        struct pool_row row;
        if (row_decode(&pool_row_type, key, value, &row) != 0)
            world_violated(w, "a pool row is damaged");
        if (row.name.n == strlen(name) && memcmp(row.name.p, name, row.name.n) == 0)
            return get_be16(key.p);
    }
    world_violated(w, "no pool %s", name);
}

/* Who kept its place while this one was served? */
static void check_serving(struct world *w, const struct queue *now, const struct past_serving *s,
                          uint16_t pool, bool is_first)
{
    const struct queue *before = &w->queue;
    const struct standing *served = standing_of(before, pool, s->tier, s->account);
    for (size_t i = 0; i < before->n; i++) {
        const struct standing *b = &before->all[i];
        if (b->pool != pool || b->tier != s->tier || b->account == s->account)
            continue;
        const struct standing *n = standing_of(now, pool, b->tier, b->account);
        if (!n || n->turn != b->turn)
            continue;
        if (!is_first || !served || served->turn > b->turn)
            world_violated(w,
                           "account %llu of P%u in pool %s was served before account %llu, "
                           "which stood ahead of it",
                           (unsigned long long)s->account, s->tier, s->pool,
                           (unsigned long long)b->account);
    }
}

static bool is_first(const struct history *h, size_t at)
{
    const struct past_serving *s = &h->servings[at];
    for (size_t i = 0; i < at; i++)
        if (h->servings[i].account == s->account && strcmp(h->servings[i].pool, s->pool) == 0)
            return false;
    return true;
}

void queue_look(struct world *w, struct txn *txn)
{
    struct history *h = &w->history;
    struct queue now = {0};
    rings_read(w, txn, &now);
    lines_read(w, txn, &now);
    for (size_t i = 0; i < h->servings_n; i++)
        check_serving(w, &now, &h->servings[i], pool_number(w, txn, h->servings[i].pool),
                      is_first(h, i));
    queue_deinit(&w->queue);
    w->queue = now;
}

void queue_deinit(struct queue *q)
{
    free(q->all);
    free(q->lines);
    *q = (struct queue){0};
}
