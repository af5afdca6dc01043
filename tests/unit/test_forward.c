/* test_forward.c: the real forwarder between a program and a socket file: what one side writes the
 * other reads, whole and in order, with the end of file handed on; more connections than it holds
 * wait and are served; and the program's end is the forwarder's.
 *
 * Why it matters: every byte of every package passes through it, and an install that hangs in it or
 * loses a byte fails for a reason that nobody would look for here. */
#undef NDEBUG
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <arpa/inet.h>
#include <base/clock.h>
#include <cmocka.h>
#include <forward.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MANY = 200, PIECE = 70001, BIG = 24 * 1024 * 1024 };

static char folder[64], path[128], port[8];

/* ---- the far side: says back what it hears, then ends ---- */

static void *echo(void *arg)
{
    int fd = (int)(intptr_t)arg;
    char bytes[8192];
    ssize_t n;
    while ((n = read(fd, bytes, sizeof bytes)) > 0)
        for (ssize_t done = 0; done < n;) {
            ssize_t w = send(fd, bytes + done, (size_t)(n - done), MSG_NOSIGNAL);
            if (w <= 0)
                break;
            done += w;
        }
    close(fd);
    return NULL;
}

static void *serve(void *arg)
{
    int listener = (int)(intptr_t)arg;
    for (;;) {
        pthread_t thread;
        int fd = accept(listener, NULL, NULL);
        if (fd < 0)
            return NULL;
        assert_int_equal(pthread_create(&thread, NULL, echo, (void *)(intptr_t)fd), 0);
        pthread_detach(thread);
    }
}

static int group_open(void **state)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof in;
    pthread_t thread;
    snprintf(folder, sizeof folder, "/tmp/rota-forward-XXXXXX");
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/proxy.sock", folder);
    snprintf(un.sun_path, sizeof un.sun_path, "%.100s", path);
    int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(listener, (struct sockaddr *)&un, sizeof un), 0);
    assert_int_equal(listen(listener, 128), 0);
    assert_int_equal(pthread_create(&thread, NULL, serve, (void *)(intptr_t)listener), 0);
    pthread_detach(thread);
    int probe = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0); /* a port that is free now */
    assert_int_equal(bind(probe, (struct sockaddr *)&in, sizeof in), 0);
    assert_int_equal(getsockname(probe, (struct sockaddr *)&in, &n), 0);
    snprintf(port, sizeof port, "%u", ntohs(in.sin_port));
    close(probe);
    return 0;
}

static int group_close(void **state)
{
    unlink(path);
    rmdir(folder);
    return 0;
}

/* ---- the near side: this program again, below the forwarder ---- */

static int dial(void)
{
    const char *told = getenv("PORT");
    struct sockaddr_in in = {.sin_family = AF_INET,
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                             .sin_port = htons((uint16_t)strtoul(told ? told : "", NULL, 10))};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    return connect(fd, (struct sockaddr *)&in, sizeof in) == 0 ? fd : -1;
}

static int say_and_hear(int fd, unsigned seed)
{
    static char out[PIECE], in[PIECE];
    for (size_t i = 0; i < PIECE; i++)
        out[i] = (char)(i * 31 + seed);
    size_t sent = 0, got = 0;
    while (sent < PIECE) {
        ssize_t n = send(fd, out + sent, PIECE - sent, MSG_NOSIGNAL);
        if (n <= 0)
            return 3;
        sent += (size_t)n;
    }
    shutdown(fd, SHUT_WR);
    for (ssize_t n; got < PIECE && (n = read(fd, in + got, PIECE - got)) > 0;)
        got += (size_t)n;
    return got == PIECE && memcmp(in, out, PIECE) == 0 && read(fd, in, 1) == 0 ? 0 : 4;
}

static int child_one(void)
{
    int fd = dial();
    return fd < 0 ? 2 : say_and_hear(fd, 1);
}

/* All are open at once; the later ones wait, in the kernel, until an earlier one ends. */
static int child_many(void)
{
    static int fd[MANY];
    for (unsigned i = 0; i < MANY; i++)
        if ((fd[i] = dial()) < 0)
            return 2;
    for (unsigned i = 0; i < MANY; i++) {
        int r = say_and_hear(fd[i], i);
        if (r != 0)
            return r;
        close(fd[i]);
    }
    return 0;
}

