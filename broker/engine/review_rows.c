/* review_rows.c: reviews as they are stored. The packed form names accounts by number, so that a
 * review tells nothing of an account that was erased; people see ids. */
#include "engine/abuse_parts.h"

#include "store/keys.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

static int row_unpack(struct txn *txn, struct arena *arena, uint64_t number,
                      Rota__Review **ret_review, uint64_t *ret_account)
{
    struct review_row row;
    struct key_buf k;
    int r = row_get(txn, &review_row_type, key_u64(&k, number), &row);
    if (r != 0)
        return r < 0 ? err_pass(r) : r;
    *ret_account = row.account;
    *ret_review = rota__review__unpack(arena_allocator(arena), row.packed.n, row.packed.p);
    return *ret_review ? 0 : err_raise(-ENOMEM);
}

int review_load(struct turn *t, uint64_t number, Rota__Review **ret_review, uint64_t *ret_account)
{
    return turn_store(row_unpack(t->txn, t->fx->arena, number, ret_review, ret_account));
}

int review_save(struct turn *t, uint64_t account, const Rota__Review *review)
{
    struct key_buf k;
    size_t n = rota__review__get_packed_size(review);
    uint8_t *packed = arena_alloc(t->fx->arena, n);
    if (!packed)
        return err_raise(-ENOMEM);
    struct review_row row = {.packed = span_of(packed, rota__review__pack(review, packed)),
                             .account = account,
                             .state = (uint8_t)review->state};
    return turn_store(row_put(t->txn, &review_row_type, key_u64(&k, review->review), &row));
}

int review_point(struct turn *t, uint64_t account, const Rota__Review *review, uint64_t since_ms)
{
    struct key_buf k;
    struct review_open_row row = {review->review, (uint8_t)review->state, since_ms};
    return turn_store(row_put(t->txn, &review_open_row_type, key_u64(&k, account), &row));
}

static bool is_barring(uint8_t state)
{
    return state == ROTA__REVIEW_STATE__REVIEW_HELD ||
           state == ROTA__REVIEW_STATE__REVIEW_CONFIRMED ||
           state == ROTA__REVIEW_STATE__REVIEW_BLOCKED;
}

int review_of(struct txn *txn, uint64_t account, uint64_t *ret_review)
{
    struct review_open_row row;
    struct key_buf k;
    int r = row_get(txn, &review_open_row_type, key_u64(&k, account), &row);
    *ret_review = r == 0 && is_barring(row.state) ? row.review : 0;
    return r < 0 ? err_pass(r) : 0;
}

/* ---- as people see it ---- */

static int account_text(struct txn *txn, struct arena *arena, uint64_t number, char **ret_id)
{
    struct account_row row;
    struct key_buf k;
    int r = row_get(txn, &account_row_type, key_u64(&k, number), &row);
    if (r < 0)
        return err_pass(r);
    size_t n = r == 0 ? row.id.n : 0; /* erased: no id */
    char *id = arena_alloc(arena, n + 1);
    if (!id)
        return err_raise(-ENOMEM);
    if (n)
        memcpy(id, row.id.p, n);
    *ret_id = id;
    return 0;
}

static int evidence_show(struct txn *txn, struct arena *arena, Rota__Evidence *e)
{
    size_t n = 0;
    for (size_t i = 0; i < e->n_account; i++) {
        char *id;
        int r = account_text(txn, arena, strtoull(e->account[i], NULL, 10), &id);
        if (r != 0)
            return r;
        if (id[0])
            e->account[n++] = id;
    }
    e->n_account = n;
    return 0;
}

int review_read(struct txn *txn, struct arena *arena, uint64_t number, bool is_whole,
                Rota__Review **ret_review)
{
    Rota__Review *review;
    uint64_t account;
    int r = row_unpack(txn, arena, number, &review, &account);
    if (r == 0)
        r = account_text(txn, arena, account, &review->account);
    for (size_t i = 0; r == 0 && i < review->n_evidence; i++) {
        Rota__Evidence *e = review->evidence[i];
        if (is_whole) {
            r = evidence_show(txn, arena, e);
        } else {
            e->n_account = 0;
            e->value.len = 0;
        }
    }
    if (r == 0)
        *ret_review = review;
    return r;
}
