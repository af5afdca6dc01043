/* cut.c: accounts come in any order and over many parts; their places in the rings are turn
 * numbers, so the rings are made at the end by one sort. */
#include "audit/cut.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct placed {
    struct seat *seat;
    uint64_t turn;
};

struct cut {
    struct book *book;
    uint32_t part; /* the next one */
    struct placed *placed;
    size_t placed_n, placed_room;
};

int cut_new(struct cut **ret_cut)
{
    AUTO(cut) c = calloc(1, sizeof *c);
    if (!c)
        return err_raise(-ENOMEM);
    int r = book_new(&c->book);
    if (r < 0)
        return err_pass(r);
    *ret_cut = TAKE(c);
    return 0;
}

struct cut *cut_free(struct cut *c)
{
    if (c) {
        book_free(c->book);
        free(c->placed);
        free(c);
    }
    return NULL;
}

struct book *cut_take(struct cut *c)
{
    return TAKE(c->book);
}

/* ---- reading a part ---- */

static int place_note(struct cut *c, struct seat *s, uint64_t turn)
{
    if (c->placed_n == c->placed_room) {
        size_t room = c->placed_room ? c->placed_room * 2 : 256;
        struct placed *more = realloc(c->placed, room * sizeof *more);
        if (!more)
            return err_raise(-ENOMEM);
        c->placed = more;
        c->placed_room = room;
    }
    c->placed[c->placed_n++] = (struct placed){s, turn};
    return 0;
}

static int tally_read(struct cut *c, struct book_account *a, const Rota__CheckpointTally *t)
{
    struct book_pool *p = book_pool(c->book, t->pool);
    if (!p || book_seat(a, p))
        return CUT_BAD;
    struct seat *s = book_seat_add(a, p);
    if (!s)
        return err_raise(-ENOMEM);
    s->ready = t->ready;
    s->running = t->running;
    a->running += t->running;
    return t->turn ? place_note(c, s, t->turn) : 0;
}

static int account_read(struct cut *c, const Rota__CheckpointAccount *from)
{
    if (from->tier >= BOOK_TIERS || book_account(c->book, from->account_number))
        return CUT_BAD;
    struct book_account *a = book_account_add(c->book, from->account_number);
    if (!a)
        return err_raise(-ENOMEM);
    a->tier = (uint8_t)from->tier;
    a->running_own = from->running_own;
    a->bars = from->bars;
    int r = 0;
    for (size_t i = 0; i < from->n_tally && r == 0; i++)
        r = tally_read(c, a, from->tally[i]);
    return r;
}

static int pool_read(struct cut *c, const Rota__CheckpointPool *from)
{
    bool is_sound = from->c >= 1 && from->c <= 3 && from->n_max >= 1 && from->n <= from->n_max;
    if (!is_sound || book_pool(c->book, from->pool))
        return CUT_BAD;
    struct book_pool *p = book_pool_add(c->book, from->pool);
    if (!p)
        return CUT_BAD;
    p->c = from->c;
    p->n = from->n;
    p->n_max = from->n_max;
    p->number = from->number;
    p->bars = from->bars;
    return 0;
}

static int tiers_read(struct cut *c, const Rota__Checkpoint *from)
{
    if (from->n_tier_running_max != BOOK_TIERS || from->n_tier_bars != BOOK_TIERS)
        return CUT_BAD;
    for (unsigned t = 0; t < BOOK_TIERS; t++) {
        c->book->tier_cap[t] = from->tier_running_max[t];
        c->book->tier_bars[t] = from->tier_bars[t];
    }
    return 0;
}

static int by_turn(const void *x, const void *y)
{
    const struct placed *a = x, *b = y;
    return (a->turn > b->turn) - (a->turn < b->turn);
}

static int rings_make(struct cut *c)
{
    if (c->placed_n)
        qsort(c->placed, c->placed_n, sizeof *c->placed, by_turn);
    for (size_t i = 0; i < c->placed_n; i++) {
        if (c->placed[i].turn == c->book->turn)
            return CUT_BAD;
        c->book->turn = c->placed[i].turn;
        book_enter(c->placed[i].seat, c->placed[i].turn);
    }
    return CUT_WHOLE;
}

static int part_read(struct cut *c, const Rota__Checkpoint *from)
{
    int r = from->part == c->part ? 0 : CUT_BAD;
    if (r == 0 && c->part++ == 0)
        r = tiers_read(c, from);
    for (size_t i = 0; i < from->n_pool && r == 0; i++)
        r = pool_read(c, from->pool[i]);
    for (size_t i = 0; i < from->n_account && r == 0; i++)
        r = account_read(c, from->account[i]);
    return r == 0 && from->is_last ? rings_make(c) : r;
}

int cut_add(struct cut *c, ProtobufCBinaryData packed)
{
    Rota__Checkpoint *part = rota__checkpoint__unpack(NULL, packed.len, packed.data);
    if (!part)
        return CUT_BAD;
    int r = part_read(c, part);
    rota__checkpoint__free_unpacked(part, NULL);
    return r;
}

