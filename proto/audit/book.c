/* book.c: accounts by number in a hash table, pools in a short list, rings as lines of seats.
 *
 * Written for plainness and not for speed: a log of ten million events is read in seconds all the
 * same. */
#include "audit/book.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { N_DEFAULT = 3, C_FRESH = 3 };

int book_new(struct book **ret_book)
{
    struct book *b = calloc(1, sizeof *b);
    if (!b)
        return err_raise(-ENOMEM);
    *ret_book = b;
    return 0;
}

static void account_free(struct book_account *a)
{
    for (struct seat *s = a->seats, *next; s; s = next) {
        next = s->next;
        free(s);
    }
    free(a);
}

struct book *book_free(struct book *b)
{
    if (!b)
        return NULL;
    struct book_account *a = b->accounts, *next;
    HASH_CLEAR(hh, b->accounts);
    for (; a; a = next) {
        next = a->hh.next;
        account_free(a);
    }
    for (size_t i = 0; i < b->pools_n; i++)
        free(b->pools[i]);
    free(b);
    return NULL;
}

struct book_pool *book_pool(const struct book *b, const char *name)
{
    for (size_t i = 0; i < b->pools_n; i++)
        if (strcmp(b->pools[i]->name, name) == 0)
            return b->pools[i];
    return NULL;
}

struct book_pool *book_pool_add(struct book *b, const char *name)
{
    size_t n = strlen(name);
    if (b->pools_n == BOOK_POOLS_MAX || n > BOOK_NAME_MAX)
        return NULL;
    struct book_pool *p = calloc(1, sizeof *p);
    if (!p)
        return NULL;
    memcpy(p->name, name, n);
    p->c = C_FRESH;
    p->n_max = N_DEFAULT;
    b->pools[b->pools_n++] = p;
    return p;
}

struct book_account *book_account(const struct book *b, uint64_t number)
{
    struct book_account *a = NULL;
    HASH_FIND(hh, b->accounts, &number, sizeof number, a);
    return a;
}

/* NOLINTNEXTLINE(readability-function-size): the macro's own size */
struct book_account *book_account_add(struct book *b, uint64_t number)
{
    struct book_account *a = calloc(1, sizeof *a);
    if (!a)
        return NULL;
    a->number = number;
    HASH_ADD(hh, b->accounts, number, sizeof a->number, a);
    if (!a->is_lost)
        return a;
    free(a);
    return NULL;
}

void book_account_drop(struct book *b, struct book_account *a)
{
    for (struct seat *s = a->seats; s; s = s->next)
        book_leave(s);
    HASH_DEL(b->accounts, a);
    account_free(a);
}

struct seat *book_seat(const struct book_account *a, const struct book_pool *p)
{
    for (struct seat *s = a->seats; s; s = s->next)
        if (s->pool == p)
            return s;
    return NULL;
}

struct seat *book_seat_add(struct book_account *a, struct book_pool *p)
{
    struct seat *s = book_seat(a, p);
    if (s)
        return s;
    s = calloc(1, sizeof *s);
    if (!s)
        return NULL;
    s->account = a;
    s->pool = p;
    s->next = a->seats;
    a->seats = s;
    return s;
}

bool book_has_jobs(const struct book_account *a)
{
    for (const struct seat *s = a->seats; s; s = s->next)
        if (s->ready || s->running)
            return true;
    return false;
}

uint32_t book_cap(const struct book *b, const struct book_account *a)
{
    return a->running_own ? a->running_own : b->tier_cap[a->tier];
}

/* ---- rings ---- */

void book_leave(struct seat *s)
{
    struct line *l = &s->pool->line[s->account->tier];
    if (!s->turn)
        return;
    *(s->before ? &s->before->after : &l->first) = s->after;
    *(s->after ? &s->after->before : &l->last) = s->before;
    s->before = s->after = NULL;
    s->turn = 0;
    l->n--;
}

void book_enter(struct seat *s, uint64_t turn)
{
    struct line *l = &s->pool->line[s->account->tier];
    assert(!s->turn && turn);
    s->turn = turn;
    s->before = l->last;
    *(l->last ? &l->last->after : &l->first) = s;
    l->last = s;
    l->n++;
}

void book_settle(struct book *b, struct book_account *a)
{
    bool may_run = !a->bars && a->running < book_cap(b, a);
    for (struct seat *s = a->seats; s; s = s->next) {
        if (!may_run || !s->ready)
            book_leave(s);
        else if (!s->turn)
            book_enter(s, ++b->turn);
    }
}

static int by_number(const void *x, const void *y)
{
    uint64_t a = (*(struct book_account *const *)x)->number;
    uint64_t b = (*(struct book_account *const *)y)->number;
    return (a > b) - (a < b);
}

int book_settle_all(struct book *b)
{
    size_t n = 0, count = HASH_COUNT(b->accounts);
    struct book_account **all = calloc(count + 1, sizeof(struct book_account *));
    if (!all)
        return err_raise(-ENOMEM);
    for (struct book_account *a = b->accounts; a; a = a->hh.next)
        all[n++] = a;
    qsort(all, n, sizeof(struct book_account *), by_number);
    for (size_t i = 0; i < n; i++)
        book_settle(b, all[i]);
    free(all);
    return 0;
}

void book_retier(struct book_account *a, uint8_t tier)
{
    for (struct seat *s = a->seats; s; s = s->next)
        book_leave(s);
    a->tier = tier;
}

/* ---- the rule ---- */

unsigned book_eligible(const struct book *b, const struct book_pool *p)
{
    unsigned set = 0;
    for (unsigned t = 0; t < BOOK_TIERS && !p->bars; t++)
        if (p->line[t].n > 0 && !b->tier_bars[t])
            set |= 1u << t;
    return set;
}

/* The first member of `set` met going c+1, c+2, c itself, round 1, 2, 3; 0: none of the three. */
static unsigned candidate(unsigned c, unsigned set)
{
    static const unsigned char round[4][3] = {{0}, {2, 3, 1}, {3, 1, 2}, {1, 2, 3}};
    for (unsigned i = 0; i < 3; i++)
        if (set >> round[c][i] & 1)
            return round[c][i];
    return 0;
}

unsigned book_decide(struct book_pool *p, unsigned eligible)
{
    unsigned h = 0;
    assert(eligible && p->c >= 1 && p->c <= 3);
    while (!(eligible >> h & 1))
        h++;
    p->number++;
    unsigned t = candidate(p->c, eligible);
    bool is_turn = t != 0 && (t == h || p->n >= (p->c < t ? p->n_max - 1 : p->n_max));
    if (is_turn) {
        p->c = t;
        p->n = 0;
        return t;
    }
    p->n = p->n < p->n_max ? p->n + 1 : p->n_max;
    return h;
}
