/* world.c: time goes on, turns run, answers go out. How a world begins: genesis.c. */
#include "sim/world.h"

#include "engine/turn.h"
#include "sim/fate.h"
#include "sim/invariants.h"
#include "sim/voice.h"
#include "store/keys.h"
#include "wire.h"

#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { ASK_PERMILLE = 250, CHECKPOINT_PERMILLE = 10 };
enum { BOOT_AGAIN_MS = 50, GONE_MS_MAX = 50, IDLE_MS_MAX = 60000, ENDING_TURNS_MAX = 20000 };

/* ---- words ---- */

static void say_where(const struct world *w)
{
    printf("seed %" PRIu64 " step %u at %" PRIu64 " ms: ", w->seed, w->step, w->clock.now_ms);
}

void world_say(const struct world *w, const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    printf("%8" PRIu64 " ", w->clock.now_ms);
    vprintf(format, ap);
    putchar('\n');
    va_end(ap);
}

void world_violated(const struct world *w, const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    say_where(w);
    if (w->looking_at)
        printf("%s: ", w->looking_at);
    vprintf(format, ap);
    printf("\ntold again by: scripts/sim --seed %" PRIu64 " --steps %u\n", w->seed, w->kind.steps);
    va_end(ap);
    exit(1);
}

/* ---- actors ---- */

void world_add(struct world *w, struct actor *a, const struct actor_kind *kind, const char *name)
{
    assert(w->actors_n < ACTORS_MAX);
    a->kind = kind;
    snprintf(a->name, sizeof a->name, "%s", name);
    a->pipe = ++w->pipes;
    a->wake_ms = UINT64_MAX;
    fate_weather(w, &a->link.weather);
    w->actors[w->actors_n++] = a;
}

static void wakes(struct world *w, struct event *e)
{
    struct actor *a = e->actor;
    if (a->wake_ms != e->at_ms)
        return; /* woken meanwhile */
    a->wake_ms = UINT64_MAX;
    a->kind->wake(w, a);
}

void world_wake(struct world *w, struct actor *a, uint64_t at_ms)
{
    if (at_ms <= w->clock.now_ms)
        at_ms = w->clock.now_ms + 1;
    if (at_ms >= a->wake_ms)
        return;
    a->wake_ms = at_ms;
    agenda_add(&w->agenda, (struct event){.at_ms = at_ms, .happen = wakes, .actor = a});
}

void world_reconnect(struct world *w, struct actor *a, bool is_told)
{
    struct message *gone = is_told ? message_new(a, a->pipe, 0) : NULL;
    a->pipe = ++w->pipes;
    if (!gone)
        return;
    gone->is_pipe_gone = true;
    agenda_add(&w->agenda,
               (struct event){.at_ms = w->clock.now_ms + 1 + world_below(w, GONE_MS_MAX),
                              .happen = world_arrives,
                              .actor = a,
                              .message = gone});
}

/* ---- requests and replies ---- */

static struct asked *asked_add(struct world *w)
{
    if (w->asked_n == w->asked_cap) {
        w->asked_cap = w->asked_cap ? w->asked_cap * 2 : 1024;
        w->asked = realloc(w->asked, w->asked_cap * sizeof *w->asked);
        if (!w->asked)
            abort();
    }
    return &w->asked[w->asked_n++];
}

struct asked *world_asked(struct world *w, uint64_t request_id)
{
    if (request_id == 0 || request_id > w->asked_n)
        world_violated(w, "a reply to request %" PRIu64 ", which was never made", request_id);
    return &w->asked[request_id - 1];
}

struct message *world_pack(struct world *w, struct actor *a, Rota__Request *request,
                           struct about about)
{
    struct wire_fault fault;
    *asked_add(w) = (struct asked){.actor = a, .op_tag = request->op_case, .about = about};
    request->request_id = w->asked_n;
    request->environment = (char *)"development";
    request->credential = w->host.credential;
    size_t n = rota__request__get_packed_size(request);
    struct message *m = message_new(a, a->pipe, n);
    m->op_tag = request->op_case;
    m->request_id = request->request_id;
    rota__request__pack(request, m->bytes);
    if (!wire_check(&rota__request__descriptor, m->bytes, n, &fault))
        world_violated(w, "%s makes a request that the wire refuses: %s", a->name, fault.text);
    w->stats[STAT_REQUESTS]++;
    return m;
}