/* ---- comparing two books ---- */

__attribute__((format(printf, 1, 2))) static char *words(const char *format, ...)
{
    char *text = NULL;
    va_list ap;
    va_start(ap, format);
    if (vasprintf(&text, format, ap) < 0)
        text = NULL;
    va_end(ap);
    return text ? text : strdup("the two differ");
}

static char *tiers_differ(const struct book *have, const struct book *said)
{
    for (unsigned t = 0; t < BOOK_TIERS; t++) {
        if (have->tier_cap[t] != said->tier_cap[t])
            return words("tier P%u may run %u, by the events %u", t, said->tier_cap[t],
                         have->tier_cap[t]);
        if (have->tier_bars[t] != said->tier_bars[t])
            return words("tier P%u has bars %u, by the events %u", t, said->tier_bars[t],
                         have->tier_bars[t]);
    }
    return NULL;
}

static unsigned long long wide(uint64_t n)
{
    return n;
}

static char *line_differs(const struct book_pool *said, unsigned t, const struct line *have)
{
    const struct seat *s = said->line[t].first, *h = have->first;
    uint64_t place = 1;
    for (; s && h && s->account->number == h->account->number; s = s->after, h = h->after)
        place++;
    if (!s && !h)
        return NULL;
    return words("place %llu in the ring of P%u in pool %s is account %llu's, by the events %llu's",
                 wide(place), t, said->name, s ? wide(s->account->number) : 0,
                 h ? wide(h->account->number) : 0);
}

/* A pool that no event has named is as fresh as one that is just made. */
static char *pool_differs(const struct book *have, const struct book_pool *said)
{
    static const struct book_pool fresh = {.c = 3, .n_max = 3};
    const struct book_pool *h = book_pool(have, said->name);
    if (!h)
        h = &fresh;
    if (h->c != said->c || h->n != said->n || h->n_max != said->n_max ||
        h->number != said->number || h->bars != said->bars)
        return words("pool %s is at c %u, n %u of %u, dispatch %llu, bars %u; by the events c %u, "
                     "n %u of %u, dispatch %llu, bars %u",
                     said->name, said->c, said->n, said->n_max, wide(said->number), said->bars,
                     h->c, h->n, h->n_max, wide(h->number), h->bars);
    char *text = NULL;
    for (unsigned t = 0; t < BOOK_TIERS && !text; t++)
        text = line_differs(said, t, &h->line[t]);
    return text;
}

static char *seat_differs(const struct book_account *a, const struct seat *s,
                          const struct book_account *other, const char *first, const char *second)
{
    for (const struct seat *o = other ? other->seats : NULL; o; o = o->next)
        if (strcmp(o->pool->name, s->pool->name) == 0) {
            if (o->ready == s->ready && o->running == s->running)
                return NULL;
            return words("account %llu has %u ready and %u running in pool %s %s, %u and %u %s",
                         wide(a->number), s->ready, s->running, s->pool->name, first, o->ready,
                         o->running, second);
        }
    if (!s->ready && !s->running)
        return NULL;
    return words("account %llu has %u ready and %u running in pool %s %s, none %s", wide(a->number),
                 s->ready, s->running, s->pool->name, first, second);
}

static char *account_differs(const struct book *have, const struct book_account *said)
{
    static const char by_checkpoint[] = "by the checkpoint", by_events[] = "by the events";
    const struct book_account *h = book_account(have, said->number);
    char *text = NULL;
    for (const struct seat *s = said->seats; s && !text; s = s->next)
        text = seat_differs(said, s, h, by_checkpoint, by_events);
    for (const struct seat *s = h ? h->seats : NULL; s && !text; s = s->next)
        text = seat_differs(h, s, said, by_events, by_checkpoint);
    if (!text && h && book_has_jobs(h) &&
        (h->tier != said->tier || h->running_own != said->running_own || h->bars != said->bars))
        text = words("account %llu is P%u, own cap %u, bars %u; by the events P%u, %u, %u",
                     wide(said->number), said->tier, said->running_own, said->bars, h->tier,
                     h->running_own, h->bars);
    return text;
}

char *cut_differs(const struct book *have, const struct book *said)
{
    char *text = tiers_differ(have, said);
    for (const struct book_account *a = said->accounts; a && !text; a = a->hh.next)
        text = account_differs(have, a);
    for (const struct book_account *a = have->accounts; a && !text; a = a->hh.next)
        if (book_has_jobs(a) && !book_account(said, a->number))
            text = words("account %llu has no job, by the events it has", wide(a->number));
    for (size_t i = 0; i < said->pools_n && !text; i++)
        text = pool_differs(have, said->pools[i]);
    for (size_t i = 0; i < have->pools_n && !text; i++)
        if (!book_pool(said, have->pools[i]->name))
            text = words("pool %s is not in it", have->pools[i]->name);
    return text;
}
