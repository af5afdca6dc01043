/* addresses.c: the network addresses that accounts published from, in clear: for the security of
 * the service alone, for 30 days from the last use, and never shown without a reason that stands in
 * the trail. Nothing else of rota keeps an address. */
#include "engine/abuse_parts.h"

#include "store/keys.h"

#include <errno.h>

enum { LIST_MAX = 1000 };

uint64_t address_until_ms(uint64_t last_ms)
{
    return signal_until_ms(ROTA__SIGNAL_KIND__SIGNAL_IP, last_ms);
}

int address_note(struct turn *t, uint64_t account, const char *text)
{
    struct address_row row;
    struct key_buf k;
    struct span key = key_named(&k, account, span_str(text));
    int r = row_get(t->txn, &address_row_type, key, &row);
    if (r < 0)
        return err_pass(r);
    if (r == STORE_MISSING || address_until_ms(row.last_ms) <= t->now.wall_ms)
        row.first_ms = t->now.wall_ms;
    row.last_ms = t->now.wall_ms;
    return turn_store(row_put(t->txn, &address_row_type, key, &row));
}

int address_each(struct txn *txn, uint64_t account, uint64_t wall_ms, address_visit *visit,
                 void *arg)
{
    AUTO(cursor) cursor = NULL;
    struct key_buf k;
    struct span key, value, prefix = key_u64(&k, account);
    int r = cursor_open(txn, TABLE_ADDRESS, &cursor);
    if (r < 0)
        return err_pass(r);
    for (r = cursor_seek(cursor, prefix, &key, &value);
         r == 0 && key.n > prefix.n && memcmp(key.p, prefix.p, prefix.n) == 0;
         r = cursor_next(cursor, &key, &value)) {
        struct address_row row;
        r = row_decode(&address_row_type, key, value, &row);
        if (r < 0)
            return err_pass(r);
        if (address_until_ms(row.last_ms) <= wall_ms)
            continue;
        r = visit(arg, span_of((const uint8_t *)key.p + prefix.n, key.n - prefix.n), &row);
        if (r != 0)
            return r;
    }
    return r < 0 ? err_pass(r) : 0;
}

/* ---- an operator reads them ---- */

struct listing {
    struct turn *t;
    Rota__AddressListResult *result;
};

enum { LISTING_FULL = 1 };

static int listing_add(void *arg, struct span text, const struct address_row *row)
{
    struct listing *l = arg;
    if (l->result->n_address == LIST_MAX)
        return LISTING_FULL;
    Rota__Address *a = arena_alloc(l->t->fx->arena, sizeof *a);
    if (!a)
        return err_raise(-ENOMEM);
    rota__address__init(a);
    a->address = turn_str(l->t, text);
    a->first_ms = row->first_ms;
    a->last_ms = row->last_ms;
    a->expires_ms = address_until_ms(row->last_ms);
    a->purpose = (char *)ABUSE_PURPOSE;
    l->result->address[l->result->n_address++] = a;
    return 0;
}

static int listing_fill(struct turn *t, uint64_t account, Rota__AddressListResult *result)
{
    struct listing l = {t, result};
    result->address = arena_alloc(t->fx->arena, LIST_MAX * sizeof(Rota__Address *));
    if (!result->address)
        return err_raise(-ENOMEM);
    int r = address_each(t->txn, account, t->now.wall_ms, listing_add, &l);
    return r < 0 ? err_pass(r) : 0;
}

static int target_find(struct turn *t, const Rota__AddressList *q, uint64_t *ret_account)
{
    if (!q->account[0])
        return turn_refuse(t, E_FIELD_MISSING, "address_list.account is empty");
    if (!q->reason[strspn(q->reason, " ")])
        return turn_refuse(t, E_REASON_NEEDED, "addresses are shown for a reason only");
    enum error_code code = auth_account(t->txn, &t->who, q->account, ret_account);
    if (code != E_OK)
        return turn_refuse(t, code, "account \"%s\": %s", q->account, error_row(code)->text);
    return 0;
}

int turn_address_list(struct turn *t, const Rota__Request *request, Rota__Reply *reply)
{
    const Rota__AddressList *q = request->address_list;
    uint64_t account;
    int r = target_find(t, q, &account);
    if (r != 0)
        return r;
    Rota__AddressListResult *result = arena_alloc(t->fx->arena, sizeof *result);
    if (!result)
        return err_raise(-ENOMEM);
    rota__address_list_result__init(result);
    r = listing_fill(t, account, result);
    if (r == 0)
        r = trail_note(t, q->account, "%zu addresses read: %s", result->n_address, q->reason);
    reply->address_list = result;
    return r;
}
