/* tui.c: one loop: wait for a key, a picture or the clock; change the model; draw it.
 *
 * Signals arrive as bytes of a descriptor, so that the terminal is restored by the same few lines
 * however the loop ends. */
#include "tui.h"

#include "feed.h"
#include "keys.h"
#include "screen.h"
#include "text.h"
#include "view.h"

#include <base/clock.h>
#include <base/exit.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/signalfd.h>
#include <unistd.h>

enum { CLOCK_MS = 1000 };

struct tui {
    struct model model;
    struct feed *feed;
    int signal_fd;
};

int tui_signals(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGHUP);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    int fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    return fd < 0 ? err_raise(-errno) : fd;
}

static void draw(struct tui *t)
{
    struct cells cells;
    int w, h;
    screen_size(&w, &h);
    cells_init(&cells, w, h);
    cells.ascii = !text_is_utf8();
    t->model.now_ms = clock_wall_ms();
    view_draw(&t->model, &cells);
    screen_show(&cells);
    cells_deinit(&cells);
}

/* False: the user leaves. */
static bool keys_read(struct tui *t)
{
    for (int key; (key = screen_key());) {
        enum keys_answer answer = keys_handle(&t->model, key);
        const char *pool = model_pool_name(&t->model);
        if (answer == KEYS_QUIT)
            return false;
        if (answer == KEYS_POOL)
            feed_pool(t->feed, pool);
        if (answer == KEYS_HEAT) {
            struct keys_heat heat = keys_heat(&t->model);
            feed_heat(t->feed, pool, heat.slots, heat.for_ms);
        }
    }
    return true;
}

/* 0 to go on; else the exit code, or -1 when the user leaves. */
static int turn(struct tui *t)
{
    struct pollfd fds[] = {{.fd = STDIN_FILENO, .events = POLLIN},
                           {.fd = feed_fd(t->feed), .events = POLLIN},
                           {.fd = t->signal_fd, .events = POLLIN}};
    struct signalfd_siginfo info;
    draw(t);
    if (poll(fds, 3, CLOCK_MS) < 0 && errno != EINTR)
        return EXIT_IO;
    if (read(t->signal_fd, &info, sizeof info) == (ssize_t)sizeof info)
        return 128 + (int)info.ssi_signo;
    if (fds[0].revents & (POLLHUP | POLLERR))
        return 128 + SIGHUP;
    if (feed_take(t->feed, &t->model))
        feed_pool(t->feed, model_pool_name(&t->model));
    return keys_read(t) ? 0 : -1;
}

int tui_run(struct rota_client **client, const char *url, int signal_fd)
{
    struct tui t = {.model = {.url = url}, .signal_fd = signal_fd};
    int code = 0;
    int r = feed_new(*client, &t.feed);
    if (r == 0)
        r = screen_open();
    while (r == 0 && code == 0)
        code = turn(&t);
    screen_close();
    feed_stop(t.feed);
    *client = rota_client_free(*client);
    feed_free(t.feed);
    return r < 0 ? err_pass(r) : code < 0 ? 0 : code;
}
