/* main.c: rota-worker from its first line to its exit code.
 *
 * The order is fixed by the kernel: signals are blocked before there is a thread, so that all
 * threads have them blocked and only the signalfd sees them; the runner looks at the machine, and
 * may enter namespaces, while the process has one thread; the client comes last, because nng brings
 * its own. Core dumps are off before the key is read. */
#include "memory.h"
#include "private.h"
#include "remains.h"
#include "settings.h"

#include <base/exit.h>
#include <base/log.h>
#include <errno.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>

static int signals_take(int *ret_fd)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
        return err_raise(-errno);
    signal(SIGPIPE, SIG_IGN);
    int fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (fd < 0)
        return err_raise(-errno);
    *ret_fd = fd;
    return 0;
}

static int runner_check(const struct worker_settings *s, struct resources *ret_resources)
{
    char said[RUNNER_SAID_MAX] = "";
    int r = s->chosen->check(&s->for_runner, said);
    if (r == 0) {
        log_info("worker.runner", "runner=%s %s", s->chosen->name, said);
        resources_here(said, ret_resources);
        return 0;
    }
    log_error("worker.unusable", "runner=%s %s", s->chosen->name, r < 0 ? strerror(-r) : said);
    return EXIT_CONFIG;
}

static int client_make(struct worker_settings *s, struct rota_client **ret_client)
{
    const struct rota_client_config config = {.url = s->url,
                                              .environment = s->environment,
                                              .credential = s->credential,
                                              .tls_ca_file = s->tls_ca,
                                              .tls_cert_key_file = s->tls_cert_key};
    int r = rota_client_new(&config, ret_client);
    settings_forget_key(s);
    if (r == 0)
        return 0;
    log_error("worker.url", "url=%s fault=\"%s\"", s->url, strerror(-r));
    return EXIT_CONFIG;
}

static int work(const struct worker_settings *s, const struct resources *resources,
                struct rota_client *client, int signal_fd)
{
    const struct agent_config config = {.client = client,
                                        .runner = s->chosen,
                                        .settings = &s->for_runner,
                                        .worker = s->worker,
                                        .pool = s->pool,
                                        .class = s->classes,
                                        .class_n = s->classes_n,
                                        .slots = (uint32_t)s->slots,
                                        .idle_exit_ms = s->idle_exit * 1000,
                                        .drain_report_ms = s->drain_report * 1000,
                                        .resources = resources,
                                        .remains = remains_are_there,
                                        .signal_fd = signal_fd};
    log_info("worker.start", "version=%s worker=%s pool=%s class=%s slots=%u url=%s", ROTA_VERSION,
             s->worker, s->pool, s->classes[0], config.slots, s->url);
    int exit_code = EXIT_TRY_AGAIN;
    memory_return();
    char trace[256];
    if (agent_run(&config, &exit_code) < 0)
        log_error("worker.fault", "fault=\"%s\"", err_trace(trace, sizeof trace));
    log_info("worker.end", "worker=%s exit=%d", s->worker, exit_code);
    return exit_code;
}

static int explain(const struct worker_settings *s)
{
    const struct runner *r = s->chosen;
    if (!r->explain) {
        fprintf(stderr, "rota-worker: runner %s\n  its programs see what the worker sees\n",
                r->name);
        return EXIT_USAGE;
    }
    int done = r->explain(&s->for_runner, s->explain, stdout);
    if (done == RUNNER_UNUSABLE)
        fprintf(stderr, "rota-worker: no phase %s\n  --explain all shows every one\n", s->explain);
    return done == 0 ? EXIT_OK : done > 0 ? EXIT_USAGE : EXIT_TRY_AGAIN;
}

int main(int argc, char **argv)
{
    static struct worker_settings settings;
    static struct resources resources;
    bool is_done = false;
    int signal_fd = -1;
    struct rota_client *client = NULL;
    memory_begin();
    if (sodium_init() < 0)
        return EXIT_CONFIG;
    int r = settings_read(argc, argv, &settings, &is_done);
    if (r != 0 || is_done)
        return r;
    log_open("rota-worker");
    if ((r = settings_complete(&settings)) != 0)
        return r;
    if (settings.explain)
        return explain(&settings);
    if (private_no_core() < 0 || signals_take(&signal_fd) < 0)
        return EXIT_TRY_AGAIN;
    if ((r = settings_read_key(&settings)) != 0)
        return r;
    if ((r = runner_check(&settings, &resources)) != 0)
        return r;
    if (private_no_look() < 0)
        return EXIT_TRY_AGAIN;
    if ((r = client_make(&settings, &client)) != 0)
        return r;
    return work(&settings, &resources, client, signal_fd);
}
