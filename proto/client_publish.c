/* client_publish.c: any number of publishes in messages that the broker takes.
 *
 * Each job is checked here against limits.def before it joins a message, because the broker refuses
 * a message as a whole when one field in it is over its bound; so a bad job fails alone. The
 * messages go one after the other: a commit takes a whole message, so more at once gain little, and
 * the first one that fails as a whole tells what would happen to the rest. */
#include "client.h"
#include "wire.h"

#include <assert.h>
#include <base/clock.h>
#include <base/id.h>
#include <errno.h>
#include <pthread.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

enum { JOBS_MAX = 1000, MESSAGE_BYTES_MAX = 200 * 1024, FRAME_BYTES = 8, KEY_LEN = 26 };

/* A job id's text without its prefix: 48 bits of time, a counter that rises within the process, 48
 * random bits. */
void rota_idempotency_key(char key[27])
{
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    static struct job_id last;
    uint8_t random[6];
    randombytes_buf(random, sizeof random);
    pthread_mutex_lock(&lock);
    last = job_id_next(last, clock_wall_ms(), random);
    struct job_id id = last;
    pthread_mutex_unlock(&lock);
    char text[JOB_ID_TEXT_LEN + 1];
    memcpy(key, job_id_text(id, text) + JOB_ID_TEXT_LEN - KEY_LEN, KEY_LEN + 1);
}

/* One message in the making. The members of the list are copies, so that the caller's jobs stay. */
struct batch {
    size_t n, bytes;
    Rota__Publish *list[JOBS_MAX];
    Rota__Publish jobs[JOBS_MAX];
    struct rota_publish_outcome *outcomes[JOBS_MAX];
    char keys[JOBS_MAX][KEY_LEN + 1];
};

static void outcome_refuse(struct rota_publish_outcome *o, const char *name)
{
    *o = (struct rota_publish_outcome){.replayed = false};
    snprintf(o->error, sizeof o->error, "%s", name);
}

static void outcome_fill(struct rota_publish_outcome *o, const Rota__PublishOutcome *from)
{
    if (!from->accepted) {
        outcome_refuse(o, from->error ? from->error->name : error_row(E_MALFORMED)->name);
        return;
    }
    *o = (struct rota_publish_outcome){.replayed = from->accepted->replayed};
    snprintf(o->job, sizeof o->job, "%s", from->accepted->job);
}

/* E_OK, or why this job alone would spoil a message. */
static enum error_code job_check(const Rota__Publish *job)
{
    uint8_t bytes[24 * 1024];
    struct wire_fault fault;
    if (rota__publish__get_packed_size(job) > sizeof bytes)
        return E_FIELD_TOO_LONG;
    size_t n = rota__publish__pack(job, bytes);
    return wire_check(&rota__publish__descriptor, bytes, n, &fault) ? E_OK : fault.code;
}

/* False: the batch is full, send it first. */
static bool batch_add(struct batch *b, const Rota__Publish *job, struct rota_publish_outcome *o)
{
    if (b->n == JOBS_MAX)
        return false;
    Rota__Publish *copy = &b->jobs[b->n];
    *copy = *job;
    if (!*copy->idempotency_key) {
        rota_idempotency_key(b->keys[b->n]);
        copy->idempotency_key = b->keys[b->n];
    }
    enum error_code code = job_check(copy);
    if (code != E_OK) {
        outcome_refuse(o, error_row(code)->name);
        return true;
    }
    size_t bytes = rota__publish__get_packed_size(copy) + FRAME_BYTES;
    if (b->n && b->bytes + bytes > MESSAGE_BYTES_MAX)
        return false;
    b->list[b->n] = copy;
    b->outcomes[b->n] = o;
    b->bytes += bytes;
    b->n++;
    return true;
}

/* Gives every job of the batch its outcome. Sets *ret_error when the message failed as a whole. */
static void batch_answer(struct batch *b, const Rota__Reply *reply, char ret_error[40])
{
    const Rota__PublishManyResult *result = reply->publish_many;
    bool fits = !reply->error && reply->result_case == ROTA__REPLY__RESULT_PUBLISH_MANY && result &&
                result->n_outcome == b->n;
    for (size_t i = 0; fits && i < b->n; i++)
        outcome_fill(b->outcomes[i], result->outcome[i]);
    if (fits)
        return;
    snprintf(ret_error, 40, "%s", reply->error ? reply->error->name : error_row(E_MALFORMED)->name);
    for (size_t i = 0; i < b->n; i++)
        outcome_refuse(b->outcomes[i], ret_error);
}

static int batch_send(struct rota_client *client, struct batch *b, char ret_error[40])
{
    if (b->n == 0)
        return 0;
    Rota__PublishMany many = ROTA__PUBLISH_MANY__INIT;
    many.n_publish = b->n;
    many.publish = b->list;
    Rota__Request request = ROTA__REQUEST__INIT;
    request.op_case = ROTA__REQUEST__OP_PUBLISH_MANY;
    request.publish_many = &many;
    Rota__Reply *reply;
    int r = rota_call(client, &request, 0, &reply);
    if (r < 0)
        return err_pass(r);
    batch_answer(b, reply, ret_error);
    rota_reply_free(reply);
    b->n = b->bytes = 0;
    return 0;
}

int rota_publish_all(struct rota_client *client, Rota__Publish **jobs, size_t n,
                     struct rota_publish_outcome *outcomes)
{
    char error[40] = "";
    AUTO_FREE struct batch *b = malloc(sizeof *b);
    if (!b)
        return err_raise(-ENOMEM);
    b->n = b->bytes = 0;
    for (size_t i = 0; i < n;) {
        if (error[0]) {
            outcome_refuse(&outcomes[i++], error);
            continue;
        }
        if (batch_add(b, jobs[i], &outcomes[i])) {
            i++;
            continue;
        }
        int r = batch_send(client, b, error);
        if (r < 0)
            return err_pass(r);
    }
    int r = batch_send(client, b, error);
    return r < 0 ? err_pass(r) : 0;
}
