/* broker_kit.h: a real rotad in a folder of its own, and short words for calling it. For
 * broker_*.c. */
#pragma once

#undef NDEBUG
#include "client.h"

#include <assert.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
/* cmocka needs the four above */
#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include <sys/types.h>

enum { RIG_ARGS_MAX = 24, KEY_MAX = 80 };

struct rig {
    char dir[64];
    char data[96], socket[96], url[112], key_file[96];
    char log[96]; /* what rotad says on stderr */
    const char *rotad;
    pid_t pid;                /* 0: not running */
    struct rota_client *root; /* with the first operator key */
};

/* Makes a folder and an environment in it; `rotad` is the program. */
void rig_init(struct rig *rig, const char *rotad);
/* Starts rotad and waits for its "ready"; `args` (NULL-terminated, may be NULL) come on top. */
void rig_start(struct rig *rig, const char *const *args);
/* The same, but it may fail: then *ret_code is its exit code and nothing runs. */
bool rig_try(struct rig *rig, const char *const *args, int *ret_code);
/* Sends the signal (0: none, it ends by itself) and waits for the end; gives the exit code, or 128
 * + signal. */
int rig_stop(struct rig *rig, int signal);
/* Stops what runs and removes the folder. */
void rig_deinit(struct rig *rig);

/* Runs rotad to its end with these arguments (NULL-terminated); gives its exit code. Its stderr
 * goes into `text` when that is set. */
int rig_run(struct rig *rig, const char *const *args, char *text, size_t n);

/* A client with this key; NULL: the first operator's. Does not retry. */
struct rota_client *rig_client(struct rig *rig, const char *credential);

/* Makes account and key; the credential is put into `key`. */
void rig_account(struct rig *rig, const char *account, Rota__Tier tier, uint32_t running_max);
void rig_key(struct rig *rig, const char *account, Rota__Role role, char key[KEY_MAX],
             uint32_t *ret_serial);

/* Sends and waits; the reply may hold an error. */
Rota__Reply *call(struct rota_client *c, Rota__Request *request);
/* The same, but an error fails the test and is printed. */
Rota__Reply *must(struct rota_client *c, Rota__Request *request);
/* The error's name must be `name`; the reply is freed. */
void must_fail(struct rota_client *c, Rota__Request *request, const char *name);

/* Fills `request` for one operation: ASK(r, STATUS, status, m) sets its op and member. */
#define ASK(request, OP, member, message)                                                          \
    (rota__request__init(&(request)), (request).op_case = ROTA__REQUEST__OP_##OP,                  \
     (request).member = (message), &(request))

/* Names a source and, when there is one, a key for it. */
void kit_source(Rota__Publish *p, const char *source);

/* A job of class task; `job` gets its id. */
void publish_task(struct rota_client *c, const char *account, const char *app, char job[32]);
/* The error's name, or "" and the job's id. `source` may be "". */
void publish_source(struct rota_client *c, const char *account, const char *source, char job[32],
                    char error[40]);

/* One job for this worker, waiting at most wait_ms; NULL: none came. The reply owns it. */
Rota__LeasedJob *lease_one(struct rota_client *c, const char *pool, const char *worker,
                           uint32_t wait_ms, Rota__Reply **ret_reply);
Rota__State finish_ok(struct rota_client *c, Rota__LeaseRef *lease);

/* Waits in steps of real calls until the job is in this state. */
void await_state(struct rota_client *c, const char *job, Rota__State state);
