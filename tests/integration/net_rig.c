/* net_rig.c: see net_rig.h. */
#undef NDEBUG
#include "net_rig.h"

#include <arpa/inet.h>
#include <assert.h>
#include <base/clock.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void note(void *arg, const char *event, const char *text)
{
    struct rig *rig = arg;
    pthread_mutex_lock(&rig->mx);
    size_t n = strlen(rig->notes);
    snprintf(rig->notes + n, sizeof rig->notes - n, "%s %s\n", event, text);
    pthread_mutex_unlock(&rig->mx);
}

static void relisten_limit(void *arg)
{
    atomic_fetch_add(&((struct rig *)arg)->relisten_limits, 1);
}

static void park(struct rig *rig, const struct inbound *in)
{
    pthread_mutex_lock(&rig->mx);
    uint32_t n = atomic_load(&rig->parked);
    assert(n < RIG_PARKED_MAX);
    rig->parked_to[n] = in->to;
    pthread_mutex_unlock(&rig->mx);
    atomic_fetch_add(&rig->parked, 1);
}

static void answer_log_read(struct rig *rig, const struct inbound *in, uint64_t n)
{
    uint8_t *data = calloc(1, n + 1);
    assert(data);
    Rota__LogReadResult result = ROTA__LOG_READ_RESULT__INIT;
    Rota__Reply reply = ROTA__REPLY__INIT;
    result.data.data = data;
    result.data.len = n;
    reply.result_case = ROTA__REPLY__RESULT_LOG_READ;
    reply.log_read = &result;
    endpoint_reply(rig->endpoint, &in->to, &reply);
    free(data);
}

static void answer_ping(struct rig *rig, const struct inbound *in)
{
    Rota__PingResult result = ROTA__PING_RESULT__INIT;
    Rota__Reply reply = ROTA__REPLY__INIT;
    reply.result_case = ROTA__REPLY__RESULT_PING;
    reply.ping = &result;
    endpoint_reply(rig->endpoint, &in->to, &reply);
}

static void answer(struct rig *rig, const struct inbound *in)
{
    Rota__Request *request = rota__request__unpack(NULL, in->n, in->bytes);
    assert(request && request->request_id == in->to.request_id);
    if (request->credential[0])
        endpoint_pipe_is_known(rig->endpoint, in->peer.pipe);
    if (in->op_tag == ROTA__REQUEST__OP_LEASE && request->lease->wait_ms > 0)
        park(rig, in);
    else if (in->op_tag == ROTA__REQUEST__OP_LOG_READ)
        answer_log_read(rig, in, request->log_read->offset);
    else
        answer_ping(rig, in);
    rota__request__free_unpacked(request, NULL);
    atomic_fetch_add(&rig->answered, 1);
}

static void take_one(struct rig_lane *lane, const struct inbound *in)
{
    if (in->kind == INBOUND_PIPE_GONE) {
        atomic_fetch_add(&lane->gone, 1);
        return;
    }
    pthread_mutex_lock(&lane->rig->mx);
    lane->rig->last_peer = in->peer;
    pthread_mutex_unlock(&lane->rig->mx);
    answer(lane->rig, in);
}

static void *lane_run(void *arg)
{
    struct rig_lane *lane = arg;
    while (!atomic_load(&lane->rig->is_stopping)) {
        if (atomic_load(&lane->rig->is_paused)) {
            poll(NULL, 0, 1);
            continue;
        }
        struct inbound *in = inbox_take(lane->rig->inbox, lane->lane, 2000, 4 << 20, 100), *next;
        for (; in; in = next) {
            next = in->next;
            take_one(lane, in);
            inbound_free(in);
        }
    }
    return NULL;
}

void rig_prepare(struct rig *rig, const struct endpoint_config *config)
{
    memset(rig, 0, sizeof *rig);
    snprintf(rig->dir, sizeof rig->dir, "/tmp/rota-net-XXXXXX");
    assert(mkdtemp(rig->dir));
    snprintf(rig->path, sizeof rig->path, "%s/rota.sock", rig->dir);
    snprintf(rig->url, sizeof rig->url, "ipc://%s", rig->path);
    pthread_mutex_init(&rig->mx, NULL);
    assert(inbox_new(&rig->inbox) == 0);
    struct endpoint_config full = config ? *config : (struct endpoint_config){0};
    full.inbox = rig->inbox;
    full.note = note;
    full.relisten_limit = relisten_limit;
    full.arg = rig;
    assert(endpoint_new(&full, &rig->endpoint) == 0);
}

void rig_start(struct rig *rig)
{
    for (int i = 0; i < OP_LANES; i++) {
        rig->lanes[i].rig = rig;
        rig->lanes[i].lane = (enum op_lane)i;
        assert(pthread_create(&rig->lanes[i].thread, NULL, lane_run, &rig->lanes[i]) == 0);
    }
    assert(endpoint_start(rig->endpoint) == 0);
}

void rig_open(struct rig *rig, const struct endpoint_config *config, const char *url)
{
    rig_prepare(rig, config);
    assert(endpoint_listen(rig->endpoint, url ? url : rig->url) == 0);
    rig_start(rig);
}

void rig_close(struct rig *rig)
{
    atomic_store(&rig->is_stopping, true);
    for (int i = 0; i < OP_LANES; i++) {
        inbox_wake(rig->inbox, (enum op_lane)i);
        pthread_join(rig->lanes[i].thread, NULL);
    }
    rig->endpoint = endpoint_free(rig->endpoint);
    rig->inbox = inbox_free(rig->inbox);
    unlink(rig->path);
    rmdir(rig->dir);
    pthread_mutex_destroy(&rig->mx);
}

bool rig_noted(struct rig *rig, const char *event)
{
    pthread_mutex_lock(&rig->mx);
    bool is_there = strstr(rig->notes, event);
    pthread_mutex_unlock(&rig->mx);
    return is_there;
}

bool rig_await(const _Atomic uint32_t *counter, uint32_t least, uint32_t wait_ms)
{
    uint64_t until_ms = clock_boot_ms() + wait_ms;
    while (atomic_load(counter) < least) {
        if (clock_boot_ms() >= until_ms)
            return false;
        poll(NULL, 0, 2);
    }
    return true;
}

struct endpoint_stats rig_stats(struct rig *rig)
{
    struct endpoint_stats stats;
    endpoint_stats(rig->endpoint, &stats);
    return stats;
}

struct peer rig_last_peer(struct rig *rig)
{
    pthread_mutex_lock(&rig->mx);
    struct peer peer = rig->last_peer;
    pthread_mutex_unlock(&rig->mx);
    return peer;
}

uint16_t rig_free_port(void)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof in;
    assert(bind(fd, (struct sockaddr *)&in, n) == 0);
    assert(getsockname(fd, (struct sockaddr *)&in, &n) == 0);
    close(fd);
    return ntohs(in.sin_port);
}
