/* ask_log.c: what running jobs say, and reading it back.
 *
 * A live job's last words come from the spool. When it has ended and left its log as an artifact,
 * they come from there: the same bytes at the same offsets, but all of them. */
#include "edge/ask.h"
#include "store/keys.h"
#include "store/rows.h"

#include <base/arena.h>
#include <errno.h>

enum { LOG_READ_BYTES_MAX = 64 << 10 };

enum error_code ask_log(struct ask *a)
{
    const Rota__Log *log = a->q.request->log;
    struct board_lease lease;
    enum error_code e = ask_lease(a, log->lease, &lease);
    if (e)
        return e;
    Rota__LogResult *result = arena_alloc(a->q.arena, sizeof *result);
    if (!result)
        return E_MEMORY;
    rota__log_result__init(result);
    int r = spool_append(a->edge->spool, lease.job, a->q.wall_ms, log->data.data, log->data.len,
                         &result->size);
    if (r < 0)
        return r == -ENOMEM ? E_MEMORY : E_UPLOAD_FAILED;
    a->q.reply->log = result;
    a->q.reply->result_case = ROTA__REPLY__RESULT_LOG;
    return E_OK;
}

/* The log as an artifact of the ended job. False: there is none. */
static bool log_object(const Rota__Job *job, struct artifact_id *ret_id)
{
    for (size_t i = 0; i < job->n_artifact; i++) {
        const Rota__Artifact *artifact = job->artifact[i];
        if (artifact->kind != ROTA__OBJECT_KIND__BUILD_LOG || artifact->sha256.len != 32)
            continue;
        ret_id->kind = artifact->kind;
        ret_id->account = job->account;
        memcpy(ret_id->sha256, artifact->sha256.data, sizeof ret_id->sha256);
        return true;
    }
    return false;
}

/* As artifacts_read(); also knows whether that was the end. */
static int read_object(struct ask *a, const struct artifact_id *id, uint64_t offset, uint8_t *buf,
                       struct spool_piece *ret_piece)
{
    uint64_t size;
    size_t n = 0;
    int r = artifacts_find(a->edge->artifacts, id, &size);
    if (r == 0 && offset > size)
        offset = size;
    if (r == 0 && offset < size)
        r = artifacts_read(a->edge->artifacts, id, offset, buf, LOG_READ_BYTES_MAX, &n);
    if (r == 0)
        *ret_piece = (struct spool_piece){.offset = offset, .size = size, .n = n};
    return r;
}

static enum error_code log_answer(struct ask *a, const struct spool_piece *piece, uint8_t *buf,
                                  bool is_over)
{
    Rota__LogReadResult *result = arena_alloc(a->q.arena, sizeof *result);
    if (!result)
        return E_MEMORY;
    rota__log_read_result__init(result);
    result->data = (ProtobufCBinaryData){piece->n, buf};
    result->offset = piece->offset;
    result->next = piece->offset + piece->n;
    result->ended = is_over && result->next >= piece->size;
    a->q.reply->log_read = result;
    a->q.reply->result_case = ROTA__REPLY__RESULT_LOG_READ;
    return E_OK;
}

enum error_code ask_log_read(struct ask *a)
{
    const Rota__LogRead *read = a->q.request->log_read;
    Rota__Job *job;
    uint64_t version;
    struct artifact_id id;
    struct spool_piece piece = {0};
    struct job_id job_id;
    enum error_code e = query_job(&a->q, read->job, &job, &version);
    if (e)
        return e;
    uint8_t *buf = arena_alloc(a->q.arena, LOG_READ_BYTES_MAX);
    if (!buf || job_id_parse(read->job, &job_id) != 0)
        return E_MEMORY;
    bool is_over = job->state >= ROTA__STATE__SUCCEEDED;
    int r = ARTIFACTS_MISSING;
    if (is_over && log_object(job, &id))
        r = read_object(a, &id, read->offset, buf, &piece);
    if (r == ARTIFACTS_AWAY || r == ARTIFACTS_ENVIRONMENT)
        return ask_store(a, r);
    if (r == ARTIFACTS_MISSING || r == ARTIFACTS_MISMATCH)
        r = spool_read(a->edge->spool, job_id, read->offset, buf, LOG_READ_BYTES_MAX, &piece);
    if (r < 0)
        return r == -ENOMEM ? E_MEMORY : E_STORE_FAULT;
    return log_answer(a, &piece, buf, is_over);
}
