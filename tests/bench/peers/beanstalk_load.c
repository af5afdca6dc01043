/* beanstalk_load.c: the same scenarios as rota-bench, for beanstalkd: a peer to measure beside us.
 *
 *   publish   put, wait for INSERTED
 *   cycle     put, reserve, delete, each answered before the next
 *   idle      one worker waits in reserve, one publisher puts: time from put to RESERVED
 *
 * One thread and epoll; a connection for each command in flight, because beanstalkd answers the
 * commands of a connection one after the other. Bodies are 1,024 bytes. */
#include "../disk.h"
#include "../figures.h"

#include <assert.h>
#include <base/auto.h>
#include <base/clock.h>
#include <base/exit.h>
#include <base/option.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>

enum {
    BODY_BYTES = 1024,
    REPLY_BYTES_MAX = 4096,
    EVENTS_MAX = 256,
    IN_FLIGHT_MAX = 8192,
    POLL_MS = 100,
    PARK_NS = 3000000,
    DIAL_NS = 5000000,
    DIALS_MAX = 1000,
};

struct settings {
    const char *socket, *data;
    uint64_t in_flight, seconds, jobs;
    bool json;
};

struct conn {
    int fd;
    uint64_t began_ns; /* of the round: its put left */
    size_t have;
    char reply[REPLY_BYTES_MAX];
};

struct load {
    const struct settings *settings;
    bool cycles;
    int epoll;
    struct conn *conns;
    uint64_t jobs, until_ns, live;
    struct histogram latency_us;
    struct figures figures;
};

static char body[BODY_BYTES + 3]; /* with the line end that closes it */

static void body_make(void)
{
    uint32_t x = 2463534242u;
    for (int i = 0; i < BODY_BYTES; i++) {
        x ^= x << 13;
        x ^= x >> 17;
        x ^= x << 5;
        body[i] = (char)('0' + x % 64);
    }
    memcpy(body + BODY_BYTES, "\r\n", 3);
}

/* ---- a connection ---- */

/* beanstalkd may be just starting: its socket is made first and listens a moment later. */
static int conn_open(struct conn *c, const char *path)
{
    static const struct timespec pause = {.tv_nsec = DIAL_NS};
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    c->have = 0;
    c->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (c->fd < 0)
        return err_raise(-errno);
    for (int i = 0; i < DIALS_MAX; i++) {
        if (connect(c->fd, (struct sockaddr *)&address, sizeof address) == 0)
            return 0;
        if (errno != ENOENT && errno != ECONNREFUSED)
            return err_raise(-errno);
        clock_nanosleep(CLOCK_MONOTONIC, 0, &pause, NULL);
    }
    return err_raise(-ECONNREFUSED);
}

/* Commands are short, and their replies are read before the next: no partial sends to keep. */
static int conn_send(struct conn *c, const char *p, size_t n)
{
    while (n) {
        ssize_t sent = send(c->fd, p, n, MSG_NOSIGNAL);
        if (sent < 0)
            return err_raise(-errno);
        p += sent;
        n -= (size_t)sent;
    }
    return 0;
}

static int put_send(struct conn *c)
{
    char out[BODY_BYTES + 64];
    int n = snprintf(out, sizeof out, "put 1024 0 120 %d\r\n", BODY_BYTES);
    memcpy(out + n, body, BODY_BYTES + 2);
    c->began_ns = clock_boot_ns();
    int r = conn_send(c, out, (size_t)n + BODY_BYTES + 2);
    return r < 0 ? err_pass(r) : 0;
}

static int reserve_send(struct conn *c)
{
    int r = conn_send(c, "reserve\r\n", 9);
    return r < 0 ? err_pass(r) : 0;
}

/* The job of the RESERVED reply in the buffer. */
static int delete_send(struct conn *c)
{
    char command[64];
    unsigned long long id = strtoull(c->reply + strlen("RESERVED "), NULL, 10);
    int n = snprintf(command, sizeof command, "delete %llu\r\n", id);
    int r = conn_send(c, command, (size_t)n);
    return r < 0 ? err_pass(r) : 0;
}

static bool reply_is(const struct conn *c, const char *word)
{
    return strncmp(c->reply, word, strlen(word)) == 0;
}

