/* host.c: see host.h. */
#include "sim/host.h"

#include "sim/link.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

enum { SPOILT_PERMILLE = 30 };

static const char environment[] = "development";

static void fill(void *arg, void *p, size_t n)
{
    struct random *r = arg;
    for (size_t i = 0; i < n; i++)
        ((uint8_t *)p)[i] = (uint8_t)random_next(r);
}

void host_init(struct sim_host *h, uint64_t seed)
{
    *h = (struct sim_host){
        .random = {seed ^ 0x686f7374}, .looks = {seed ^ 0x6c6f6f6b}, .turn_ms = UINT64_MAX};
    h->inbox_end = &h->inbox;
    snprintf(h->dir, sizeof h->dir, "sim-%llu", (unsigned long long)seed);
    fill(&h->random, h->hash_key, sizeof h->hash_key);
    int r = effects_init(&h->fx);
    assert(r == 0);
    (void)r;
}

static void inbox_drop(struct sim_host *h)
{
    for (struct message *m = h->inbox, *next; m; m = next) {
        next = m->next;
        message_free(m);
    }
    h->inbox = NULL;
    h->inbox_end = &h->inbox;
}

void host_kill(struct sim_host *h)
{
    h->engine = engine_free(h->engine);
    h->board = board_free(h->board);
    h->auth = auth_free(h->auth);
    h->faults = host_faults(h);
    h->store = store_sim_crash(h->store);
    effects_reset(&h->fx);
    inbox_drop(h);
    h->turn_ms = UINT64_MAX;
    h->dies_after_commit = false;
}

void host_deinit(struct sim_host *h)
{
    host_kill(h);
    effects_deinit(&h->fx);
    store_sim_forget(h->dir);
}

static int boot(struct sim_host *h, struct now now)
{
    struct store_config config = {.dir = h->dir, .create = true};
    int r = store_open(&config, &h->store);
    if (r == 0)
        r = auth_new(environment, h->hash_key, &h->auth);
    if (r == 0)
        r = board_new(&h->board);
    if (r == 0 && !h->credential[0])
        r = engine_init(h->store, environment, h->hash_key, now.wall_ms, h->credential);
    if (r != 0)
        return r;
    struct engine_config engine = {.store = h->store,
                                   .auth = h->auth,
                                   .board = h->board,
                                   .environment = environment,
                                   .hash_key = h->hash_key,
                                   .lease_ms = h->lease_ms,
                                   .random = fill,
                                   .random_arg = &h->random,
                                   .kept_succeeded = h->kept,
                                   .kept_failed = h->kept,
                                   .checks_aborts = true};
    return engine_open(&engine, now, &h->engine);
}

int host_boot(struct sim_host *h, struct now now)
{
    assert(!host_is_up(h));
    int r = boot(h, now);
    if (r != 0)
        host_kill(h);
    return r;
}

void host_take(struct sim_host *h, struct message *m)
{
    m->next = NULL;
    *h->inbox_end = m;
    h->inbox_end = &m->next;
}

/* What the sockets would have made of the message; `bytes` stay the message's. */
static struct inbound *inbound_of(const struct message *m)
{
    struct inbound *in = calloc(1, sizeof *in);
    assert(in);
    in->kind = m->is_pipe_gone ? INBOUND_PIPE_GONE : INBOUND_REQUEST;
    in->bytes = m->bytes;
    in->n = m->n;
    in->op_tag = m->op_tag;
    in->peer = (struct peer){.pipe = m->pipe, .is_ipc = true, .is_loopback = true};
    in->to = (struct reply_to){.pipe = m->pipe, .request_id = m->request_id};
    in->is_counted = m->is_counted;
    in->is_vetted = m->is_vetted;
    in->vetted = m->is_spoilt ? E_OBJECT_MISMATCH : E_OK;
    return in;
}

/* As a reader thread would: looks at what the request names. A finish says so again when told. */
static void message_look(struct sim_host *h, struct message *m, const struct inbound *in)
{
    m->is_counted = in->is_counted;
    m->is_vetted = true;
    m->is_spoilt =
        m->op_tag == ROTA__REQUEST__OP_FINISH && random_below(&h->looks, 1000) < SPOILT_PERMILLE;
}

/* The inbox after a turn over `list`: those that had to be looked at first. */
static void inbox_settle(struct sim_host *h, const struct inbound *list)
{
    struct message *m = h->inbox, *next;
    h->inbox = NULL;
    h->inbox_end = &h->inbox;
    for (; m && list; m = next, list = list->next) {
        next = m->next;
        if (list->wants_vetting) {
            message_look(h, m, list);
            host_take(h, m);
        } else {
            message_free(m);
        }
    }
}

int host_turn(struct sim_host *h, struct now now)
{
    struct inbound *list = NULL, **end = &list;
    for (const struct message *m = h->inbox; m; m = m->next) {
        *end = inbound_of(m);
        end = &(*end)->next;
    }
    effects_reset(&h->fx);
    int r = engine_turn(h->engine, now, list, &h->fx);
    inbox_settle(h, list);
    for (struct inbound *next; list; list = next) {
        next = list->next;
        free(list);
    }
    if (r < 0)
        effects_reset(&h->fx);
    return r;
}

uint64_t host_deadly_faults(const struct sim_host *h)
{
    static const enum store_sim_fault deadly[] = {STORE_SIM_WRITE_EIO,    STORE_SIM_COMMIT_MADE,
                                                  STORE_SIM_COMMIT_LOST,  STORE_SIM_UNKNOWN_MADE,
                                                  STORE_SIM_UNKNOWN_LOST, STORE_SIM_COMMIT_FENCED};
    uint64_t sum = 0;
    for (size_t i = 0; h->store && i < ARRAY_LEN(deadly); i++)
        sum += store_sim_hits(h->store, deadly[i]);
    return sum;
}

uint64_t host_faults(const struct sim_host *h)
{
    uint64_t sum = 0;
    if (!h->store)
        return h->faults;
    for (unsigned f = 0; f < STORE_SIM_FAULTS; f++)
        sum += store_sim_hits(h->store, f);
    return sum;
}
