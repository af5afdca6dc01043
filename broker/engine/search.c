/* search.c: walks the stretches of a plan and asks the match about each job it meets. */
#include "engine/search.h"

void search_begin(struct search *s, struct txn *txn, const struct match *m, bool is_up,
                  const struct spot *edge)
{
    *s = (struct search){.match = m, .txn = txn, .is_up = is_up};
    s->n = match_plan(m, is_up, s->all);
    s->edge_n = s->all[0].spot_n;
    s->edge = edge ? *edge : is_up ? s->all[0].lo : s->all[0].hi;
    for (size_t i = 0; i < s->n; i++) {
        struct spot *from = is_up ? &s->all[i].lo : &s->all[i].hi;
        int cmp = memcmp(from->b, s->edge.b, s->edge_n);
        if (is_up ? cmp < 0 : cmp > 0)
            *from = s->edge;
    }
}

void search_end(struct search *s)
{
    if (s->is_open)
        walk_close(&s->walk);
    s->is_open = false;
}

/* The next spot that all legs have; STORE_MISSING: no more. */
static int step(struct search *s, bool *ret_met, struct spot *ret_spot, struct span *ret_value)
{
    for (; s->at < s->n; s->at++) {
        int r = s->is_open ? 0 : walk_open(&s->walk, s->txn, &s->all[s->at], s->is_up);
        if (r < 0)
            return err_pass(r);
        s->is_open = true;
        r = walk_next(&s->walk, ret_met, ret_spot, ret_value);
        if (r == 0)
            s->edge = s->walk.edge;
        if (r != STORE_MISSING)
            return r < 0 ? err_pass(r) : 0;
        search_end(s);
    }
    return STORE_MISSING;
}

static int read_row(const struct search *s, struct job_id id, struct span value,
                    struct job_row *ret_row)
{
    struct key_buf k;
    if (s->all[s->at].leg[0].table == TABLE_JOB)
        return row_decode(&job_row_type, key_id(&k, id), value, ret_row);
    return row_get(s->txn, &job_row_type, key_id(&k, id), ret_row);
}

int search_next(struct search *s, bool *ret_fits, struct job_id *ret_id, struct job_row *ret_row)
{
    bool is_met = false;
    struct spot spot;
    struct span value;
    int r = step(s, &is_met, &spot, &value);
    if (r != 0)
        return r;
    s->seen++;
    s->cost++;
    *ret_fits = false;
    if (!is_met)
        return 0;
    *ret_id = spot_id(&spot, s->edge_n);
    r = read_row(s, *ret_id, value, ret_row);
    if (r != 0)
        return r < 0 ? err_pass(r) : 0;
    *ret_fits = match_row(s->match, *ret_id, ret_row);
    if (!*ret_fits || !match_asks_place(s->match))
        return 0;
    s->cost += SEARCH_COST_PLACE;
    r = match_place(s->match, s->txn, *ret_id, ret_row, ret_fits);
    return r < 0 ? err_pass(r) : 0;
}
