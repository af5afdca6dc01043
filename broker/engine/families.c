/* families.c: apps whose names are alike.
 *
 * Whether two names are similar is a question about pairs, so it is asked once, when an app is
 * made: it joins the family of a similar one of late, or founds one by its own folded name. From
 * then on "similar" means "of the same family", which is one look-up. A name that folds to the same
 * comes to the same family at any time; one that is only close to another does so within
 * FAMILY_DAYS and as long as no more than FAMILY_LOOK_MAX apps were made since. */
#include "engine/abuse_parts.h"

#include "store/keys.h"

#include <errno.h>

enum { FAMILY_LOOK_MAX = 1000, EDITS = 2 };
static const uint64_t family_ms = 7ull * 24 * 3600 * 1000;

static bool is_like(const char *name, size_t n, struct span folded)
{
    char other[ABUSE_NAME_MAX + 1] = "";
    if (folded.n > ABUSE_NAME_MAX || folded.n + EDITS < n || n + EDITS < folded.n)
        return false;
    memcpy(other, folded.p, folded.n);
    return abuse_names_similar(name, other);
}

/* The newest similar app decides. */
static int family_look(struct turn *t, const char *name, size_t n, uint64_t *ret_family)
{
    AUTO(cursor) cursor = NULL;
    struct span key, value;
    unsigned looked = 0;
    int r = turn_store(cursor_open(t->txn, TABLE_APP_NEW, &cursor));
    if (r != 0)
        return r;
    for (r = cursor_last(cursor, &key, &value); r == 0 && looked < FAMILY_LOOK_MAX;
         r = cursor_prev(cursor, &key, &value), looked++) {
        struct app_new_row row;
        if (get_be64(key.p) + family_ms <= t->now.wall_ms)
            return 0;
        r = row_decode(&app_new_row_type, key, value, &row);
        if (r < 0)
            return err_pass(r);
        if (is_like(name, n, row.folded)) {
            *ret_family = row.family;
            return 0;
        }
    }
    return r < 0 ? err_pass(r) : 0;
}

int family_join(struct turn *t, uint64_t account, uint32_t app, const char *name,
                uint64_t *ret_family)
{
    char folded[ABUSE_NAME_MAX + 1];
    struct key_buf k;
    bool is_new;
    size_t n = abuse_name_fold(name, folded, sizeof folded);
    *ret_family = 0;
    if (!n)
        return 0;
    uint64_t family = abuse_family_of(t->engine, folded);
    int r = family_look(t, folded, n, &family);
    if (r != 0)
        return r;
    struct app_new_row row = {family, span_of(folded, n)};
    struct abuse_value value = abuse_family_value(family);
    struct abuse_value new = abuse_app_new_value(t->now.wall_ms, app);
    r = turn_store(
        row_put(t->txn, &app_new_row_type, key_app_new(&k, t->now.wall_ms, account, app), &row));
    if (r == 0)
        r = signal_note_own(t, SIGNAL_APP_NEW, &new, account);
    if (r == 0)
        r = signal_note(t, ROTA__SIGNAL_KIND__SIGNAL_NAMES, &value, account, 0, &is_new);
    if (r == 0)
        *ret_family = family;
    return r;
}
