/* build.c: what a runner tells the agent, kept under one lock.
 *
 * Progress is the newest state and no queue: a runner may report a thousand times a second, the
 * heartbeat reads what stands there when it is sent. What comes in is cleaned here, once: phase and
 * message go into a heartbeat that covers all jobs of the worker, and one bad byte must not get it
 * refused.    */
#include "build.h"

#include "joblog.h"
#include "text.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>

struct build_host {
    struct build_host_config config;
    pthread_mutex_t lock;
    int stop_fd;
    enum build_stop stop;
    struct build_state state;
    struct joblog *log;
};

struct build_host *build_host_free(struct build_host *h)
{
    if (!h)
        return NULL;
    joblog_free(h->log);
    if (h->stop_fd >= 0)
        close(h->stop_fd);
    pthread_mutex_destroy(&h->lock);
    free(h);
    return NULL;
}

int build_host_new(const struct build_host_config *config, struct build_host **ret_host)
{
    assert(config->send);
    AUTO(build_host) h = calloc(1, sizeof *h);
    if (!h)
        return err_raise(-ENOMEM);
    h->config = *config;
    pthread_mutex_init(&h->lock, NULL);
    h->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (h->stop_fd < 0)
        return err_raise(-errno);
    int r = joblog_new(config->send, config->arg, JOBLOG_JOB_BYTES_MAX, &h->log);
    if (r < 0)
        return err_pass(r);
    *ret_host = TAKE(h);
    return 0;
}

int build_host_stop_fd(const struct build_host *h)
{
    return h->stop_fd;
}

void build_stop_raise(struct build_host *h, enum build_stop why)
{
    assert(why != BUILD_GOES_ON);
    pthread_mutex_lock(&h->lock);
    if (h->stop == BUILD_GOES_ON || why == BUILD_LOST)
        h->stop = why;
    pthread_mutex_unlock(&h->lock);
    if (why == BUILD_LOST)
        joblog_drop(h->log);
    if (eventfd_write(h->stop_fd, 1) < 0)
        assert(errno == EAGAIN); /* a counter that is full is readable as well */
}

enum build_stop build_stop_read(const struct build_host *host)
{
    struct build_host *h = (struct build_host *)host;
    pthread_mutex_lock(&h->lock);
    enum build_stop why = h->stop;
    pthread_mutex_unlock(&h->lock);
    return why;
}

void build_state_read(const struct build_host *host, struct build_state *ret_state)
{
    struct build_host *h = (struct build_host *)host;
    pthread_mutex_lock(&h->lock);
    *ret_state = h->state;
    pthread_mutex_unlock(&h->lock);
}

void build_log_finish(struct build_host *h)
{
    joblog_finish(h->log);
}

/* ---- the runner's side: runner.h ---- */

enum build_stop build_stopped(const struct build *b)
{
    return build_stop_read(b->host);
}

void build_progress(struct build *b, const char *phase, uint32_t percent, const char *message)
{
    struct build_host *h = b->host;
    struct build_state next = {.percent = percent < 100 ? percent : 100};
    text_word(phase ? phase : "", next.phase, sizeof next.phase);
    text_clean(message ? message : "", next.message, sizeof next.message);
    pthread_mutex_lock(&h->lock);
    bool is_news = strcmp(next.phase, h->state.phase) != 0 || next.percent != h->state.percent;
    h->state = next;
    pthread_mutex_unlock(&h->lock);
    if (is_news && h->config.changed)
        h->config.changed(h->config.arg);
}

void build_log(struct build *b, const void *p, size_t n)
{
    joblog_append(b->host->log, p, n);
}

void build_log_line(struct build *b, const char *format, ...)
{
    char line[TEXT_LINE_MAX];
    va_list args;
    va_start(args, format);
    size_t n = text_line(line, format, args);
    va_end(args);
    build_log(b, line, n);
}

void build_fail(struct build_result *r, enum error_code error, const char *format, ...)
{
    const struct error_row *row = error_row(error);
    r->outcome = row->class == ERROR_INFRA ? BUILD_FAULT : BUILD_FAILED;
    r->error = error;
    char text[sizeof r->text];
    va_list args;
    va_start(args, format);
    int n = format ? vsnprintf(text, sizeof text, format, args) : -1;
    va_end(args);
    text_clean(n >= 0 ? text : row->text, r->text, sizeof r->text);
}

void build_phase_add(struct build_result *r, const char *name, uint64_t ms)
{
    assert(r->phases < BUILD_PHASES_MAX);
    struct build_phase *p = &r->phase[r->phases++];
    text_word(name, p->name, sizeof p->name);
    p->ms = ms;
}
