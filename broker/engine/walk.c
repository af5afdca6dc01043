/* walk.c: both directions speak of half-open ranges, so that one edge says where a walk stands
 * whether the spot behind it was met or only jumped to. */
#include "engine/walk.h"

#include <assert.h>

struct spot spot_of(struct job_id id)
{
    struct spot p = {{0}};
    memcpy(p.b, id.b, sizeof id.b);
    return p;
}

struct job_id spot_id(const struct spot *p, size_t spot_n)
{
    struct job_id id;
    memcpy(id.b, p->b + spot_n - sizeof id.b, sizeof id.b);
    return id;
}

struct leg leg_of(enum table t, struct span prefix)
{
    struct leg leg = {.table = t, .prefix_n = prefix.n};
    assert(prefix.n + SPOT_BYTES_MAX <= sizeof leg.prefix.b);
    if (prefix.n)
        memcpy(leg.prefix.b, prefix.p, prefix.n);
    return leg;
}

/* The least spot above. */
static struct spot spot_after(struct spot p, size_t n)
{
    for (size_t i = n; i-- > 0 && ++p.b[i] == 0;)
        ;
    return p;
}

int walk_open(struct walk *w, struct txn *txn, const struct stretch *s, bool is_up)
{
    assert(s->legs_n >= 1 && s->legs_n <= WALK_LEGS_MAX);
    *w = (struct walk){.stretch = s, .is_up = is_up, .edge = is_up ? s->lo : s->hi};
    for (size_t i = 0; i < s->legs_n; i++) {
        int r = cursor_open(txn, s->leg[i].table, &w->cursor[i]);
        if (r < 0) {
            walk_close(w);
            return err_pass(r);
        }
    }
    return 0;
}

void walk_close(struct walk *w)
{
    for (size_t i = 0; i < WALK_LEGS_MAX; i++)
        w->cursor[i] = cursor_free(w->cursor[i]);
}

/* The leg's first spot from `edge` on, in the direction of the walk. */
static int leg_seek(struct walk *w, size_t i, const struct spot *edge, struct spot *ret_spot,
                    struct span *ret_value)
{
    const struct leg *leg = &w->stretch->leg[i];
    size_t spot_n = w->stretch->spot_n;
    struct key_buf k = leg->prefix;
    struct span key;
    int r;
    memcpy(k.b + leg->prefix_n, edge->b, spot_n);
    struct span from = span_of(k.b, leg->prefix_n + spot_n);
    if (i == 0 && w->is_on)
        r = w->is_up ? cursor_next(w->cursor[i], &key, ret_value)
                     : cursor_prev(w->cursor[i], &key, ret_value);
    else
        r = w->is_up ? cursor_seek(w->cursor[i], from, &key, ret_value)
                     : cursor_before(w->cursor[i], from, &key, ret_value);
    if (r != 0)
        return r < 0 ? err_pass(r) : r;
    if (key.n != from.n || memcmp(key.p, leg->prefix.b, leg->prefix_n) != 0)
        return STORE_MISSING;
    memcpy(ret_spot->b, (const uint8_t *)key.p + leg->prefix_n, spot_n);
    return 0;
}

static bool is_within(const struct walk *w, const struct spot *p)
{
    const struct stretch *s = w->stretch;
    return w->is_up ? memcmp(p->b, s->hi.b, s->spot_n) < 0 : memcmp(p->b, s->lo.b, s->spot_n) >= 0;
}

/* Nothing from the edge up to this spot is of any interest; the spot itself is. */
static void jump_to(struct walk *w, struct spot p)
{
    w->edge = w->is_up ? p : spot_after(p, w->stretch->spot_n);
    w->is_on = false;
}

static void pass(struct walk *w, struct spot p)
{
    w->edge = w->is_up ? spot_after(p, w->stretch->spot_n) : p;
}

int walk_next(struct walk *w, bool *ret_met, struct spot *ret_spot, struct span *ret_value)
{
    struct spot p = {{0}}, other = {{0}};
    struct span value, unused;
    int r = leg_seek(w, 0, &w->edge, &p, &value);
    if (r != 0 || !is_within(w, &p))
        return r != 0 ? r : STORE_MISSING;
    if (w->stretch->legs_n > 1) {
        struct spot from = w->is_up ? p : spot_after(p, w->stretch->spot_n);
        r = leg_seek(w, 1, &from, &other, &unused);
        if (r != 0 || !is_within(w, &other))
            return r != 0 ? r : STORE_MISSING;
        *ret_met = memcmp(p.b, other.b, w->stretch->spot_n) == 0;
        if (!*ret_met) {
            jump_to(w, other);
            return 0;
        }
    }
    pass(w, p);
    w->is_on = true;
    *ret_met = true;
    *ret_spot = p;
    *ret_value = value;
    return 0;
}
