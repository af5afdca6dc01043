/* escape_net.c: what a hostile package manager tries to reach from within an install, and what
 * becomes of it.
 *
 * The sandbox is the plan's own row for an install, with a real proxy beside it; only the command
 * differs: tests/apps/hostile/escape/network.py tries everything that it can name, directly and
 * through the proxy. The list has one address of this machine that is allowed, and names and
 * addresses that are listed but may not lead where they lead. Each attempt must be refused; the one
 * listener that is allowed must be reached; and nobody may have come to the others.
 *
 *   escape_net APPS_FOLDER */
#undef NDEBUG
#include "escape_host.h"

#include <arpa/inet.h>
#include <assert.h>
#include <base/clock.h>
#include <base/exit.h>
#include <base/file.h>
#include <errno.h>
#include <frame.h>
#include <netinet/in.h>
#include <proxy.h>
#include <pthread.h>
#include <sodium.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <toolpath.h>
#include <unistd.h>

enum { ATTEMPTS = 50, BYTES_MAX = 1 << 20, TUNNELS_MAX = 128, WALL_MS = 120000 };

static struct tools tools;
static struct space_root root;
static struct escape_host host;
static unsigned rows_n, rows_good;

static void row_note(const char *name, bool is_good, const char *why)
{
    rows_n++;
    rows_good += is_good;
    printf("%s %s%s%s\n", is_good ? "held  " : "ESCAPED", name, *why ? ": " : "", why);
    fflush(stdout);
}

/* ---- the listener that is allowed: says back the first bytes, and counts ---- */

static atomic_int open_now, open_most;
static atomic_ullong bytes_heard;

static void *hear(void *arg)
{
    int fd = (int)(intptr_t)arg;
    char bytes[65536];
    bool is_first = true;
    int now = atomic_fetch_add(&open_now, 1) + 1, most = atomic_load(&open_most);
    while (now > most && !atomic_compare_exchange_weak(&open_most, &most, now))
        continue;
    for (ssize_t n; (n = read(fd, bytes, sizeof bytes)) > 0; is_first = false) {
        atomic_fetch_add(&bytes_heard, (unsigned long long)n);
        if (is_first && send(fd, bytes, (size_t)n, MSG_NOSIGNAL) < 0)
            break;
    }
    close(fd);
    atomic_fetch_sub(&open_now, 1);
    return NULL;
}

static void *listen_on(void *arg)
{
    int listener = (int)(intptr_t)arg;
    for (;;) {
        pthread_t thread;
        int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        if (fd < 0)
            return NULL;
        assert(pthread_create(&thread, NULL, hear, (void *)(intptr_t)fd) == 0);
        pthread_detach(thread);
    }
}

static uint16_t allowed_open(void)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof in;
    pthread_t thread;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert(fd >= 0 && bind(fd, (struct sockaddr *)&in, sizeof in) == 0 && listen(fd, 256) == 0);
    assert(getsockname(fd, (struct sockaddr *)&in, &n) == 0);
    assert(pthread_create(&thread, NULL, listen_on, (void *)(intptr_t)fd) == 0);
    pthread_detach(thread);
    return ntohs(in.sin_port);
}

/* ---- the sandbox ---- */

static void on_line(void *arg, const char *line, size_t n, bool is_cut)
{
    char copy[512];
    (void)arg;
    (void)n;
    (void)is_cut;
    snprintf(copy, sizeof copy, "%s", line);
    char *name = strchr(copy, '\t');
    char *why = name ? strchr(name + 1, '\t') : NULL;
    if (!why)
        return;
    *name++ = 0;
    *why++ = 0;
    row_note(name, strcmp(copy, "refused") == 0, why);
}

static void on_output(void *arg, const void *p, size_t n)
{
    (void)arg;
    fwrite(p, 1, n, stderr);
}

static void app_bring(const char *apps, const struct space *s, uint16_t allowed)
{
    char path[SPACE_PATH_MAX + 64], more[256];
    AUTO_FREE char *text = NULL;
    size_t n = 0;
    escape_bring(apps, "network.js", s, "install");
    escape_bring(apps, "network.py", s, "install");
    snprintf(path, sizeof path, "%s/install/params", s->path);
    escape_host_tell(&host, path);
    assert(file_read(path, BYTES_MAX, &text, &n) == 0);
    FILE *f = fopen(path, "ae");
    snprintf(more, sizeof more, "allowed=%u\nnamed=%d\n", (unsigned)allowed, host.port);
    assert(f && fputs(more, f) >= 0 && fclose(f) == 0);
}

static struct proxy_host entry(const char *name, uint16_t port, enum route_reach reach)
{
    struct proxy_host h = {.host.port = port, .reach = reach};
    snprintf(h.host.name, sizeof h.host.name, "%s", name);
    return h;
}

