/* usages.h: builds counted from the event log: what each month of each account must say, by the
 * rules of what is paid for and given back, written here a second time. */
#pragma once

#include "rota.pb-c.h"

#include <stdbool.h>

struct world;
struct txn;
struct past_job;
struct past_account;

/* A job comes in; what it takes must have been left. */
void usages_begin(struct world *w, struct past_job *job, const Rota__Event *e);
/* It goes on by this event; the job is as before it. */
void usages_move(struct world *w, struct past_job *job, const Rota__Event *e);
/* Compares with the rows of `usage`. */
void usages_look(struct world *w, struct txn *txn);
/* Ended jobs that are kept, and whether each gave its build back: from their own rows. */
void usages_look_at_ends(struct world *w, struct txn *txn);
/* It was said that the account's quota is used up. */
void usages_claim_check(struct world *w, struct txn *txn, const char *account);
