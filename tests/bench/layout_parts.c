/* layout_parts.c: the rows that one job can cause, each written as the turn would write it. */
#include "layout_impl.h"

uint64_t world_random(struct world *w)
{
    w->x ^= w->x << 13;
    w->x ^= w->x >> 7;
    w->x ^= w->x << 17;
    return w->x;
}

static int write_job(struct world *w, struct txn *txn, const struct entry *e)
{
    static char spec[PAYLOAD_BYTES];
    struct key_buf k;
    struct job_row row = {.account = e->account,
                          .pool = POOL,
                          .account_id = span_str("account"),
                          .app_name = span_str("app"),
                          .class = span_str("task"),
                          .spec = span_of(spec, sizeof spec)};
    return row_append(txn, &job_row_type, key_id(&k, e->id), &row);
}

static int write_event(struct world *w, struct txn *txn, const struct entry *e)
{
    struct key_buf k;
    uint8_t packed[90] = {0};
    memcpy(packed, e->id.b, sizeof e->id.b);
    struct event_row row = {.packed = span_of(packed, sizeof packed)};
    return row_append(txn, &event_row_type, key_u64(&k, ++w->seq), &row);
}

struct span ready_key(struct key_buf *k, const struct entry *e)
{
    return key_ready(k, POOL, e->account, 5, e->id);
}

static const struct mark_row no_mark;

static int write_ready(struct world *w, struct txn *txn, const struct entry *e)
{
    struct key_buf k;
    return e->is_taken ? 0 : row_put(txn, &ready_row_type, ready_key(&k, e), &no_mark);
}

static int write_fresh(struct world *w, struct txn *txn, const struct entry *e)
{
    struct key_buf k;
    return row_append(txn, &waits_on_row_type, key_id(&k, e->id), &no_mark);
}

static int write_of_account(struct world *w, struct txn *txn, const struct entry *e)
{
    struct key_buf k;
    return row_put(txn, &job_of_row_type, key_of_account(&k, e->account, e->id), &no_mark);
}

static int write_of_app(struct world *w, struct txn *txn, const struct entry *e)
{
    struct key_buf k;
    return row_put(txn, &job_of_row_type, key_of_app(&k, e->account, 1, e->id), &no_mark);
}

static int write_tally(struct world *w, struct txn *txn, const struct entry *e)
{
    if (w->tally_turn[e->account] == w->turn)
        return 0;
    w->tally_turn[e->account] = w->turn;
    struct key_buf k;
    return row_put(txn, &tally_row_type, key_tally(&k, e->account, POOL), &w->tally[e->account]);
}

static int idem_put(struct txn *txn, const struct entry *e, const void *key, size_t n)
{
    struct key_buf k;
    struct idem_row row = {.job = e->id};
    return row_put(txn, &idem_row_type, key_idem(&k, span_of(key, n), e->account), &row);
}

static int write_idem(struct world *w, struct txn *txn, const struct entry *e)
{
    char text[JOB_ID_TEXT_LEN + 1];
    return idem_put(txn, e, job_id_text(e->id, text), JOB_ID_TEXT_LEN);
}

static int write_idem_random(struct world *w, struct txn *txn, const struct entry *e)
{
    uint64_t key[4];
    for (size_t i = 0; i < 4; i++)
        key[i] = world_random(w);
    return idem_put(txn, e, key, sizeof key);
}

static int write_lease(struct world *w, struct txn *txn, const struct entry *e)
{
    struct key_buf k;
    struct lease_row row = {.account = e->account, .pool = POOL, .worker = span_str("worker-1")};
    return row_put(txn, &lease_row_type, key_id(&k, e->id), &row);
}

static int write_done(struct world *w, struct txn *txn, const struct entry *e)
{
    struct key_buf k;
    uint8_t facts[64] = {0};
    struct done_row row = {.worker = span_str("worker-1"), .facts = span_of(facts, sizeof facts)};
    return row_put(txn, &done_row_type, key_id(&k, e->id), &row);
}

static int write_of_finished(struct world *w, struct txn *txn, const struct entry *e)
{
    struct key_buf k;
    return row_put(txn, &job_of_row_type, key_of_finished(&k, w->turn, e->id), &no_mark);
}

/* The account goes to the end of its ring. The new row first: a table that loses its last row gives
 * its root page back, and a lone account would cost a page with every move. */
static int write_ring(struct world *w, struct txn *txn, const struct entry *e)
{
    struct key_buf k;
    uint64_t *turn = &w->ring_turn[e->account];
    uint64_t before = *turn;
    *turn = ++w->ring_next;
    struct ring_row row = {.account = e->account};
    int r = row_put(txn, &ring_row_type, key_ring(&k, POOL, 1, *turn), &row);
    if (r || !before)
        return r;
    return txn_del(txn, TABLE_RING, key_ring(&k, POOL, 1, before));
}

static int write_state(struct world *w, struct txn *txn, const struct entry *e)
{
    struct key_buf k;
    struct state_row row = {.attempt = 1, .reason = span_str("BACKOFF")};
    return row_put(txn, &state_row_type, key_id(&k, e->id), &row);
}

static int write_meta(struct world *w, struct txn *txn, const struct entry *e)
{
    struct meta_row row = {.value = span_of(e->id.b, sizeof e->id.b)};
    return row_put(txn, &meta_row_type, span_str("fold"), &row);
}

static const struct {
    const char *name;
    int (*write)(struct world *w, struct txn *txn, const struct entry *e);
} parts[PART_COUNT] = {
    [PART_JOB] = {"job", write_job},
    [PART_EVENT] = {"event", write_event},
    [PART_READY] = {"ready", write_ready},
    [PART_FRESH] = {"fresh", write_fresh},
    [PART_OF_ACCOUNT] = {"job_of account", write_of_account},
    [PART_OF_APP] = {"job_of app", write_of_app},
    [PART_TALLY] = {"tally", write_tally},
    [PART_IDEM] = {"idem, in order", write_idem},
    [PART_IDEM_RANDOM] = {"idem, random", write_idem_random},
    [PART_LEASE] = {"lease", write_lease},
    [PART_DONE] = {"done", write_done},
    [PART_OF_FINISHED] = {"job_of finished", write_of_finished},
    [PART_RING] = {"ring", write_ring},
    [PART_STATE] = {"state", write_state},
    [PART_META] = {"meta", write_meta},
};

const char *part_name(enum part p)
{
    return parts[p].name;
}

int parts_write(struct world *w, struct txn *txn, const struct entry *e, unsigned mask)
{
    int r = 0;
    for (unsigned p = 0; p < PART_COUNT && r == 0; p++)
        if (mask & (1u << p))
            r = parts[p].write(w, txn, e);
    return r;
}
