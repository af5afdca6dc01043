/* why_kit.h: an engine that is asked why jobs wait: jobs of one class, workers that speak, and the
 * answers. */
#pragma once

#include "limits_kit.h"

/* A job of class task, asserted to be accepted; its id in `ret_job`. `priority` 0: the default. */
void why_publish(struct engine_kit *k, const char *account, uint32_t priority, char ret_job[40]);
/* So many of the same, in few turns. */
void why_publish_many(struct engine_kit *k, const char *account, unsigned n);
/* A worker of pool task says that it has so many slots. */
void why_worker(struct engine_kit *k, const char *worker, uint32_t slots, bool is_draining);
/* The next job of the worker runs for so long and succeeds. */
void why_run(struct engine_kit *k, uint64_t ms);

/* The answer, until kit_answer_end(). */
Rota__WhyResult *why_ask(struct engine_kit *k, const char *job, struct kit_answer *ret_answer);
/* Asks, and asserts the reason and that there are words; prints them. */
Rota__WhyResult *why_is(struct engine_kit *k, const char *job, const char *reason,
                        struct kit_answer *ret_answer);
/* The same when the numbers do not matter. */
void why_says(struct engine_kit *k, const char *job, const char *reason);
/* The next jobs of pool task, as if this held (NULL: as it is). */
Rota__NextResult *why_next(struct engine_kit *k, uint32_t count, Rota__WhatIf *what_if,
                           uint32_t slots, struct kit_answer *ret_answer);