/* Is a whole reply in the buffer? Only RESERVED has a body. */
static bool reply_is_whole(const struct conn *c)
{
    const char *end = memmem(c->reply, c->have, "\r\n", 2);
    if (!end)
        return false;
    size_t line = (size_t)(end - c->reply) + 2;
    return c->have >= line + (reply_is(c, "RESERVED ") ? BODY_BYTES + 2 : 0);
}

/* Reads once. -ECONNRESET when beanstalkd is gone. */
static int conn_read(struct conn *c)
{
    ssize_t n = read(c->fd, c->reply + c->have, sizeof c->reply - 1 - c->have);
    if (n <= 0)
        return err_raise(n < 0 ? -errno : -ECONNRESET);
    c->have += (size_t)n;
    c->reply[c->have] = 0;
    return 0;
}

/* ---- publish and cycle ---- */

static int round_begin(struct load *l, struct conn *c)
{
    if (clock_boot_ns() >= l->until_ns) {
        l->live--;
        return 0;
    }
    int r = put_send(c);
    return r < 0 ? err_pass(r) : 0;
}

static int round_end(struct load *l, struct conn *c)
{
    l->jobs++;
    histogram_add(&l->latency_us, (clock_boot_ns() - c->began_ns) / 1000);
    int r = round_begin(l, c);
    return r < 0 ? err_pass(r) : 0;
}

/* The next command after a whole reply. */
static int conn_step(struct load *l, struct conn *c)
{
    int r = -EPROTO;
    c->have = 0;
    if (reply_is(c, "INSERTED"))
        r = l->cycles ? reserve_send(c) : round_end(l, c);
    else if (reply_is(c, "RESERVED"))
        r = delete_send(c);
    else if (reply_is(c, "DELETED"))
        r = round_end(l, c);
    return r < 0 ? err_pass(r) : 0;
}

static int load_open(struct load *l)
{
    uint64_t n = l->settings->in_flight;
    l->epoll = epoll_create1(EPOLL_CLOEXEC);
    l->conns = calloc(n, sizeof *l->conns);
    if (l->epoll < 0 || !l->conns)
        return err_raise(-ENOMEM);
    for (uint64_t i = 0; i < n; i++) {
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = &l->conns[i]};
        int r = conn_open(&l->conns[i], l->settings->socket);
        if (r < 0)
            return err_pass(r);
        if (epoll_ctl(l->epoll, EPOLL_CTL_ADD, l->conns[i].fd, &event) < 0)
            return err_raise(-errno);
    }
    return 0;
}

static int events_take(struct load *l)
{
    struct epoll_event events[EVENTS_MAX];
    int n = epoll_wait(l->epoll, events, EVENTS_MAX, POLL_MS);
    for (int i = 0; i < n; i++) {
        struct conn *c = events[i].data.ptr;
        int r = conn_read(c);
        if (r == 0 && reply_is_whole(c))
            r = conn_step(l, c);
        if (r < 0)
            return err_pass(r);
    }
    return 0;
}

static int load_run(struct load *l)
{
    int r = load_open(l);
    uint64_t flushes = disk_flushes(l->settings->data);
    uint64_t began_ns = clock_boot_ns();
    l->until_ns = began_ns + l->settings->seconds * 1000000000;
    l->live = l->settings->in_flight;
    for (uint64_t i = 0; i < l->settings->in_flight && r == 0; i++)
        r = round_begin(l, &l->conns[i]);
    while (r == 0 && l->live)
        r = events_take(l);
    if (r < 0)
        return err_pass(r);
    figures_count(&l->figures, "in_flight", l->settings->in_flight);
    figures_speed(&l->figures, l->jobs, (double)(clock_boot_ns() - began_ns) / 1e9, &l->latency_us);
    figures_count(&l->figures, "flushes", disk_flushes(l->settings->data) - flushes);
    return 0;
}

static int publish_run(struct load *l)
{
    return load_run(l);
}

static int cycle_run(struct load *l)
{
    l->cycles = true;
    return load_run(l);
}

/* ---- idle ---- */

