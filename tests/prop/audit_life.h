/* audit_life.h: the random life whose log is checked: everything that moves a job, an account's
 * place, a bar or a cap. What the deeds share. */
#pragma once

#include "log_audit.h"
#include "unit/pause_kit.h"

enum { ACCOUNTS = 12, RUNS_MAX = 48, JOBS_MAX = 64 };

struct life {
    struct engine_kit k;
    struct log_audit log;
    uint64_t random;
    struct kit_run runs[RUNS_MAX];
    size_t runs_n;
    char jobs[JOBS_MAX][40]; /* some of those that were published, newest over oldest */
    size_t jobs_n;
    uint64_t refused, deeds, restarts, heads;
    bool is_mutant; /* the engine is a wrong one */
};

unsigned life_pick(struct life *l, unsigned n);    /* below n */
bool life_chance(struct life *l, unsigned one_of); /* one of so many times */
char *life_account(struct life *l);                /* static, until the next call */
char *life_job(struct life *l);                    /* NULL: none was published yet */
/* One request, one turn. A refusal is counted; NULL: parked. */
Rota__Reply *life_call(struct life *l, Rota__Request *request);

typedef void deed(struct life *l);
/* Since when each tally's head job waits is what a look into the line says. */
void check_heads(struct life *l);

/* audit_deeds.c */
deed do_workers; /* the first deed: workers bring the classes */
deed do_publish, do_lease, do_finish, do_give_back, do_cancel, do_hold, do_release, do_retry,
    do_move;
/* audit_rule_deeds.c: of people who set things, and of time */
deed do_account, do_limits, do_pause, do_resume, do_time, do_restart, do_checkpoint, do_why;
