/* secrets.c: one reader for each kind of place. A program is started by posix_spawn with no signal
 * blocked, as the broker's own threads have them; what it writes to stderr is the broker's. */
#include "edge/secrets.h"

#include <base/auto.h>
#include <base/clock.h>
#include <base/file.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sodium.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

enum { COMMAND_MS_MAX = 10000, ARGS_MAX = 16 };

extern char **environ;

void secret_free(char *text, size_t n)
{
    if (text)
        sodium_memzero(text, n);
    free(text);
}

__attribute__((format(printf, 2, 3))) static int refuse(char why[SECRET_WHY_MAX],
                                                        const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    vsnprintf(why, SECRET_WHY_MAX, format, ap);
    va_end(ap);
    return SECRET_REFUSED;
}

static int from_file(const char *path, char **ret_text, size_t *ret_n, char why[SECRET_WHY_MAX])
{
    int r = file_read_secret(path, SECRET_BYTES_MAX, ret_text, ret_n);
    if (r == -EPERM)
        return refuse(why, "group or others may read %s: chmod 600", path);
    if (r == -ENOMEM)
        return err_pass(r);
    return r < 0 ? refuse(why, "cannot read %s: %s", path, strerror(-r)) : 0;
}

static int from_env(const char *name, char **ret_text, size_t *ret_n, char why[SECRET_WHY_MAX])
{
    const char *value = getenv(name);
    size_t n = value ? strlen(value) : 0;
    if (!n || n > SECRET_BYTES_MAX)
        return refuse(why, "the environment variable %s is %s", name, n ? "too long" : "not set");
    *ret_text = strdup(value);
    *ret_n = n;
    return *ret_text ? 0 : err_raise(-ENOMEM);
}

/* ---- a program ---- */

static int spawn(char *const argv[], int out, pid_t *ret_pid)
{
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attr;
    sigset_t none;
    sigemptyset(&none);
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&files, out, STDOUT_FILENO);
    posix_spawnattr_init(&attr);
    posix_spawnattr_setsigmask(&attr, &none);
    posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK);
    int r = posix_spawnp(ret_pid, argv[0], &files, &attr, argv, environ);
    posix_spawnattr_destroy(&attr);
    posix_spawn_file_actions_destroy(&files);
    return r;
}

/* Bytes until the end, at most SECRET_BYTES_MAX; -ETIMEDOUT, -EFBIG. */
static ssize_t read_until(int fd, char *buf, uint64_t until_ms)
{
    size_t n = 0;
    for (;;) {
        uint64_t now_ms = clock_boot_ms();
        struct pollfd p = {.fd = fd, .events = POLLIN};
        if (now_ms >= until_ms || poll(&p, 1, (int)(until_ms - now_ms)) == 0)
            return -ETIMEDOUT;
        ssize_t got = read(fd, buf + n, SECRET_BYTES_MAX + 1 - n);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return got < 0 ? -errno : (ssize_t)n;
        n += (size_t)got;
        if (n > SECRET_BYTES_MAX)
            return -EFBIG;
    }
}

static int from_program(char *const argv[], char *buf, size_t *ret_n, char why[SECRET_WHY_MAX])
{
    int ends[2], status = 0;
    pid_t pid;
    if (pipe2(ends, O_CLOEXEC) < 0)
        return err_raise(-errno);
    int r = spawn(argv, ends[1], &pid);
    close(ends[1]);
    AUTO_FD out = ends[0];
    if (r)
        return refuse(why, "cannot start %s: %s", argv[0], strerror(r));
    ssize_t n = read_until(out, buf, clock_boot_ms() + COMMAND_MS_MAX);
    if (n < 0)
        kill(pid, SIGKILL);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    if (n == -ETIMEDOUT)
        return refuse(why, "%s did not end within %d s", argv[0], COMMAND_MS_MAX / 1000);
    if (n < 0)
        return refuse(why, "%s: %s", argv[0], strerror((int)-n));
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        return refuse(why, "%s failed: status %d", argv[0], status);
    *ret_n = (size_t)n;
    return 0;
}

static int from_command(const char *command, char **ret_text, size_t *ret_n,
                        char why[SECRET_WHY_MAX])
{
    char *argv[ARGS_MAX + 1] = {NULL}, *rest = NULL;
    size_t argc = 0;
    AUTO_FREE char *words = strdup(command);
    char *buf = calloc(1, SECRET_BYTES_MAX + 2);
    int r = words && buf ? 0 : err_raise(-ENOMEM);
    for (char *w = r ? NULL : strtok_r(words, " ", &rest); w && argc < ARGS_MAX;
         w = strtok_r(NULL, " ", &rest))
        argv[argc++] = w;
    if (r == 0)
        r = argc ? from_program(argv, buf, ret_n, why) : refuse(why, "command: names no program");
    if (r == 0)
        *ret_text = buf;
    else
        secret_free(buf, buf ? SECRET_BYTES_MAX + 2 : 0);
    return r;
}

static const struct {
    const char *word;
    int (*read)(const char *rest, char **ret_text, size_t *ret_n, char why[SECRET_WHY_MAX]);
} rows[] = {{"file:", from_file}, {"env:", from_env}, {"command:", from_command}};

int secret_read(const char *place, char **ret_text, size_t *ret_n, char why[SECRET_WHY_MAX])
{
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (strncmp(place, rows[i].word, strlen(rows[i].word)) == 0)
            return rows[i].read(place + strlen(rows[i].word), ret_text, ret_n, why);
    return from_file(place, ret_text, ret_n, why);
}