static int reply_wait(struct conn *c, const char *word)
{
    c->have = 0;
    while (!reply_is_whole(c)) {
        int r = conn_read(c);
        if (r < 0)
            return err_pass(r);
    }
    return reply_is(c, word) ? 0 : err_raise(-EPROTO);
}

static int idle_round(struct load *l, struct conn *worker, struct conn *publisher)
{
    static const struct timespec pause = {.tv_nsec = PARK_NS};
    int r = reserve_send(worker);
    clock_nanosleep(CLOCK_MONOTONIC, 0, &pause, NULL);
    if (r == 0)
        r = put_send(publisher);
    if (r == 0)
        r = reply_wait(worker, "RESERVED");
    histogram_add(&l->latency_us, (clock_boot_ns() - publisher->began_ns) / 1000);
    if (r == 0)
        r = reply_wait(publisher, "INSERTED");
    if (r == 0)
        r = delete_send(worker);
    if (r == 0)
        r = reply_wait(worker, "DELETED");
    return r < 0 ? err_pass(r) : 0;
}

static int idle_run(struct load *l)
{
    static struct conn worker, publisher;
    uint64_t flushes = disk_flushes(l->settings->data), began_ns = clock_boot_ns();
    int r = conn_open(&worker, l->settings->socket);
    if (r == 0)
        r = conn_open(&publisher, l->settings->socket);
    for (l->jobs = 0; l->jobs < l->settings->jobs && r == 0; l->jobs++)
        r = idle_round(l, &worker, &publisher);
    if (r < 0)
        return err_pass(r);
    figures_speed(&l->figures, l->jobs, (double)(clock_boot_ns() - began_ns) / 1e9, &l->latency_us);
    figures_count(&l->figures, "flushes", disk_flushes(l->settings->data) - flushes);
    return 0;
}

/* ---- the program ---- */

#define O(kind, member, ...) OPTION_##kind(struct settings, member, __VA_ARGS__)

static const struct option_row rows[] = {
    O(STR, socket, "socket", "PATH", NULL, "where beanstalkd listens (its -l unix:PATH)"),
    O(STR, data, "data", "DIR", ".", "its -b folder: the disk whose flushes are counted"),
    O(U64, in_flight, "in-flight", "N", 64, 1, IN_FLIGHT_MAX, "connections"),
    O(U64, seconds, "seconds", "S", 3, 1, 3600, "how long publish and cycle run"),
    O(U64, jobs, "jobs", "N", 1000, 1, 1000000, "how many idle delivers"),
    O(FLAG, json, "json", "print JSON"),
};

static const struct option_spec spec = {
    .program = "beanstalk-load",
    .usage = "publish|cycle|idle --socket PATH [OPTION]...",
    .about = "Loads a beanstalkd as rota-bench loads a rotad.",
    .rows = rows,
    .n = ARRAY_LEN(rows),
};

static const struct {
    const char *name;
    int (*run)(struct load *l);
} scenarios[] = {{"publish", publish_run}, {"cycle", cycle_run}, {"idle", idle_run}};

static int scenario_run(struct load *l, const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(scenarios); i++)
        if (strcmp(scenarios[i].name, name) == 0) {
            l->figures.scenario = scenarios[i].name;
            return scenarios[i].run(l);
        }
    return err_raise(-EINVAL);
}

int main(int argc, char **argv)
{
    static struct settings settings;
    static struct load load = {.settings = &settings, .figures.system = "beanstalkd"};
    char trace[512];
    int n = 0;
    AUTO_FREE char **rest = calloc((size_t)argc + 1, sizeof *rest);
    int r = rest ? option_parse(&spec, argc, argv, &settings, rest, &n) : -ENOMEM;
    if (r > 0)
        return r == OPTION_HELP ? EXIT_OK : EXIT_USAGE;
    if (r == 0 && (n != 1 || !settings.socket)) {
        option_help(&spec, stderr);
        return EXIT_USAGE;
    }
    body_make();
    if (r == 0)
        r = scenario_run(&load, rest[0]);
    if (r == 0)
        r = figures_print(&load.figures, settings.json);
    if (r == 0)
        return EXIT_OK;
    fprintf(stderr, "beanstalk-load: %s (%s)\n", strerror(-r), err_trace(trace, sizeof trace));
    return EXIT_IO;
}
