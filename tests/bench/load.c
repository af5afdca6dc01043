/* load.c: slots on librota's asynchronous calls. The last slot to end wakes the waiter. */
#include "load.h"

#include <assert.h>
#include <base/clock.h>
#include <errno.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

struct load {
    struct load_config config;
    uint64_t started_ns, until_ns; /* until 0: no end of its own */
    uint64_t ended_ns;
    _Atomic unsigned live;
    _Atomic uint64_t refused;
    char refusal[41];
    sem_t ended;
    struct slot *slots;
    char *own;
};

volatile sig_atomic_t load_interrupted;

static void slot_step(struct slot *s, const Rota__Reply *reply)
{
    struct load *l = s->load;
    if (l->config.step(s, reply))
        return;
    if (atomic_fetch_sub(&l->live, 1) == 1) {
        l->ended_ns = clock_boot_ns();
        sem_post(&l->ended);
    }
}

static void slot_done(void *arg, Rota__Reply *reply)
{
    slot_step(arg, reply);
    rota_reply_free(reply);
}

bool slot_call(struct slot *s, Rota__Request *request, uint32_t timeout_ms)
{
    s->sent_ns = clock_boot_ns();
    int r = rota_call_start(s->load->config.client, request, timeout_ms, slot_done, s);
    if (r == 0)
        return true;
    Rota__Error error = ROTA__ERROR__INIT;
    error.name = (char *)strerrorname_np(-r);
    slot_refused(s, &error);
    return false;
}

void slot_refused(struct slot *s, const Rota__Error *error)
{
    struct load *l = s->load;
    if (atomic_fetch_add(&l->refused, 1) == 0)
        snprintf(l->refusal, sizeof l->refusal, "%s", error->name);
}

void slot_timed(struct slot *s, uint64_t since_ns)
{
    histogram_add(&s->latency_us, (clock_boot_ns() - since_ns) / 1000);
}

bool load_is_over(const struct load *l)
{
    return load_interrupted || (l->until_ns && clock_boot_ns() >= l->until_ns);
}

static void slots_start(struct load *l)
{
    for (unsigned i = 0; i < l->config.in_flight; i++) {
        struct slot *s = &l->slots[i];
        s->load = l;
        s->index = i;
        s->arg = l->config.arg;
        s->own = l->own + i * l->config.own_bytes;
    }
    for (unsigned i = 0; i < l->config.in_flight; i++)
        slot_step(&l->slots[i], NULL);
}

int load_start(const struct load_config *config, struct load **ret_load)
{
    assert(config->in_flight && config->step);
    AUTO(load) l = calloc(1, sizeof *l);
    if (!l)
        return err_raise(-ENOMEM);
    l->config = *config;
    l->config.own_bytes = (config->own_bytes + 15) / 16 * 16; /* keeps each slot's aligned */
    sem_init(&l->ended, 0, 0);
    l->slots = calloc(config->in_flight, sizeof *l->slots);
    l->own = calloc(config->in_flight, l->config.own_bytes + 1);
    if (!l->slots || !l->own)
        return err_raise(-ENOMEM);
    atomic_store(&l->live, config->in_flight);
    l->started_ns = clock_boot_ns();
    if (config->seconds > 0)
        l->until_ns = l->started_ns + (uint64_t)(config->seconds * 1e9);
    slots_start(l);
    *ret_load = TAKE(l);
    return 0;
}

void load_wait(struct load *l)
{
    while (sem_wait(&l->ended) < 0)
        assert(errno == EINTR);
}

struct load *load_free(struct load *l)
{
    if (!l)
        return NULL;
    sem_destroy(&l->ended);
    free(l->slots);
    free(l->own);
    free(l);
    return NULL;
}

void load_result(const struct load *l, struct load_result *ret_result)
{
    memset(ret_result, 0, sizeof *ret_result);
    for (unsigned i = 0; i < l->config.in_flight; i++) {
        ret_result->jobs += l->slots[i].jobs;
        histogram_merge(&ret_result->latency_us, &l->slots[i].latency_us);
    }
    ret_result->refused = atomic_load(&l->refused);
    memcpy(ret_result->refusal, l->refusal, sizeof l->refusal);
    ret_result->seconds = (double)(l->ended_ns - l->started_ns) / 1e9;
}

struct slot *load_slot(struct load *l, unsigned index)
{
    assert(index < l->config.in_flight);
    return &l->slots[index];
}
