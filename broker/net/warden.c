/* warden.c: one thread that looks after what nng 1.5.2 does not.
 *
 * Four times in `probe_ms` it hangs up on pipes that stayed silent too long, delivers notices that
 * were owed for want of memory, and pings each listener. The fault behind the ping: when a peer
 * goes away between connect and the end of the SP handshake, nng gives that connection's EPIPE (as
 * NNG_ECLOSED) to the listener's own accept, which takes it for "the listener was closed" and never
 * accepts again. The kernel and the handshake go on, so clients connect, are greeted, and are never
 * heard. It takes a connect and a close on IPC, a FIN and a RST on TCP, and a break-off in the TLS
 * handshake.
 *
 * An unanswered ping means: listen anew at the same address (listener.c), then hang up on those
 * whom the dead listener took in (socket.c), so that they connect to the new one. */
#include "net/inside.h"

#include "net/probe.h"
#include "net/socket.h"

#include <assert.h>
#include <base/clock.h>
#include <errno.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <unistd.h>

enum {
    PROBE_MS = 1000,
    TICKS_PER_PROBE = 4,
    SILENT_BATCH = 64,
    LOOK_MS = 100,
    REAP_MS_MAX = 10000
};

static uint32_t probe_timeout_ms(const struct endpoint *e)
{
    return e->config.probe_ms ? e->config.probe_ms : PROBE_MS;
}

static void sweep_silent(struct endpoint *e)
{
    uint32_t pipes[SILENT_BATCH];
    uint64_t now_ms = clock_boot_ms();
    if (now_ms < SILENT_MS_MAX)
        return;
    size_t n;
    do {
        n = pipe_table_silent(e->pipes, now_ms - SILENT_MS_MAX, pipes, ARRAY_LEN(pipes));
        for (size_t i = 0; i < n; i++)
            endpoint_pipe_close(e, pipes[i]);
        atomic_fetch_add(&e->closed_silent, n);
    } while (n == ARRAY_LEN(pipes));
}

/* The id is random and known to nobody else, so that no client can have its request taken for a
 * probe. */
static int ping_listener(struct endpoint *e, const struct sockaddr *address, socklen_t n,
                         uint32_t timeout_ms)
{
    uint64_t id;
    if (getrandom(&id, sizeof id, 0) != (ssize_t)sizeof id)
        return err_raise(-EIO);
    id |= 1; /* 0 means that no probe is under way */
    atomic_store(&e->probe_id, id);
    int r = probe_ping(address, n, id, timeout_ms, e->stop_fd);
    atomic_store(&e->probe_id, 0);
    return r < 0 ? err_pass(r) : r;
}

/* An unanswered ping alone may mean a starved machine. A dead listener lets no pipe through at all,
 * not even the ping's own. */
int listener_probe(struct endpoint *e, struct listener *l, uint32_t timeout_ms)
{
    struct sockaddr_storage address;
    socklen_t n = listener_probe_address(l, &address);
    uint32_t came_n = atomic_load(&l->came_n);
    int r = l->transport == TRANSPORT_TLS
                ? probe_connect((struct sockaddr *)&address, n, timeout_ms, e->stop_fd)
                : ping_listener(e, (struct sockaddr *)&address, n, timeout_ms);
    if (r < 0) {
        /* Our own want of descriptors or memory says nothing about the listener. */
        endpoint_note(e, "net.probe_failed", "url=%s fault=%s", l->url, strerrorname_np(-r));
        return LISTENER_SLOW;
    }
    if (r == 0 || r == PROBE_STOPPED)
        return LISTENER_ALIVE;
    return r == PROBE_SILENT && atomic_load(&l->came_n) != came_n ? LISTENER_SLOW : LISTENER_DEAD;
}

static void tell_limit(struct endpoint *e, const char *why)
{
    if (e->is_limit_told)
        return;
    e->is_limit_told = true;
    endpoint_note(e, "net.drain", "why=\"%s\" relistens=%u", why, atomic_load(&e->relistens));
    if (e->config.relisten_limit)
        e->config.relisten_limit(e->config.arg);
}

/* One tick after the new listener began: by then the dead one has taken in all who had called it.
 * Whose bytes stay unread from the first look to the second is stranded. The rest are looked at
 * each tick: a stranded client may have nothing to say yet. */
