/* readers.c: two threads, each with an arena of its own, that never wait for the writer; and two
 * more for what has to wait for a bucket, so that one answer which hangs keeps no other waiting.
 *
 * One request: unpack, take a snapshot, check the credential, answer by the table, let the snapshot
 * go, send. A watch that has nothing to tell is parked (watch.c) and comes back to whichever reader
 * is free first once something changed; its credential is then checked again, so a revoked key ends
 * its watches.
 */
#include "edge/readers.h"

#include "edge/ask.h"
#include "edge/health.h"
#include "ops.h"

#include <base/arena.h>
#include <base/clock.h>
#include <base/log.h>
#include <errno.h>
#include <pthread.h>

enum {
    READER_ARENA_BYTES = 12 << 20,
    TAKE_REQUESTS_MAX = 16,
    TAKE_BYTES_MAX = 1 << 20,
    IDLE_MS_MAX = 1000,
    SLOW_MAX = 256,
    FAR_READERS = 2,
};

struct reader {
    struct edge *edge;
    struct slow *slow; /* where it puts what would take it a trip; NULL: it makes the trip */
    struct slow *line; /* where it takes that from; NULL: from the inbox */
    struct arena *arena;
    pthread_t thread;
    bool has_thread;
};

/* What waits for a bucket: a bounded line of its own, so that it keeps nobody else waiting. */
struct slow {
    pthread_mutex_t lock;
    pthread_cond_t came;
    struct inbound *head, *tail;
    size_t n;
    bool stops;
};

struct readers {
    struct reader reader[READERS];
    struct reader far[FAR_READERS]; /* take from `slow` alone */
    struct slow slow;
    bool has_slow;
};

static const struct {
    Rota__Request__OpCase op;
    ask_handler *handler;
} rows[] = {
    {ROTA__REQUEST__OP_LOG, ask_log},
    {ROTA__REQUEST__OP_LOG_READ, ask_log_read},
    {ROTA__REQUEST__OP_SIGN_UPLOAD, ask_sign_upload},
    {ROTA__REQUEST__OP_SIGN_DOWNLOAD, ask_sign_download},
    {ROTA__REQUEST__OP_ATTEST, ask_attest},
    {ROTA__REQUEST__OP_VAR_READ, ask_var_read},
};

static enum error_code answer_by_table(struct ask *a)
{
    struct query_health health;
    if (a->q.request->op_case == ROTA__REQUEST__OP_STATS) {
        health_fill(a->edge, a->q.wall_ms, &health);
        a->q.health = &health;
    }
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (rows[i].op == a->q.request->op_case)
            return rows[i].handler(a);
    return query_answer(&a->q);
}

static enum error_code ask_check(struct ask *a)
{
    const struct op_row *op = op_row(a->q.request->op_case);
    if (!op || op->lane != LANE_READ)
        return E_OPERATION_UNKNOWN;
    struct auth_call call = {.request = a->q.request,
                             .op = op,
                             .wall_ms = a->q.wall_ms,
                             .is_counted = a->in->is_counted};
    enum error_code e = auth_check(a->edge->auth, a->q.txn, &call, &a->who);
    a->in->is_counted = call.is_counted;
    if (e != E_OK && call.text[0])
        a->q.text = arena_str(a->q.arena, call.text);
    if (e == E_OK && a->who.role != ROTA__ROLE__ROLE_NONE)
        endpoint_pipe_is_known(a->edge->endpoint, a->in->peer.pipe);
    return e;
}

/* Answers from a fresh snapshot, which is gone when this returns. */
static enum error_code ask_answer(struct ask *a)
{
    AUTO(txn) txn = NULL;
    char why[200];
    int r = store_snapshot(a->edge->store, &txn);
    if (r) {
        log_error("store.snapshot_failed", "why=\"%s\"", r < 0 ? err_trace(why, sizeof why) : "");
        return E_STORE_FAULT;
    }
    a->q.txn = txn;
    enum error_code e = ask_check(a);
    if (e == E_OK)
        e = answer_by_table(a);
    a->q.txn = NULL;
    return e;
}

static void ask_init(struct ask *a, struct reader *rd, struct inbound *in,
                     const Rota__Request *request, Rota__Reply *reply)
{
    rota__reply__init(reply);
    *a = (struct ask){.edge = rd->edge, .in = in};
    a->q = (struct query){
        .board = rd->edge->board,
        .store = rd->edge->store,
        .arena = rd->arena,
        .auth = rd->edge->auth,
        .who = &a->who,
        .request = request,
        .reply = reply,
        .wall_ms = clock_wall_ms(),
        .boot_ms = clock_boot_ms(),
        .started_boot_ms = rd->edge->started_boot_ms,
        .environment = rd->edge->environment,
    };
    reply->as_of_ms = a->q.wall_ms;
    reply->request_id = in->to.request_id;
}

