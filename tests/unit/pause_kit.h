/* pause_kit.h: an engine with pools of several classes, pauses, and what the log says of them. */
#pragma once

#include "engine_kit.h"

#include "engine/query.h"

#include <base/arena.h>

/* Pause or resume as the operator; the reply. */
Rota__Reply *kit_pause(struct engine_kit *k, Rota__PauseScope scope, const char *name,
                       const char *reason, uint64_t until_ms);
Rota__Reply *kit_resume(struct engine_kit *k, Rota__PauseScope scope, const char *name);
/* The same, asserted to be accepted. */
void kit_paused(struct engine_kit *k, Rota__PauseScope scope, const char *name, uint64_t until_ms);
void kit_resumed(struct engine_kit *k, Rota__PauseScope scope, const char *name);

/* So many jobs of a class in one turn. A class that is new gets a pool of its name. */
void kit_publish_class(struct engine_kit *k, const char *account, const char *class,
                       uint32_t priority, unsigned n);

/* What a worker of a pool got. */
struct kit_run {
    struct kit_lease lease;
    char class[CLASS_NAME_MAX + 1];
};
struct kit_place {
    const char *pool;
    const char *classes[4];
    size_t classes_n;
};
/* Up to `most` (64) of them in one call that does not wait; looks again as long as the engine says
 * that it has more to do. */
size_t kit_runs(struct engine_kit *k, const struct kit_place *place, size_t most,
                struct kit_run *ret_runs);
bool kit_run(struct engine_kit *k, const struct kit_place *place, struct kit_run *ret_run);
/* The worker's word: gives it back, for an infrastructure fault or untouched. */
void kit_give_back(struct engine_kit *k, struct kit_run *run, bool is_fault);
void kit_succeed(struct engine_kit *k, struct kit_run *run);

/* Turns until nothing is due at this moment. */
void kit_idle(struct engine_kit *k);

/* One event of the log, unpacked; freed by the walk. */
typedef void kit_event(void *arg, const Rota__Event *event);
void kit_events(struct engine_kit *k, uint64_t after_seq, kit_event *visit, void *arg);
uint64_t kit_seq(struct engine_kit *k);

/* An answer of the read lane by the operator. */
struct kit_answer {
    struct arena *arena;
    struct txn *txn;
    Rota__Reply reply;
    enum error_code code;
};
void kit_ask(struct engine_kit *k, const Rota__Request *request, struct kit_answer *ret_answer);
void kit_answer_end(struct kit_answer *answer);
Rota__StatsResult *kit_stats(struct engine_kit *k, struct kit_answer *ret_answer);

/* Besides kit_check(): every job set aside has its row there, and no other has. */
void kit_check_asides(struct engine_kit *k);
