/* gates.h: what stands in the way of jobs: pauses are what the bars of the log say, and none is
 * left whose end has come; and nothing waits for what has happened already. */
#pragma once

struct world;
struct txn;

/* Each pause is a bar, each bar of that kind a pause. */
void gates_look_at_pauses(struct world *w, struct txn *txn);
/* Delayed jobs whose time has come are delayed no more, nor are those whose parents have ended. */
void gates_look_at_dues(struct world *w, struct txn *txn);