static void ask_speak(struct ask *a, enum error_code e)
{
    if (e)
        edge_refuse(a->edge, &a->in->to, e, a->q.text);
    else
        endpoint_reply(a->edge->endpoint, &a->in->to, a->q.reply);
}

/* Answers one request; a watch is answered only when `must` or when there is news. False: it was
 * not answered, and *ret_from says what would be news. */
static bool reader_answer(struct reader *rd, struct inbound *in, bool must, uint64_t from,
                          uint64_t *ret_from)
{
    struct ask a;
    Rota__Reply reply;
    arena_reset(rd->arena);
    Rota__Request *request = rota__request__unpack(arena_allocator(rd->arena), in->n, in->bytes);
    if (!request) {
        edge_refuse(rd->edge, &in->to, E_MEMORY, NULL);
        return true;
    }
    if (from && request->op_case == ROTA__REQUEST__OP_WATCH)
        request->watch->from = from;
    ask_init(&a, rd, in, request, &reply);
    enum error_code e = ask_answer(&a);
    if (e == E_OK && !must && request->op_case == ROTA__REQUEST__OP_WATCH &&
        !query_watch_is_news(&a.q, ret_from))
        return false;
    ask_speak(&a, e);
    ask_source_key_wipe(&reply);
    return true;
}

/* Looks as long as something changes under the look; then the watch is answered or parked. */
static void watch_look(struct reader *rd, struct watch *w)
{
    uint64_t from = w->from;
    for (;;) {
        bool must = w->until_ms <= clock_boot_ms() || atomic_load(&rd->edge->readers_stop);
        if (reader_answer(rd, w->in, must, from, &from)) {
            watch_end(rd->edge->watches, w);
            return;
        }
        if (watch_settle(rd->edge->watches, w, from))
            return;
    }
}

/* A watch that may wait: what it is about. False: it is answered at once, like any other request.
 */
static bool watch_wants_to_wait(struct reader *rd, const struct inbound *in, struct job_id *ret_job,
                                uint64_t *ret_until_ms)
{
    if (in->op_tag != ROTA__REQUEST__OP_WATCH)
        return false;
    arena_reset(rd->arena);
    Rota__Request *request = rota__request__unpack(arena_allocator(rd->arena), in->n, in->bytes);
    if (!request || request->op_case != ROTA__REQUEST__OP_WATCH || !request->watch->wait_ms)
        return false;
    *ret_job = (struct job_id){{0}};
    *ret_until_ms = clock_boot_ms() + request->watch->wait_ms;
    return !*request->watch->job || job_id_parse(request->watch->job, ret_job) == 0;
}

/* An ended job's log may lie in a bucket. True: taken, or refused as one too many. */
static bool slow_take(struct reader *rd, struct inbound *in)
{
    struct slow *slow = rd->slow;
    if (!slow || in->kind != INBOUND_REQUEST || in->op_tag != ROTA__REQUEST__OP_LOG_READ ||
        !artifacts_are_remote(rd->edge->artifacts))
        return false;
    pthread_mutex_lock(&slow->lock);
    bool fits = slow->n < SLOW_MAX;
    if (fits) {
        *(slow->tail ? &slow->tail->next : &slow->head) = in;
        slow->tail = in;
        slow->n++;
        pthread_cond_signal(&slow->came);
    }
    pthread_mutex_unlock(&slow->lock);
    if (!fits) {
        edge_refuse(rd->edge, &in->to, E_OVERLOADED, NULL);
        inbound_free(in);
    }
    return true;
}

/* Takes the request. */
static void reader_handle(struct reader *rd, struct inbound *in)
{
    if (slow_take(rd, in))
        return;
    struct job_id job;
    struct watch *w;
    uint64_t until_ms, from;
    if (in->kind == INBOUND_REQUEST && watch_wants_to_wait(rd, in, &job, &until_ms) &&
        watch_begin(rd->edge->watches, in, job, until_ms, &w) == 0) {
        watch_look(rd, w);
        return;
    }
    if (in->kind == INBOUND_REQUEST)
        reader_answer(rd, in, true, 0, &from);
    inbound_free(in);
}

static void handle_list(struct reader *rd, struct inbound *list)
{
    struct inbound *next;
    for (struct inbound *in = list; in; in = next) {
        next = in->next;
        in->next = NULL;
        reader_handle(rd, in);
    }
}

