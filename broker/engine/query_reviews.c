/* query_reviews.c: reviews without their evidence, newest first, page by page; and the jobs of
 * accounts that a review bars. */
#include "engine/abuse.h"
#include "engine/query_parts.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

/* What one page is about. */
struct review_page {
    uint64_t account; /* 0: all */
    Rota__ReviewState state;
    size_t limit, bytes;
    unsigned looked;
    uint64_t below, last; /* start below this one; last looked at */
    bool is_full;
    Rota__ReviewListResult *result;
};

static bool fits(const struct review_page *page, const struct review_row *row)
{
    if (page->account && row->account != page->account)
        return false;
    if (page->state != ROTA__REVIEW_STATE__REVIEW_NONE)
        return row->state == page->state;
    return page->account || row->state == ROTA__REVIEW_STATE__REVIEW_FLAGGED ||
           row->state == ROTA__REVIEW_STATE__REVIEW_HELD;
}

static int page_add(struct query *q, struct review_page *page, uint64_t number)
{
    Rota__Review *review;
    int r = review_read(q->txn, q->arena, number, false, &review);
    if (r != 0)
        return r < 0 ? err_pass(r) : 0;
    size_t n = rota__review__get_packed_size(review) + 8;
    if (page->result->n_review && page->bytes + n > ANSWER_BYTES_MAX) {
        page->is_full = true;
        return 0;
    }
    page->bytes += n;
    page->result->review[page->result->n_review++] = review;
    page->last = number;
    page->is_full = page->result->n_review == page->limit;
    return 0;
}

static int page_fill(struct query *q, struct review_page *page)
{
    AUTO(cursor) cursor = NULL;
    struct key_buf k;
    struct span key, value;
    int r = cursor_open(q->txn, TABLE_REVIEW, &cursor);
    if (r < 0)
        return err_pass(r);
    for (r = cursor_before(cursor, key_u64(&k, page->below), &key, &value);
         r == 0 && !page->is_full; r = cursor_prev(cursor, &key, &value)) {
        struct review_row row;
        uint64_t number = get_be64(key.p);
        r = row_decode(&review_row_type, key, value, &row);
        if (r < 0)
            return err_pass(r);
        if (fits(page, &row))
            r = page_add(q, page, number);
        else
            page->last = number;
        if (r < 0)
            return err_pass(r);
        page->is_full |= ++page->looked >= LIST_COST_MAX;
    }
    return r < 0 ? err_pass(r) : 0;
}

static enum error_code page_init(struct query *q, struct review_page *page)
{
    const Rota__ReviewList *list = q->request->review_list;
    size_t limit = list->limit ? list->limit : LIST_LIMIT_DEFAULT;
    char *end = NULL;
    *page = (struct review_page){.state = list->state, .below = UINT64_MAX};
    page->limit = limit < LIST_LIMIT_MAX ? limit : LIST_LIMIT_MAX;
    if (list->cursor[0]) {
        page->below = strtoull(list->cursor, &end, 10);
        if (*end || !page->below || list->cursor[0] == '-')
            return E_CURSOR_INVALID;
    }
    QUERY_NEW(q, page->result, Rota__ReviewListResult, rota__review_list_result__init);
    if (!page->result || !(page->result->review = query_array(q, page->limit)))
        return E_MEMORY;
    return list->account[0] ? auth_account(q->txn, q->who, list->account, &page->account) : E_OK;
}

enum error_code query_review_list(struct query *q)
{
    struct review_page page;
    enum error_code e = page_init(q, &page);
    if (e)
        return e;
    int r = page_fill(q, &page);
    if (r < 0)
        return query_fault(r);
    if (page.is_full && page.last > 1) {
        char text[24];
        snprintf(text, sizeof text, "%llu", (unsigned long long)page.last);
        page.result->next_cursor = query_text(q, text);
    }
    q->reply->review_list = page.result;
    q->reply->result_case = ROTA__REPLY__RESULT_REVIEW_LIST;
    return E_OK;
}

/* ---- jobs of barred accounts ---- */

/* BAR_REVIEW and BAR_BLOCKED of an account. */
static int review_bars(struct query *q, uint64_t account, uint8_t *ret_bars)
{
    struct account_row row;
    struct key_buf k;
    int r = row_get(q->txn, &account_row_type, key_u64(&k, account), &row);
    *ret_bars = r == 0 ? row.bars & (ROTA__BAR__BAR_REVIEW | ROTA__BAR__BAR_BLOCKED) : 0;
    return r < 0 ? err_pass(r) : 0;
}

int query_job_review(struct query *q, uint64_t account, Rota__Job *job)
{
    struct review_open_row row;
    struct key_buf k;
    uint8_t bars = 0;
    char text[40];
    int r = review_bars(q, account, &bars);
    if (r < 0 || !bars)
        return r;
    job->state = ROTA__STATE__HELD;
    job->reason = query_text(q, bars & ROTA__BAR__BAR_BLOCKED ? "BLOCKED" : "HELD_FOR_REVIEW");
    r = row_get(q->txn, &review_open_row_type, key_u64(&k, account), &row);
    if (r != 0)
        return r < 0 ? err_pass(r) : 0;
    snprintf(text, sizeof text, "review %llu", (unsigned long long)row.review);
    job->by = query_text(q, text);
    job->since_ms = row.since_ms > job->published_ms ? row.since_ms : job->published_ms;
    return 0;
}