void world_arrives(struct world *w, struct event *e)
{
    struct message *m = e->message;
    bool is_connected = m->is_pipe_gone || m->pipe == m->actor->pipe;
    if (!host_is_up(&w->host) || !is_connected) {
        w->stats[STAT_REQUESTS_LOST]++;
        message_free(m);
        return;
    }
    if (!m->is_pipe_gone)
        world_asked(w, m->request_id)->arrived++;
    world_trace(w, "arrives: %s of %s, request %" PRIu64,
                m->is_pipe_gone ? "the end of a connection" : op_row(m->op_tag)->name,
                m->actor->name, m->request_id);
    host_take(&w->host, m);
}

void world_answers(struct world *w, struct event *e)
{
    struct message *m = e->message;
    if (m->pipe != m->actor->pipe) {
        w->stats[STAT_REPLIES_LOST]++;
        message_free(m);
        return;
    }
    Rota__Reply *reply = rota__reply__unpack(NULL, m->n, m->bytes);
    if (!reply)
        world_violated(w, "a reply to %s cannot be unpacked", m->actor->name);
    world_trace(w, "%s hears: request %" PRIu64 " %s", m->actor->name, reply->request_id,
                reply->error ? reply->error->name : "done");
    message_free(m);
    e->actor->kind->hear(w, e->actor, reply);
    rota__reply__free_unpacked(reply, NULL);
}

bool world_day_has_passed(const struct world *w, uint64_t wall_ms)
{
    static const uint64_t day_ms = 24ull * 3600 * 1000;
    return wall_ms + day_ms <= w->clock.wall_ms_most + w->clock.now_ms;
}

bool world_find(struct world *w, enum table t, struct job_id *ret_job)
{
    AUTO(txn) txn = NULL;
    AUTO(cursor) cursor = NULL;
    struct span key, value;
    if (!host_is_up(&w->host))
        return false;
    if (store_snapshot(w->host.store, &txn) != 0 || cursor_open(txn, t, &cursor) != 0)
        abort();
    int r = cursor_next(cursor, &key, &value);
    for (unsigned skip = world_below(w, 8); skip && r == 0; skip--)
        if (cursor_next(cursor, &key, &value) != 0)
            break;
    if (r == 0)
        *ret_job = key_tail_id(key);
    return r == 0;
}

/* ---- the broker's life ---- */

void world_drain(struct world *w)
{
    effects_reset(&w->host.fx);
    engine_drain(w->host.engine, &w->host.fx);
    voice_speak(w);
}

static void wants_turn(struct world *w)
{
    w->host.turn_ms =
        w->clock.now_ms + engine_idle_ms(w->host.engine, clock_read(&w->clock), IDLE_MS_MAX);
}

static void boots(struct world *w, struct event *e)
{
    uint64_t faults = host_faults(&w->host);
    (void)e;
    int r = host_boot(&w->host, clock_read(&w->clock));
    if (r != 0 && host_faults(&w->host) == faults)
        world_violated(w, "the broker cannot start (%d) though nothing was broken", r);
    if (r != 0) {
        world_trace(w, "the broker cannot start: %d", r);
        agenda_add(&w->agenda,
                   (struct event){.at_ms = w->clock.now_ms + BOOT_AGAIN_MS, .happen = boots});
        return;
    }
    world_trace(w, "the broker has started");
    if (w->is_ending)
        store_sim_disarm(w->host.store);
    wants_turn(w);
    w->is_fresh = false;
    invariants_look(w, true);
}

void world_kill(struct world *w, uint64_t down_ms)
{
    if (!host_is_up(&w->host))
        return;
    w->stats[STAT_CRASHES]++;
    host_kill(&w->host);
    for (unsigned i = 0; i < w->actors_n; i++)
        world_reconnect(w, w->actors[i], false);
    agenda_add(&w->agenda, (struct event){.at_ms = w->clock.now_ms + down_ms, .happen = boots});
}