/* NULL: time to stop. */
static struct inbound *slow_next(struct slow *slow)
{
    pthread_mutex_lock(&slow->lock);
    while (!slow->head && !slow->stops)
        pthread_cond_wait(&slow->came, &slow->lock);
    struct inbound *in = slow->stops ? NULL : slow->head;
    if (in) {
        slow->head = in->next;
        if (!slow->head)
            slow->tail = NULL;
        slow->n--;
        in->next = NULL;
    }
    pthread_mutex_unlock(&slow->lock);
    return in;
}

static void *far_main(void *arg)
{
    struct reader *rd = arg;
    for (struct inbound *in; (in = slow_next(rd->line));)
        reader_handle(rd, in);
    return NULL;
}

static int far_start(struct readers *rs, struct edge *edge)
{
    pthread_mutex_init(&rs->slow.lock, NULL);
    pthread_cond_init(&rs->slow.came, NULL);
    rs->has_slow = true;
    int r = 0;
    for (unsigned i = 0; r == 0 && i < FAR_READERS; i++) {
        struct reader *rd = &rs->far[i];
        rd->edge = edge;
        rd->line = &rs->slow;
        r = arena_new(READER_ARENA_BYTES, &rd->arena);
        if (r == 0)
            r = -pthread_create(&rd->thread, NULL, far_main, rd);
        rd->has_thread = r == 0;
    }
    return r < 0 ? err_raise(r) : 0;
}

static void far_stop(struct readers *rs)
{
    if (!rs->has_slow)
        return;
    pthread_mutex_lock(&rs->slow.lock);
    rs->slow.stops = true;
    pthread_cond_broadcast(&rs->slow.came);
    pthread_mutex_unlock(&rs->slow.lock);
    for (unsigned i = 0; i < FAR_READERS; i++) {
        if (rs->far[i].has_thread)
            pthread_join(rs->far[i].thread, NULL);
        arena_free(rs->far[i].arena);
    }
    for (struct inbound *in = rs->slow.head, *next; in; in = next) {
        next = in->next;
        edge_refuse(rs->reader[0].edge, &in->to, E_DRAINING, NULL);
        inbound_free(in);
    }
    pthread_cond_destroy(&rs->slow.came);
    pthread_mutex_destroy(&rs->slow.lock);
}

static void *reader_main(void *arg)
{
    struct reader *rd = arg;
    struct edge *edge = rd->edge;
    while (!atomic_load(&edge->readers_stop)) {
        for (struct watch *w; (w = watch_due(edge->watches, clock_boot_ms()));)
            watch_look(rd, w);
        uint32_t idle_ms = watch_idle_ms(edge->watches, clock_boot_ms(), IDLE_MS_MAX);
        handle_list(rd,
                    inbox_take(edge->inbox, LANE_READ, TAKE_REQUESTS_MAX, TAKE_BYTES_MAX, idle_ms));
    }
    return NULL;
}

int readers_start(struct edge *edge, struct readers **ret_readers)
{
    AUTO(readers) rs = calloc(1, sizeof *rs);
    if (!rs)
        return err_raise(-ENOMEM);
    rs->reader[0].edge = edge; /* for readers_free() */
    int far = far_start(rs, edge);
    if (far < 0)
        return err_pass(far);
    for (int i = 0; i < READERS; i++) {
        struct reader *rd = &rs->reader[i];
        rd->edge = edge;
        rd->slow = &rs->slow;
        int r = arena_new(READER_ARENA_BYTES, &rd->arena);
        if (r < 0)
            return err_pass(r);
        r = pthread_create(&rd->thread, NULL, reader_main, rd);
        if (r)
            return err_raise(-r);
        rd->has_thread = true;
    }
    *ret_readers = TAKE(rs);
    return 0;
}

/* Every parked watch gets its answer before the sockets close. */
static void answer_watches(struct reader *rd)
{
    struct edge *edge = rd->edge;
    watch_wake_all(edge->watches);
    for (struct watch *w; (w = watch_due(edge->watches, clock_boot_ms()));)
        watch_look(rd, w);
}

struct readers *readers_free(struct readers *rs)
{
    if (!rs)
        return NULL;
    atomic_store(&rs->reader[0].edge->readers_stop, true);
    for (int i = 0; i < READERS; i++) {
        inbox_wake(rs->reader[0].edge->inbox, LANE_READ);
        if (rs->reader[i].has_thread)
            pthread_join(rs->reader[i].thread, NULL);
    }
    far_stop(rs);
    if (rs->reader[0].has_thread)
        answer_watches(&rs->reader[0]);
    for (int i = 0; i < READERS; i++)
        arena_free(rs->reader[i].arena);
    free(rs);
    return NULL;
}