static void suspect_all(struct endpoint *e, struct listener *l)
{
    struct pollfd stop = {.fd = e->stop_fd, .events = POLLIN};
    uint32_t hung_up = 0;
    free(l->suspects);
    l->suspects = NULL;
    l->suspects_n = 0;
    l->has_to_suspect = false;
    int r = suspects_collect(&l->address.any, &l->suspects, &l->suspects_n);
    if (r < 0)
        endpoint_note(e, "net.suspects_failed", "url=%s fault=%s", l->url, strerrorname_np(-r));
    l->suspects_n = suspects_look(l->suspects, l->suspects_n, &hung_up);
    poll(&stop, 1, LOOK_MS);
}

static void look_at_suspects(struct endpoint *e)
{
    for (struct listener *l = e->listeners; l; l = l->next) {
        uint32_t hung_up = 0;
        if (l->has_to_suspect)
            suspect_all(e, l);
        l->suspects_n = suspects_look(l->suspects, l->suspects_n, &hung_up);
        if (hung_up > 0)
            endpoint_note(e, "net.stranded", "url=%s hung_up=%u", l->url, hung_up);
    }
}

static void revive(struct endpoint *e, struct listener *l)
{
    if (atomic_load(&e->relistens) >= RELISTENS_MAX) {
        tell_limit(e, "as many re-listens as descriptors allow");
        return;
    }
    int r = listener_reopen(l, e->socket);
    if (r == 0) {
        uint32_t n = atomic_fetch_add(&e->relistens, 1) + 1;
        l->has_to_suspect = true;
        endpoint_note(e, "net.relisten", "url=%s relistens=%u", l->url, n);
    } else {
        endpoint_note(e, "net.relisten_failed", "url=%s fault=%s, trying again", l->url,
                      r < 0 ? strerrorname_np(-r) : "EADDRINUSE");
    }
}

/* nng takes pipes apart one after the other. When it never gets round to a probe's, which was hung
 * up on long ago, that thread is stuck (calls.c), and only a new process helps. */
static void watch_reaper(struct endpoint *e)
{
    uint64_t now_ms = clock_boot_ms();
    if (e->watched_pipe == 0 || !pipe_table_has(e->pipes, e->watched_pipe)) {
        e->watched_pipe = atomic_load(&e->probe_pipe);
        e->watched_since_ms = now_ms;
    } else if (now_ms - e->watched_since_ms > REAP_MS_MAX) {
        tell_limit(e, "nng takes no pipes apart any more");
    }
}

/* TLS is left out: a ping would need a certificate that its client CA has signed, and connecting
 * without a handshake shows nothing. See the ADR for what that leaves open. */
static void probe_all(struct endpoint *e)
{
    for (struct listener *l = e->listeners; l; l = l->next) {
        if (l->transport == TRANSPORT_TLS)
            continue;
        /* Twice: a listener that died during the first may have let pipes through before. */
        int r = listener_probe(e, l, probe_timeout_ms(e) / 2);
        if (r != LISTENER_ALIVE)
            r = listener_probe(e, l, probe_timeout_ms(e) / 2);
        if (r == LISTENER_DEAD)
            revive(e, l);
        else if (r == LISTENER_SLOW)
            endpoint_note(e, "net.probe_slow", "url=%s timeout_ms=%u", l->url, probe_timeout_ms(e));
    }
}

static void round_make(struct endpoint *e)
{
    sweep_silent(e);
    pipe_table_settle_owed(e->pipes);
    look_at_suspects(e);
    if (e->config.no_self_probe)
        return;
    watch_reaper(e);
    probe_all(e);
}

static void *warden_run(void *arg)
{
    struct endpoint *e = arg;
    struct pollfd stop = {.fd = e->stop_fd, .events = POLLIN};
    int tick_ms = (int)(probe_timeout_ms(e) / TICKS_PER_PROBE);
    while (poll(&stop, 1, tick_ms) <= 0)
        round_make(e);
    return NULL;
}

int warden_start(struct endpoint *e)
{
    int r = pthread_create(&e->warden, NULL, warden_run, e);
    return r ? err_raise(-r) : 0;
}

void warden_stop(struct endpoint *e)
{
    int r = eventfd_write(e->stop_fd, 1);
    assert(r == 0);
    (void)r;
    pthread_join(e->warden, NULL);
}
