/* ask.h: one request of the read lane in a reader's hands, and the operations that the edge answers
 * itself because they touch files or keys. Reader threads. */
#pragma once

#include "edge/edge.h"
#include "engine/query.h"
#include "store/rows.h"

struct ask {
    struct edge *edge;
    struct inbound *in;
    struct principal who;
    struct query q; /* reply, text, arena, snapshot */
};

/* As query_answer(): fills q.reply or gives the refusal. */
typedef enum error_code ask_handler(struct ask *a);
ask_handler ask_sign_upload, ask_sign_download, ask_attest, ask_log, ask_log_read, ask_var_read;

/* Words for a refusal, in the arena. */
__attribute__((format(printf, 3, 4))) enum error_code
ask_refuse(struct ask *a, enum error_code code, const char *format, ...);

/* The refusal for a store that is away, or another environment's (ARTIFACTS_ENVIRONMENT). */
enum error_code ask_store(struct ask *a, int r);

/* The live lease that a worker shows. E_LEASE_LOST when it is not, or no longer, the job's. */
enum error_code ask_lease(struct ask *a, const Rota__LeaseRef *ref, struct board_lease *ret_lease);

/* What opens the job's source, into the reply's sign_download: for the holder of its lease alone.
 * Everybody else who may fetch the object gets what stands on the disk. E_SOURCE_GONE: the key is
 * no more. The reply is to be wiped once it is sent. */
enum error_code ask_source_key(struct ask *a, struct job_id job, const struct job_row *row);
void ask_source_key_wipe(Rota__Reply *reply);
