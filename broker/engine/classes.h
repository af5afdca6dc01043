/* classes.h: may the jobs of a class start? Private to the engine. Queue thread.
 *
 * A class is closed while an operator has paused it, and while its breaker (sched/breaker.h) is
 * open because its infrastructure fails run after run. A pool all of whose classes are closed is
 * barred. In a pool that has an open one as well, a job of a closed class is set aside (held, with
 * the reason CLASS_PAUSED) when it is the next of the account that is to be served: before the
 * decision counts, which is then made anew. When the class opens, its jobs come back to their old
 * places; none of them is overtaken by a younger one of its account meanwhile. */
#pragma once

#include "engine/job.h"

#define ASIDE_REASON "CLASS_PAUSED" /* with `by`: ASIDE_BY and the class */
#define ASIDE_BY     "class:"

static inline bool class_is_closed(const struct class *class)
{
    return class->gate >= GATE_PAUSED;
}

/* By an operator, and off again. */
MUST_USE int class_pause(struct turn *t, struct class *class, bool on);
/* Closes its breaker: somebody says that the infrastructure works again. */
MUST_USE int class_trust(struct turn *t, struct class *class);
/* Its pool is barred when that has no open class left, or is paused itself. Call when either has
 * changed. */
MUST_USE int pool_settle(struct turn *t, struct pool *p);

/* The class of the job in this row; NULL: a name that is none any more. */
struct class *class_of(const struct cache *c, struct span name);

/* A lease began; it ended by this step. Each is told once. */
MUST_USE int class_run_started(struct turn *t, struct lease *l);
MUST_USE int class_run_ended(struct turn *t, struct lease *l, const struct step *s);

/* Classes whose time has come open; jobs come back, a slice a turn. */
MUST_USE int classes_some(struct turn *t);
void classes_note(struct turn *t); /* something about a class has changed: what is due, and when */

/* ---- asides.c ---- */

enum head_fate {
    HEAD_STAYS,   /* it may start */
    HEAD_CHANGED, /* it was set aside, or an older one came before it: decide anew */
    HEAD_LATER,   /* it cannot start, and this turn has moved enough jobs */
};
/* Before the decision counts: may the job under this key of `ready` start? Only while
 * cache->classes_odd. */
MUST_USE int head_look(struct turn *t, struct account *a, struct span ready_key,
                       enum head_fate *ret_fate);

/* Up to `most` jobs of the class come back; *ret_n of them. */
MUST_USE int asides_back(struct turn *t, struct class *class, size_t most, size_t *ret_n);

/* Was it set aside, rather than held by somebody? */
bool job_is_aside(const struct job *j);
/* For job_move() alone: the row of a job that is set aside follows its move. */
MUST_USE int aside_moved(struct turn *t, const struct job *before, const struct job *j,
                         const struct step *s);