static void *pour(void *arg)
{
    static const char bytes[65536];
    int fd = (int)(intptr_t)arg;
    for (size_t sent = 0; sent < BIG;) {
        ssize_t n = send(fd, bytes, sizeof bytes, MSG_NOSIGNAL);
        if (n <= 0)
            return NULL;
        sent += (size_t)n;
    }
    shutdown(fd, SHUT_WR);
    return NULL;
}

/* Both ways at once, with a reader that reads late. */
static int child_big(void)
{
    pthread_t thread;
    char bytes[4096];
    size_t got = 0;
    int fd = dial();
    if (fd < 0 || pthread_create(&thread, NULL, pour, (void *)(intptr_t)fd) != 0)
        return 2;
    for (ssize_t n; (n = read(fd, bytes, sizeof bytes)) > 0;)
        got += (size_t)n;
    pthread_join(thread, NULL);
    return got >= BIG ? 0 : 4;
}

/* Leaves in the middle of things. */
static int child_rude(void)
{
    for (int i = 0; i < 200; i++) {
        int fd = dial();
        struct linger at_once = {.l_onoff = 1};
        if (fd < 0 || send(fd, "x", 1, MSG_NOSIGNAL) != 1)
            return 2;
        if (i % 2)
            setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
        close(fd);
    }
    return child_one();
}

static const struct {
    const char *name;
    int (*run)(void);
} children[] = {{"one", child_one}, {"many", child_many}, {"big", child_big}, {"rude", child_rude}};

static int forwarded(const char *socket_path, char *program, char *name)
{
    pid_t pid = fork();
    if (pid == 0) {
        char *args[] = {(char *)(uintptr_t)socket_path, port, (char *)"--", program, name, NULL};
        setenv("PORT", port, 1);
        _exit(box_forward(args));
    }
    int status = 0;
    waitpid(pid, &status, 0);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static int self(const char *name)
{
    uint64_t from_ms = clock_boot_ms();
    int r = forwarded(path, (char *)"/proc/self/exe", (char *)(uintptr_t)name);
    printf("%s: %llu ms\n", name, (unsigned long long)(clock_boot_ms() - from_ms));
    return r;
}

static void bytes_come_through_whole(void **state)
{
    assert_int_equal(self("one"), 0);
}

static void more_than_it_holds_are_served_in_turn(void **state)
{
    assert_true((int)MANY > (int)FORWARD_PAIRS_MAX);
    assert_int_equal(self("many"), 0);
}

static void both_ways_at_once(void **state)
{
    assert_int_equal(self("big"), 0);
}

static void peers_that_leave_are_forgotten(void **state)
{
    assert_int_equal(self("rude"), 0);
}

static void the_programs_end_is_its_end(void **state)
{
    assert_int_equal(forwarded(path, (char *)"/bin/false", NULL), 1);
    assert_int_equal(forwarded(path, (char *)"/bin/true", NULL), 0);
    assert_int_equal(forwarded(path, (char *)"/nonexistent/program", NULL), 126);
    pid_t pid = fork();
    if (pid == 0) {
        char *args[] = {
            path, port, (char *)"--", (char *)"/bin/sh", (char *)"-c", (char *)"kill -9 $$", NULL};
        _exit(box_forward(args));
    }
    int status = 0;
    waitpid(pid, &status, 0);
    assert_int_equal(WEXITSTATUS(status), 128 + 9);
}

static void without_a_proxy_a_connection_ends(void **state)
{
    assert_int_equal(forwarded("/nonexistent/proxy.sock", (char *)"/proc/self/exe", (char *)"one"),
                     4);
}

int main(int argc, char **argv)
{
    for (size_t i = 0; argc == 2 && i < sizeof children / sizeof *children; i++)
        if (strcmp(argv[1], children[i].name) == 0)
            return children[i].run();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_come_through_whole),
        cmocka_unit_test(more_than_it_holds_are_served_in_turn),
        cmocka_unit_test(both_ways_at_once),
        cmocka_unit_test(peers_that_leave_are_forgotten),
        cmocka_unit_test(the_programs_end_is_its_end),
        cmocka_unit_test(without_a_proxy_a_connection_ends),
    };
    return cmocka_run_group_tests(tests, group_open, group_close);
}
