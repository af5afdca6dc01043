/* book.h: who may be served in which pool, as the events say. Private to the audit.
 *
 * Nothing here knows events; audit.c and cut.c enter them. Every account that is in the book has
 * all of its counts; one that is not has no job. */
#pragma once

#include <base/auto.h>
#include <base/err.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HASH_NONFATAL_OOM         1
#define uthash_nonfatal_oom(item) ((item)->is_lost = true)
#include <uthash.h>

enum { BOOK_TIERS = 4, BOOK_POOLS_MAX = 256, BOOK_NAME_MAX = 32 };

/* The counts of one account in one pool, and its place in the ring of its tier. */
struct seat {
    struct seat *before, *after; /* in the ring */
    struct seat *next;           /* of the same account */
    struct book_account *account;
    struct book_pool *pool;
    uint32_t ready, running;
    uint64_t turn; /* rises along the ring; 0: stands in none */
};

struct line {
    struct seat *first, *last;
    uint64_t n;
};

struct book_pool {
    char name[BOOK_NAME_MAX + 1];
    unsigned c, n, n_max;
    uint64_t number;
    uint32_t bars;
    struct line line[BOOK_TIERS];
};

struct book_account {
    uint64_t number;
    uint8_t tier;
    uint32_t running_own; /* 0: the tier's */
    uint32_t bars;
    uint32_t running; /* over all pools */
    struct seat *seats;
    bool is_lost; /* no memory to enter it */
    UT_hash_handle hh;
};

struct book {
    struct book_account *accounts; /* hash */
    struct book_pool *pools[BOOK_POOLS_MAX];
    size_t pools_n;
    uint32_t tier_cap[BOOK_TIERS], tier_bars[BOOK_TIERS];
    uint64_t turn; /* last one drawn */
};

MUST_USE int book_new(struct book **ret_book);
struct book *book_free(struct book *b);
DEFINE_FREEP(book)

struct book_pool *book_pool(const struct book *b, const char *name);
/* Fresh: c 3, n 0, N 3, number 0. NULL: no memory, or more pools than there can be. */
struct book_pool *book_pool_add(struct book *b, const char *name);
struct book_account *book_account(const struct book *b, uint64_t number);
struct book_account *book_account_add(struct book *b, uint64_t number);
void book_account_drop(struct book *b, struct book_account *a);
struct seat *book_seat(const struct book_account *a, const struct book_pool *p);
struct seat *book_seat_add(struct book_account *a, struct book_pool *p);

bool book_has_jobs(const struct book_account *a);
uint32_t book_cap(const struct book *b, const struct book_account *a);
/* Into the rings where it belongs, at the tail; out of those where it does not. */
void book_settle(struct book *b, struct book_account *a);
/* The same for all, in the order of their numbers. */
MUST_USE int book_settle_all(struct book *b);
void book_leave(struct seat *s);
/* At the tail with this turn, which is above all others of the ring. */
void book_enter(struct seat *s, uint64_t turn);
/* Another tier: out of all rings; settle puts it into the new one's. */
void book_retier(struct book_account *a, uint8_t tier);

/* The tiers that somebody of the pool may be served in, as bits. */
unsigned book_eligible(const struct book *b, const struct book_pool *p);
/* The rule: which tier is served out of `eligible` (not empty). Moves c, n and number on. */
unsigned book_decide(struct book_pool *p, unsigned eligible);
