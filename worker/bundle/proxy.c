/* proxy.c: the agent makes the socket and hands it over listening, so nothing has to wait for the
 * proxy to be ready: who connects early waits in the kernel. What the proxy shall do comes on
 * stdin, because an operator's own proxy may have a password. When the proxy ends for whatever
 * reason the socket is closed with it, and whoever asks is told at once. */
#include "proxy.h"

#include <base/file.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <jansson.h>
#include <pthread.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <text.h>
#include <words.h>

#define MIB (1024ull * 1024)

/* A connection of a package manager lasts as long as one download, or waits for the next. */
enum { CONNECTIONS_MAX = 128, IDLE_MS = 120000, BACKLOG = 128, PATH_BYTES = 640 };
static const uint64_t down_bytes_max = 16384 * MIB, up_bytes_max = 64 * MIB;

static const char socket_name[] = "proxy.sock";
static const char *const places[] = {"cafile", "extra-ca", "git-ca"}; /* to mount over */

struct proxy {
    char folder[PATH_BYTES], name[64];
    const struct tools *tools;
    const struct cgroups *cgroups;
    struct limits limits;
    char *input; /* wiped and freed */
    int listener, stop_fd;
    bool is_running;
    pthread_t thread;
    struct words words;
    struct proxy_report report;
};

/* ---- what it says ---- */

__attribute__((format(printf, 2, 3))) static void report_add(struct proxy_report *r,
                                                             const char *format, ...)
{
    char text[PROXY_LINE_MAX];
    va_list args;
    if (r->lines == PROXY_LINES_MAX)
        return;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    text_clean(text, r->line[r->lines++], PROXY_LINE_MAX);
}

static void on_line(void *arg, const char *text, size_t n, bool is_cut)
{
    struct proxy *p = arg;
    json_t *line = is_cut ? NULL : json_loadb(text, n, 0, NULL);
    const char *type = json_string_value(json_object_get(line, "type"));
    const char *to = json_string_value(json_object_get(line, "to"));
    const char *why = json_string_value(json_object_get(line, "why"));
    bool is_refused = type && strcmp(type, "refused") == 0;
    if (to && why && *to)
        report_add(&p->report, "%s %.200s (%.80s)", is_refused ? "refused" : "no way to", to, why);
    else if (why)
        report_add(&p->report, "refused: %.200s", why);
    bool is_away = type && strcmp(type, "away") == 0;
    if (is_away && to && why && !p->report.away[0]) {
        char what[PROXY_LINE_MAX];
        snprintf(what, sizeof what, "%.200s (%.80s)", to, why);
        text_clean(what, p->report.away, sizeof p->report.away);
    }
    if (is_refused && to && *to && !p->report.refused[0])
        text_clean(to, p->report.refused, sizeof p->report.refused);
    json_decref(line);
}

static void on_output(void *arg, const void *p, size_t n)
{
    words_add(&((struct proxy *)arg)->words, p, n);
}

static void on_word(void *arg, const char *line, size_t n)
{
    (void)arg; /* the tail keeps the last ones */
    (void)line;
    (void)n;
}

static void on_fetched(void *arg)
{
    (void)arg;
}

/* ---- the folder ---- */

static int file_put(const struct proxy *p, int folder, const char *name, const char *text)
{
    AUTO_FD fd = openat(folder, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0400);
    if (fd < 0 || fchown(fd, p->tools->owner, (gid_t)-1) < 0)
        return err_raise(-errno);
    return write_all(fd, text, strlen(text));
}

/* By way of /proc, because the name of a socket is short and a folder's may be long. */
static int socket_open(struct proxy *p, int folder)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    snprintf(at.sun_path, sizeof at.sun_path, "/proc/self/fd/%d/%s", folder, socket_name);
    p->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (p->listener < 0 || bind(p->listener, (const struct sockaddr *)&at, sizeof at) < 0 ||
        fchmodat(folder, socket_name, 0600, 0) < 0 ||
        fchownat(folder, socket_name, p->tools->owner, (gid_t)-1, AT_SYMLINK_NOFOLLOW) < 0 ||
        listen(p->listener, BACKLOG) < 0)
        return err_raise(-errno);
    return 0;
}

