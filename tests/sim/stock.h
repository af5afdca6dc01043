/* stock.h: objects counted anew: each has as many references as jobs name it, and what an account's
 * artifacts take is the sum of their sizes. A source is named by each job of it that has not ended,
 * and by each dead one that may still be tried again. */
#pragma once

struct world;
struct txn;

void stock_look(struct world *w, struct txn *txn);
