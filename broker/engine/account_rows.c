/* account_rows.c: an account's row on its way through a change. What row_get() gives points into
 * the page that the put may move, so a row that is to be written again is read with its texts in
 * the arena. */
#include "engine/turn.h"

#include "store/keys.h"

int account_row_read(struct turn *t, uint64_t number, struct account_row *ret_row)
{
    struct key_buf k;
    struct account_row row;
    int r = row_get(t->txn, &account_row_type, key_u64(&k, number), &row);
    if (r != 0)
        return r < 0 ? err_pass(r) : r;
    r = turn_keep(t, &row.id);
    if (r == 0)
        r = turn_keep(t, &row.name);
    if (r == 0)
        r = turn_keep(t, &row.notes);
    if (r == 0)
        *ret_row = row;
    return r;
}

int account_row_write(struct turn *t, uint64_t number, const struct account_row *row)
{
    struct key_buf k;
    return turn_store(row_put(t->txn, &account_row_type, key_u64(&k, number), row));
}