/* A full store is no reason, and a cache that is not the store's after an abort is none either. */
static void turn_failed(struct world *w, uint64_t deadly_before)
{
    char trace[160];
    if (host_deadly_faults(&w->host) == deadly_before)
        world_violated(w, "a turn failed though nothing was broken: %s",
                       err_trace(trace, sizeof trace));
    world_trace(w, "the turn failed: %s", err_trace(trace, sizeof trace));
    w->stats[STAT_FAILED_TURNS]++;
    world_kill(w, 1 + world_below(w, BOOT_AGAIN_MS));
}

/* As if the last one were long ago: the log says where everything stands. Only where no turn is
 * undone, as nobody notes that this was changed. */
static void checkpoint_wish(struct world *w)
{
    struct engine *e = w->host.engine;
    if (w->storm_permille || !world_chance(w, CHECKPOINT_PERMILLE))
        return;
    e->cache.hot.checkpoint_seq = 0;
    e->checkpoint_after_seq = 0;
}

static void turn(struct world *w)
{
    struct sim_host *h = &w->host;
    uint64_t faults = host_faults(h), deadly = host_deadly_faults(h);
    struct now now = clock_read(&w->clock);
    w->step++;
    w->stats[STAT_TURNS]++;
    w->turn_wall_ms = now.wall_ms;
    w->turn_bt_ms = now.boot_ms + h->engine->broker_offset_ms;
    checkpoint_wish(w);
    still_begin(w);
    int r = host_turn(h, now);
    still_end(w, r == 0);
    w->clock.now_ms += store_sim_slept_ms(h->store);
    if (r < 0) {
        turn_failed(w, deadly);
        return;
    }
    if (h->dies_after_commit) {
        for (const struct effect_reply *e = h->fx.replies; e; e = e->next)
            w->stats[STAT_REPLIES_UNSAID]++;
        world_kill(w, 1 + world_below(w, BOOT_AGAIN_MS));
        return;
    }
    w->is_fresh = host_faults(h) == faults;
    voice_speak(w);
    wants_turn(w);
    invariants_look(w, false);
    if (random_below(&w->inquiry.random, 1000) < ASK_PERMILLE)
        bounds_ask(w);
}

/* Until a turn is due: something has arrived, or the engine asked for it. */
void world_step(struct world *w)
{
    struct event e;
    struct sim_host *h = &w->host;
    for (;;) {
        uint64_t next_ms = agenda_next_ms(&w->agenda);
        if (h->turn_ms < next_ms)
            next_ms = h->turn_ms;
        if (next_ms == UINT64_MAX)
            world_violated(w, "nothing will ever happen again");
        if (next_ms > w->clock.now_ms)
            w->clock.now_ms = next_ms;
        while (agenda_take(&w->agenda, w->clock.now_ms, &e))
            e.happen(w, &e);
        if (host_is_up(h) && (h->inbox || h->turn_ms <= w->clock.now_ms))
            break;
    }
    turn(w);
}

/* Has every job ended, and every erasure and bulk act? The broker is up. */
static bool is_over(struct world *w)
{
    AUTO(txn) txn = NULL;
    uint64_t jobs = 0, done = 0, erasing = 0;
    if (!host_is_up(&w->host))
        return false;
    if (store_snapshot(w->host.store, &txn) != 0 || txn_count(txn, TABLE_JOB, &jobs) != 0 ||
        txn_count(txn, TABLE_DONE, &done) != 0 || txn_count(txn, TABLE_ERASE, &erasing) != 0)
        abort();
    return jobs == done && !erasing && !w->host.engine->cache.bulks_n;
}

void world_live(struct world *w)
{
    while (w->step < w->kind.steps)
        world_step(w);
    w->is_ending = true;
    fate_end(w);
    unsigned last = w->step + ENDING_TURNS_MAX;
    while (!is_over(w)) {
        if (w->step >= last)
            world_violated(w, "%d turns after the last fault there are still jobs that wait or run",
                           ENDING_TURNS_MAX);
        world_step(w);
    }
    invariants_look(w, true);
}
