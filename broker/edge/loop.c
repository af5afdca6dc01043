/* loop.c: persist, then speak.
 *
 * Takes what arrived while the last commit was under way, lets the engine apply and commit it, and
 * only then speaks. There is no timer: the batch is whatever came meanwhile. A turn that fails ends
 * the process before anything is said, for nobody may hear of what is perhaps not on the disk. */
#include "edge/loop.h"

#include "edge/vet.h"

#include <base/clock.h>
#include <base/exit.h>
#include <base/log.h>
#include <sodium.h>

enum { IDLE_MS_MAX = 1000, DRAIN_MS = 250 };

struct loop {
    struct edge *edge;
    struct engine *engine;
    struct effects fx;
    uint64_t last_seq;
    bool is_full; /* publishes are refused for want of room */
};

struct now loop_now(void)
{
    return (struct now){.wall_ms = clock_wall_ms(), .boot_ms = clock_boot_ms()};
}

/* The news that came with the requests, for those who keep things per pipe. */
static void hear(struct loop *l, const struct inbound *list)
{
    for (const struct inbound *in = list; in; in = in->next) {
        if (in->kind != INBOUND_PIPE_GONE)
            continue;
        watch_forget_pipe(l->edge->watches, in->peer.pipe);
        vet_pipe_gone(l->edge->vet, in->peer.pipe);
    }
}

/* Of jobs that need their source no more, before anybody hears that they have ended. Keys that came
 * stand in the key file by now. */
static void source_keys_settle(struct loop *l)
{
    struct source_keys *keys = l->edge->source_keys;
    int r = 0;
    if (!l->fx.sources)
        return;
    for (struct effect_source *s = l->fx.sources; s; s = s->next) {
        if (s->key)
            sodium_memzero(s->key, SEAL_KEY_BYTES);
        else if (r == 0)
            r = source_keys_destroy(keys, s->job);
    }
    if (r == 0)
        r = source_keys_flush(keys);
    if (r < 0)
        edge_die("source_keys.destroy");
}

static void speak(struct loop *l)
{
    struct edge *edge = l->edge;
    source_keys_settle(l);
    for (struct effect_pipe *p = l->fx.known; p; p = p->next)
        endpoint_pipe_is_known(edge->endpoint, p->pipe);
    for (struct effect_reply *e = l->fx.replies; e; e = e->next)
        endpoint_reply(edge->endpoint, &e->to, e->reply);
    for (struct effect_job *e = l->fx.jobs; e; e = e->next)
        watch_wake_job(edge->watches, e->job);
    for (struct effect_object *e = l->fx.objects_gone; e; e = e->next)
        vet_object_gone(edge->vet, e);
    if (l->fx.erased && app_keys_destroy(edge->app_keys, l->fx.erased) < 0)
        edge_die("app_keys.destroy");
    if (l->fx.keys_changed) /* each watch is looked at again, and with it its key */
        watch_wake_all(edge->watches);
    if (l->fx.last_seq > l->last_seq) {
        l->last_seq = l->fx.last_seq;
        watch_wake_events(edge->watches, l->last_seq);
    }
}

/* Requests that were vetted may have brought a secret or the key of a source. */
static void request_end(struct inbound *in)
{
    if (in->is_vetted)
        sodium_memzero((void *)(uintptr_t)in->bytes, in->n);
    inbound_free(in);
}

/* What becomes of each request after its turn. */
static void let_go(struct loop *l, struct inbound *list)
{
    struct inbound *next;
    for (struct inbound *in = list; in; in = next) {
        next = in->next;
        in->next = NULL;
        if (in->wants_vetting) {
            if (vet_submit(l->edge->vet, in))
                continue;
            edge_refuse(l->edge, &in->to, E_OVERLOADED, NULL);
        }
        if (in->is_vetted)
            vet_release(l->edge->vet, in);
        request_end(in);
    }
}

/* Chores of the store between turns, and its news. */
static void tend(struct loop *l)
{
    struct store *s = l->edge->store;
    store_tend(s, clock_boot_ms());
    int r = store_has_room(s);
    bool is_full = r == STORE_FULL;
    if (r < 0 || is_full == l->is_full)
        return;
    l->is_full = is_full;
    atomic_store(&l->edge->store_is_full, is_full);
    if (is_full)
        log_warn("store.full", "hint=\"publishes are refused; free space on the disk of --data, or "
                               "raise --quota-bytes\"");
    else
        log_info("store.has_room", "hint=\"publishes are taken again\"");
}

static void loop_turn(struct loop *l, struct inbound *list)
{
    hear(l, list);
    int r = engine_turn(l->engine, loop_now(), list, &l->fx);
    if (r < 0)
        edge_die("turn");
    speak(l);
    let_go(l, list);
    effects_reset(&l->fx);
    tend(l);
}

static void refuse_all(struct loop *l, struct inbound *list)
{
    struct inbound *next;
    hear(l, list);
    for (struct inbound *in = list; in; in = next) {
        next = in->next;
        if (in->kind == INBOUND_REQUEST)
            edge_refuse(l->edge, &in->to, E_DRAINING, NULL);
        if (in->is_vetted)
            vet_release(l->edge->vet, in);
        inbound_free(in);
    }
}

/* For a moment longer, so that answers under way arrive and late requests hear why they are
 * refused. */
static void loop_drain(struct loop *l)
{
    uint64_t until_ms = clock_boot_ms() + DRAIN_MS;
    loop_turn(l, inbox_take(l->edge->inbox, LANE_TURN, TURN_JOBS_MAX, TURN_BYTES_MAX, 0));
    engine_drain(l->engine, &l->fx);
    speak(l);
    effects_reset(&l->fx);
    if (engine_save(l->engine, loop_now(), &l->fx) < 0)
        edge_die("turn");
    speak(l);
    effects_reset(&l->fx);
    for (uint64_t now = clock_boot_ms(); now < until_ms; now = clock_boot_ms())
        refuse_all(l, inbox_take(l->edge->inbox, LANE_TURN, TURN_JOBS_MAX, TURN_BYTES_MAX,
                                 (uint32_t)(until_ms - now)));
}

int loop_run(struct edge *edge, struct engine *engine)
{
    struct loop l = {.edge = edge, .engine = engine};
    if (effects_init(&l.fx) < 0)
        edge_die("start");
    while (atomic_load(&edge->stop) == STOP_NONE) {
        uint32_t idle_ms = engine_idle_ms(engine, loop_now(), IDLE_MS_MAX);
        struct inbound *list =
            inbox_take(edge->inbox, LANE_TURN, TURN_JOBS_MAX, TURN_BYTES_MAX, idle_ms);
        if (list || engine_idle_ms(engine, loop_now(), IDLE_MS_MAX) <= 1)
            loop_turn(&l, list);
        else
            tend(&l);
    }
    loop_drain(&l);
    effects_deinit(&l.fx);
    return atomic_load(&edge->stop);
}