static void folder_remove(const struct proxy *p)
{
    AUTO_FD folder = open(p->folder, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (folder < 0)
        return;
    static const char *const names[] = {socket_name, "npmrc", ".yarnrc.yml", "gitconfig"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        unlinkat(folder, names[i], 0);
    for (size_t i = 0; i < ARRAY_LEN(places); i++)
        unlinkat(folder, places[i], 0);
    rmdir(p->folder);
}

static int folder_make(struct proxy *p, const struct proxy_spec *spec)
{
    folder_remove(p); /* of an agent that could not finish; nobody uses our name now */
    if (mkdir(p->folder, 0711) < 0 || chmod(p->folder, 0711) < 0)
        return err_raise(-errno);
    AUTO_FD folder = open(p->folder, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (folder < 0)
        return err_raise(-errno);
    int r = socket_open(p, folder);
    for (size_t i = 0; r == 0 && i < ARRAY_LEN(places); i++)
        r = file_put(p, folder, places[i], "");
    for (size_t i = 0; r == 0 && i < spec->files; i++)
        r = file_put(p, folder, spec->file[i].name, spec->file[i].text);
    return r < 0 ? err_pass(r) : 0;
}

/* ---- what it is told ---- */

static json_t *host_json(const struct proxy_host *h)
{
    static const char *const reaches[] = {"public", "private", "any"};
    return json_pack("{ss si sb ss}", "name", h->host.name, "port", (int)h->host.port, "plain",
                     h->is_plain, "reach", reaches[h->reach]);
}

static int input_make(struct proxy *p, const struct proxy_spec *spec)
{
    json_t *hosts = json_array();
    for (size_t i = 0; i < spec->hosts; i++)
        json_array_append_new(hosts, host_json(&spec->host[i]));
    json_t *all = json_pack("{so ss ss s{si sI sI si}}", "hosts", hosts, "upstream", spec->upstream,
                            "noproxy", spec->noproxy, "limits", "connections", CONNECTIONS_MAX,
                            "down_bytes", (json_int_t)down_bytes_max, "up_bytes",
                            (json_int_t)up_bytes_max, "idle_ms", IDLE_MS);
    p->input = all ? json_dumps(all, JSON_COMPACT) : NULL;
    json_decref(all);
    return p->input ? 0 : err_raise(-ENOMEM);
}

/* ---- its life ---- */

static void *run(void *arg)
{
    struct proxy *p = arg;
    struct sandbox_run run = {.tools = p->tools,
                              .step = &steps[STEP_PROXY],
                              .limits = &p->limits,
                              .cgroups = p->cgroups,
                              .name = p->name,
                              .input = p->input,
                              .input_bytes = strlen(p->input),
                              .source_fd = p->listener,
                              .stop_fd = p->stop_fd,
                              .output = on_output,
                              .line = on_line,
                              .arg = p};
    int status = -1;
    int r = sandbox_step(&run, &status);
    words_end(&p->words);
    if (r != SANDBOX_STOPPED) {
        const char *last = strlen(p->words.tail) > 120 ? p->words.tail + strlen(p->words.tail) - 120
                                                       : p->words.tail;
        report_add(&p->report, "ended by itself: %.200s", last);
    }
    close(p->listener);
    p->listener = -1;
    return NULL;
}

static int thread_start(struct proxy *p)
{
    words_begin(&p->words);
    p->words.line = on_word;
    p->words.fetched = on_fetched;
    p->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (p->stop_fd < 0)
        return err_raise(-errno);
    int r = pthread_create(&p->thread, NULL, run, p);
    p->is_running = r == 0;
    return r ? err_raise(-r) : 0;
}

int proxy_start(const struct proxy_spec *spec, struct proxy **ret_proxy)
{
    AUTO(proxy) p = calloc(1, sizeof *p);
    if (!p)
        return err_raise(-ENOMEM);
    p->listener = p->stop_fd = -1;
    p->tools = spec->tools;
    p->cgroups = spec->cgroups;
    p->limits = limits_of_proxy(*spec->limits);
    snprintf(p->name, sizeof p->name, "%.50s-proxy", spec->name);
    snprintf(p->folder, sizeof p->folder, "%.500s/net-%.50s", spec->base, spec->name);
    int r = input_make(p, spec);
    if (r == 0)
        r = folder_make(p, spec);
    if (r == 0)
        r = thread_start(p);
    if (r < 0)
        return err_pass(r);
    *ret_proxy = TAKE(p);
    return 0;
}

const char *proxy_folder(const struct proxy *p)
{
    return p->folder;
}

const struct proxy_report *proxy_stop(struct proxy *p)
{
    if (p->is_running) {
        eventfd_write(p->stop_fd, 1);
        pthread_join(p->thread, NULL);
    }
    p->is_running = false;
    return &p->report;
}

struct proxy *proxy_free(struct proxy *p)
{
    if (!p)
        return NULL;
    proxy_stop(p);
    folder_remove(p);
    if (p->listener >= 0)
        close(p->listener);
    if (p->stop_fd >= 0)
        close(p->stop_fd);
    if (p->input)
        sodium_memzero(p->input, strlen(p->input));
    free(p->input);
    free(p);
    return NULL;
}