static struct proxy *proxy_open(const struct limits *limits, const struct cgroups *groups,
                                uint16_t allowed)
{
    struct proxy *proxy = NULL;
    uint16_t port = (uint16_t)host.port;
    const struct proxy_host list[] = {
        entry("127.0.0.1", allowed, ROUTE_ANY), entry("localhost", port, ROUTE_PRIVATE),
        entry("127.0.0.2", port, ROUTE_PUBLIC), entry("10.0.0.1", 443, ROUTE_PUBLIC),
        entry("169.254.169.254", 80, ROUTE_PRIVATE)};
    const struct proxy_spec spec = {.tools = &tools,
                                    .cgroups = groups,
                                    .limits = limits,
                                    .base = root.path,
                                    .name = "slot-0",
                                    .host = list,
                                    .hosts = ARRAY_LEN(list),
                                    .upstream = "",
                                    .noproxy = "",
                                    .file = {{"npmrc", "x=y\n"}},
                                    .files = 1};
    assert(proxy_start(&spec, &proxy) == 0);
    return proxy;
}

static struct step step_hostile(void)
{
    struct step s = steps[STEP_INSTALL];
    static const struct step_arg args[] = {{"/rota/node", WORD_NONE},
                                           {"/w/app/network.js", WORD_NONE}};
    memset(s.args, 0, sizeof s.args);
    memcpy(s.args, args, sizeof args);
    return s;
}

static void install_run(const struct space *space, const struct limits *limits,
                        const struct cgroups *groups, const struct proxy *proxy)
{
    const struct step step = step_hostile();
    struct sandbox_run run = {.tools = &tools,
                              .space = space,
                              .step = &step,
                              .limits = limits,
                              .cgroups = groups,
                              .name = "escape",
                              .net = proxy_folder(proxy),
                              .source_fd = -1,
                              .stop_fd = -1,
                              .output = on_output,
                              .line = on_line};
    int status = -1;
    int r = sandbox_step(&run, &status);
    char text[80];
    snprintf(text, sizeof text, "outcome %d, status %d, %u attempts", r, status, rows_n);
    row_note("the attempts end by themselves", r == 0 && status == 0 && rows_n == ATTEMPTS, text);
}

static void aftermath(struct proxy *proxy)
{
    char text[160];
    const struct proxy_report *report = proxy_stop(proxy);
    for (size_t i = 0; i < report->lines; i++)
        printf("proxy: %s\n", report->line[i]);
    row_note("the log says what was refused", report->lines > 10 && report->refused[0],
             report->refused);
    snprintf(text, sizeof text, "at most %d at once, %llu MiB heard", atomic_load(&open_most),
             atomic_load(&bytes_heard) >> 20);
    row_note("the allowed listener was not overrun",
             atomic_load(&open_most) <= TUNNELS_MAX && atomic_load(&bytes_heard) < 80ull << 20 &&
                 atomic_load(&bytes_heard) > 0,
             text);
    snprintf(text, sizeof text, "%s", proxy_folder(proxy));
    proxy_free(proxy);
    row_note("/net is gone", access(text, F_OK) < 0 && errno == ENOENT, "");
    row_note("nobody came to the host's other listeners", escape_host_is_whole(&host), "");
}

static void ready(void)
{
    char why[TOOLS_WHY_MAX] = "";
    assert(sodium_init() >= 0 && prctl(PR_SET_CHILD_SUBREAPER, 1) == 0 && filters_make() == 0);
    program_note();
    if (space_enter(&root, why) != 0 || tools_find(&root, &tools, why) != 0 ||
        frame_probe(&tools, why) != 0) {
        fprintf(stderr, "no sandbox here: %s\n", why);
        exit(EXIT_CONFIG);
    }
    escape_host_open(&host, &root, tools.owner);
}

int main(int argc, char **argv)
{
    static const struct cgroups no_groups = {.kind = CGROUP_NONE};
    struct space *space = NULL;
    assert(argc == 2);
    ready();
    uint64_t from_ms = clock_boot_ms();
    struct limits limits = limits_of("P3", 64 << 20);
    limits.wall_ms = WALL_MS;
    assert(space_new(&root, "slot-0", 64 << 20, tools.owner, &space) == 0);
    uint16_t allowed = allowed_open();
    app_bring(argv[1], space, allowed);
    struct proxy *proxy = proxy_open(&limits, &no_groups, allowed);
    install_run(space, &limits, &no_groups, proxy);
    aftermath(proxy);
    space_free(space);
    escape_host_close(&host);
    printf("%u of %u held, in %llu ms\n", rows_good, rows_n,
           (unsigned long long)(clock_boot_ms() - from_ms));
    return rows_good == rows_n ? EXIT_OK : EXIT_JOB_FAILED;
}
