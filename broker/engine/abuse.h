/* abuse.h: signs that several accounts are one person who dodges the limits: what is kept of them,
 * how an account is scored by them, and the reviews in which a person decides. Queue thread, but
 * for what takes only a transaction. For operators: docs/ABUSE.md.
 *
 *   publish, finish -> signals (kept) -> score -> review -> bar -> a person's decision -> pattern
 *
 * What accounts share is kept as a keyed hash, so that the table cannot be joined with other data;
 * the addresses themselves stand in a table of their own. Nobody is refused because of a score
 * alone: above 50 a review is opened, above 80 the account's jobs wait for a person as well, and
 * only on a pattern that a person has confirmed before is an account blocked at once. */
#pragma once

#include "engine/turn.h"

/* A job was accepted; `family` is its app's. By the request at hand, if there is one: a schedule
 * has no address. Handlers' results, here and below. */
MUST_USE int abuse_publish(struct turn *t, struct account *a, uint64_t family, struct job_id job);
/* A job succeeded with these artifacts. */
MUST_USE int abuse_finish(struct turn *t, struct account *a, struct job_id job,
                          const Rota__Finish *q);

/* The family of an app that is being made, 0 when its name has no letters; writes it down. Apps of
 * similar names have the same. */
MUST_USE int family_join(struct turn *t, uint64_t account, uint32_t app, const char *name,
                         uint64_t *ret_family);

/* The review that holds or blocks the account; 0: none. A store result. */
MUST_USE int review_of(struct txn *txn, uint64_t account, uint64_t *ret_review);
/* A stored review as people see it: accounts by their ids. Without `is_whole` evidence names no
 * account and shows no value. A store result; borrows nothing but the arena. */
MUST_USE int review_read(struct txn *txn, struct arena *arena, uint64_t number, bool is_whole,
                         Rota__Review **ret_review);

/* An account's addresses that still count, in no particular order; `visit` ends the walk by a
 * result other than 0. For its export as well as for operators. 0, visit's result, or <0. */
typedef int address_visit(void *arg, struct span text, const struct address_row *row);
MUST_USE int address_each(struct txn *txn, uint64_t account, uint64_t wall_ms, address_visit *visit,
                          void *arg);
#define ABUSE_PURPOSE "abuse prevention" /* why addresses are kept */
uint64_t address_until_ms(uint64_t last_ms);

/* What has served its time goes, a slice a turn; a walk begins once an hour. */
MUST_USE int abuse_purge_some(struct turn *t);
/* For the erasing of an account: its signals, addresses and new apps, and what its reviews tell of
 * it. Takes one off *budget for each row; what is left above 0 means that all is gone. Confirmed
 * patterns stay: they name nobody. */
MUST_USE int abuse_forget_account(struct turn *t, uint64_t account, unsigned *budget);
