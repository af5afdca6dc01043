/* heartbeat.c: one parked heartbeat for all leases.
 *
 * The broker answers it when it has a command, or after a third of the lease time, whichever is
 * first; then the next goes out. A change of phase or percent sends one at once, which replaces the
 * parked one and is answered in its place. So commands travel in the time of one trip, and a worker
 * that builds quietly costs three messages per lease time.
 *
 * Answers may overtake one another. Commands are taken from each of them. Only `lost` is believed
 * with care: not from a heartbeat that was sent before the lease came, and not while the job is
 * reported, since the lease of a job whose finish was just taken is gone as well; the finish's own
 * answer decides. */
#include "agent_parts.h"

#include <base/clock.h>
#include <base/log.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { PARK_MS_MIN = 200 };

static uint64_t rss_read(void)
{
    unsigned long long pages = 0;
    FILE *f = fopen("/proc/self/statm", "re");
    if (!f)
        return 0;
    if (fscanf(f, "%*s %llu", &pages) != 1)
        pages = 0;
    fclose(f);
    return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

struct heart_message {
    Rota__Heartbeat beat;
    Rota__JobProgress progress[AGENT_SLOTS_MAX], *list[AGENT_SLOTS_MAX];
    struct build_state state[AGENT_SLOTS_MAX];
    Rota__Resources resources;
    char *node[RESOURCES_NAMES_MAX], *manager[RESOURCES_NAMES_MAX];
};

static void progress_fill(struct heart_message *m, const struct slot *s)
{
    size_t i = m->beat.n_progress++;
    build_state_read(s->host, &m->state[i]);
    rota__job_progress__init(&m->progress[i]);
    m->progress[i].lease = s->job->lease;
    m->progress[i].phase = m->state[i].phase;
    m->progress[i].percent = m->state[i].percent;
    m->progress[i].message = m->state[i].message;
    m->list[i] = &m->progress[i];
}

/* protobuf-c has no const; it only reads. */
static void resources_fill(struct heart_message *m, const struct resources *r)
{
    rota__resources__init(&m->resources);
    m->resources.cpus = r->cpus;
    m->resources.memory_bytes = r->memory_bytes;
    m->resources.workspace_bytes = r->workspace_bytes;
    for (size_t i = 0; i < r->node.n; i++)
        m->node[i] = (char *)r->node.name[i];
    for (size_t i = 0; i < r->manager.n; i++)
        m->manager[i] = (char *)r->manager.name[i];
    m->resources.node = m->node;
    m->resources.n_node = r->node.n;
    m->resources.manager = m->manager;
    m->resources.n_manager = r->manager.n;
    m->resources.limits = (char *)r->limits;
    m->resources.isolation = (char *)r->isolation;
    m->beat.resources = &m->resources;
}

static void heart_fill(struct agent *a, struct heart_message *m)
{
    rota__heartbeat__init(&m->beat);
    m->beat.worker = (char *)a->config->worker;
    m->beat.pool = (char *)a->config->pool;
    m->beat.class_ = a->class;
    m->beat.n_class_ = a->config->class_n;
    m->beat.slots = a->config->slots;
    m->beat.version = (char *)ROTA_VERSION;
    m->beat.rss_bytes = rss_read();
    m->beat.draining = a->is_draining;
    m->beat.progress = m->list;
    if (a->config->resources)
        resources_fill(m, a->config->resources);
    for (uint32_t i = 0; i < a->config->slots; i++)
        if (a->slot[i].state != SLOT_FREE && build_stop_read(a->slot[i].host) != BUILD_LOST)
            progress_fill(m, &a->slot[i]);
}

/* Waits a third of the lease time and is given up after two, so that a dead connection leaves a
 * third for the next. */
static void heart_send(struct agent *a, uint64_t now_ms)
{
    struct heart *h = &a->heart;
    uint64_t third = a->lease_ms / 3 > PARK_MS_MIN ? a->lease_ms / 3 : PARK_MS_MIN;
    struct heart_message m = {0};
    h->is_changed = false;
    heart_fill(a, &m);
    m.beat.wait_ms = (uint32_t)third;
    Rota__Request request = ROTA__REQUEST__INIT;
    request.op_case = ROTA__REQUEST__OP_HEARTBEAT;
    request.heartbeat = &m.beat;
    h->seq++;
    h->is_parked = agent_call(a, CALL_HEARTBEAT, h->seq, &request, (uint32_t)(2 * third));
    h->flying += h->is_parked;
    h->next_ms = now_ms + (h->is_parked ? HEART_GAP_MS : backoff_ms(h->failures++));
}

void heart_step(struct agent *a, uint64_t now_ms)
{
    struct heart *h = &a->heart;
    if (h->is_parked && (!h->is_changed || h->flying >= HEART_FLYING_MAX))
        return;
    if (now_ms >= h->next_ms)
        heart_send(a, now_ms);
    if (!h->is_parked || h->is_changed)
        agent_due(a, h->next_ms);
}

static void stop_all(struct agent *a, char *const *jobs, size_t n, enum build_stop why,
                     uint64_t seq)
{
    for (size_t i = 0; i < n; i++) {
        struct slot *s = agent_slot_of(a, jobs[i]);
        if (!s || build_stop_read(s->host) == why)
            continue;
        if (why == BUILD_LOST && (seq < s->first_heartbeat || s->state == SLOT_ENDING))
            continue;
        log_info(why == BUILD_LOST ? "lease.lost" : "job.cancelled", "job=%s attempt=%u", jobs[i],
                 s->job->attempt);
        build_stop_raise(s->host, why);
    }
}

static void commands_take(struct agent *a, const Rota__HeartbeatResult *r, uint64_t seq)
{
    stop_all(a, r->cancel, r->n_cancel, BUILD_CANCELLED, seq);
    stop_all(a, r->lost, r->n_lost, BUILD_LOST, seq);
    if (r->lease_ms > 0)
        a->lease_ms = r->lease_ms;
    uint64_t heat_until_ms = r->heat_slots > 0 ? r->heat_until_ms : 0;
    if (heat_until_ms != a->heat_until_ms) {
        log_info("worker.heat", "slots=%u until_ms=%llu", r->heat_slots,
                 (unsigned long long)heat_until_ms);
        a->heat_until_ms = heat_until_ms;
        pthread_cond_broadcast(&a->changed); /* idle slots get ready, or let go */
    }
    if (r->drain)
        agent_drain(a, "broker");
}

void heart_answered(struct agent *a, const struct call *c, uint64_t now_ms)
{
    struct heart *h = &a->heart;
    const Rota__Reply *reply = c->reply;
    h->flying--;
    if (c->seq == h->seq)
        h->is_parked = false;
    if (!reply->error && reply->result_case == ROTA__REPLY__RESULT_HEARTBEAT) {
        h->failures = 0;
        commands_take(a, reply->heartbeat, c->seq);
        return;
    }
    if (c->seq == h->seq)
        h->next_ms = now_ms + backoff_ms(h->failures++);
    if (reply->error && !is_passing(reply->error))
        agent_refused(a, "heartbeat", reply->error);
}
