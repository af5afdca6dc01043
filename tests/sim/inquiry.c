/* inquiry.c: see inquiry.h. */
#include "sim/inquiry.h"

#include "engine/query.h"
#include "sim/world.h"

#include <base/arena.h>
#include <stdlib.h>

enum { ANSWER_BYTES_MAX = 4 << 20, TRIES = 6 };

void inquiry_init(struct inquiry *q, uint64_t seed)
{
    *q = (struct inquiry){.random = {seed ^ 0x776879}};
    if (arena_new(ANSWER_BYTES_MAX, &q->arena) != 0)
        abort();
}

void inquiry_deinit(struct inquiry *q)
{
    q->arena = arena_free(q->arena);
}

bool inquiry_choose(struct world *w, struct job_id *ret_job)
{
    const struct history *h = &w->history;
    const struct past_job *chosen = NULL;
    for (unsigned i = 0; i < TRIES && h->jobs_n; i++) {
        const struct past_job *job =
            &h->jobs[random_below(&w->inquiry.random, (unsigned)h->jobs_n)];
        if (!state_has_ended(job->state))
            chosen = job;
        if (job->state == ROTA__STATE__READY)
            break;
    }
    if (chosen)
        *ret_job = chosen->id;
    return chosen != NULL;
}

const Rota__WhyResult *inquiry_why(struct world *w, struct txn *txn, struct job_id job)
{
    static const struct principal operator= {.role = ROTA__ROLE__OPERATOR, .account = 1};
    Rota__Request request = ROTA__REQUEST__INIT;
    Rota__Reply reply = ROTA__REPLY__INIT;
    Rota__Why why = ROTA__WHY__INIT;
    char text[JOB_ID_TEXT_LEN + 1];
    struct now now = clock_read(&w->clock);
    arena_reset(w->inquiry.arena);
    why.job = job_id_text(job, text);
    request.op_case = ROTA__REQUEST__OP_WHY;
    request.why = &why;
    struct query q = {.txn = txn,
                      .board = w->host.board,
                      .store = w->host.store,
                      .arena = w->inquiry.arena,
                      .who = &operator,
                      .request = & request,
                      .reply = &reply,
                      .wall_ms = now.wall_ms,
                      .boot_ms = now.boot_ms,
                      .environment = "development"};
    enum error_code e = query_answer(&q);
    if (e != E_OK)
        world_violated(w, "why %s is refused: %s", text, error_row(e)->name);
    w->stats[STAT_ASKED]++;
    return reply.why;
}
