/* query_find.c: the jobs that a filter means, newest first, a page at a time.
 *
 * A page looks at no more than about LIST_COST_MAX rows and may therefore come short, even empty,
 * with a cursor to go on from: the spot where the search stands, bound to the filter by a hash. */
#include "engine/query.h"
#include "engine/query_parts.h"
#include "engine/search.h"

#include <sodium.h>

enum { BOUND_BYTES = 8, CURSOR_BYTES_MAX = SPOT_BYTES_MAX + BOUND_BYTES };

static enum error_code found_add(struct query *q, struct found *f, struct job_id id,
                                 const struct job_row *row, struct spot before)
{
    Rota__Job *job;
    enum error_code e = query_job_fill(q, id, row, &job);
    if (e)
        return e;
    size_t n = rota__job__get_packed_size(job) + 8;
    if (f->n && f->bytes + n > ANSWER_BYTES_MAX) {
        f->is_full = true;
        f->edge = before; /* it begins the next page */
        return E_OK;
    }
    f->bytes += n;
    f->job[f->n++] = job;
    f->is_full = f->n == f->limit;
    return E_OK;
}

static enum error_code found_fill(struct query *q, struct found *f, struct search *s)
{
    while (!f->is_full) {
        struct job_id id;
        struct job_row row;
        bool fits;
        struct spot before = s->edge;
        int r = search_next(s, &fits, &id, &row);
        if (r != 0)
            return r == STORE_MISSING ? E_OK : query_fault(r);
        f->edge = s->edge;
        enum error_code e = fits ? found_add(q, f, id, &row, before) : E_OK;
        if (e)
            return e;
        f->is_full |= s->cost >= LIST_COST_MAX;
    }
    return E_OK;
}

enum error_code found_read(struct query *q, const struct match *m, uint32_t limit,
                           const struct spot *edge, struct found *ret_found)
{
    struct search s;
    struct found f = {.limit = query_limit(limit)};
    f.job = query_array(q, f.limit);
    if (!f.job)
        return E_MEMORY;
    search_begin(&s, q->txn, m, false, edge);
    f.edge_n = s.edge_n;
    enum error_code e = found_fill(q, &f, &s);
    f.seen = s.seen;
    search_end(&s);
    if (e == E_OK)
        *ret_found = f;
    return e;
}

enum error_code query_match(struct query *q, const Rota__Where *where, struct match *m)
{
    enum error_code e = match_init(m, q->txn, q->who, where);
    if (e && m->text[0])
        q->text = query_text(q, m->text);
    return e;
}

/* ---- the cursor ---- */

/* What makes two filters one: their fields, and whose jobs they may see. */
static bool bound_of(struct query *q, const struct match *m, uint8_t ret_hash[BOUND_BYTES])
{
    uint8_t account[8], hash[crypto_generichash_BYTES_MIN];
    size_t n = rota__where__get_packed_size(m->where);
    uint8_t *packed = arena_alloc(q->arena, n + sizeof account);
    if (!packed)
        return false;
    put_be64(account, m->account);
    rota__where__pack(m->where, packed);
    memcpy(packed + n, account, sizeof account);
    crypto_generichash(hash, sizeof hash, packed, n + sizeof account, NULL, 0);
    memcpy(ret_hash, hash, BOUND_BYTES);
    return true;
}

static enum error_code cursor_write(struct query *q, const struct match *m, const struct found *f,
                                    char **ret_text)
{
    uint8_t bytes[CURSOR_BYTES_MAX];
    char hex[2 * CURSOR_BYTES_MAX + 1];
    memcpy(bytes, f->edge.b, f->edge_n);
    if (!bound_of(q, m, bytes + f->edge_n))
        return E_MEMORY;
    sodium_bin2hex(hex, sizeof hex, bytes, f->edge_n + BOUND_BYTES);
    *ret_text = query_text(q, hex);
    return E_OK;
}

static enum error_code cursor_read(struct query *q, const struct match *m, const char *text,
                                   struct spot *ret_edge)
{
    uint8_t bytes[CURSOR_BYTES_MAX], bound[BOUND_BYTES];
    size_t n = 0, edge_n = match_edge_bytes(m, false);
    if (sodium_hex2bin(bytes, sizeof bytes, text, strlen(text), NULL, &n, NULL) != 0 ||
        n != edge_n + BOUND_BYTES)
        return E_CURSOR_INVALID;
    if (!bound_of(q, m, bound))
        return E_MEMORY;
    if (memcmp(bytes + edge_n, bound, BOUND_BYTES) != 0) {
        q->text = "the cursor belongs to another filter";
        return E_CURSOR_INVALID;
    }
    *ret_edge = (struct spot){{0}};
    memcpy(ret_edge->b, bytes, edge_n);
    return E_OK;
}

enum error_code query_find(struct query *q)
{
    static const Rota__Where all = ROTA__WHERE__INIT;
    const Rota__Find *find = q->request->find;
    struct match m;
    struct found f;
    struct spot edge;
    Rota__FindResult *result;
    enum error_code e = query_match(q, find->where ? find->where : &all, &m);
    if (e == E_OK && *find->cursor)
        e = cursor_read(q, &m, find->cursor, &edge);
    if (e == E_OK)
        e = found_read(q, &m, find->limit, *find->cursor ? &edge : NULL, &f);
    if (e)
        return e;
    QUERY_NEW(q, result, Rota__FindResult, rota__find_result__init);
    if (!result)
        return E_MEMORY;
    result->n_job = f.n;
    result->job = f.job;
    result->seen = f.seen;
    if (f.is_full)
        e = cursor_write(q, &m, &f, &result->next_cursor);
    q->reply->find = result;
    q->reply->result_case = ROTA__REPLY__RESULT_FIND;
    return e;
}
