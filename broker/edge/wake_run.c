/* wake_run.c: posix_spawn(), because a broker with a large map must not be copied for a script. */
#include "edge/wake_run.h"

#include <base/auto.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { WORD_MAX = 64, FIRST_FD = 3 };

/* What a script may need of ours; the rest may hold secrets. */
static const char *const kept[] = {
    "PATH", "HOME", "USER", "LOGNAME", "LANG", "LC_ALL", "XDG_RUNTIME_DIR", "TZ", "TMPDIR"};
enum { OWN_WORDS = 4, ENV_MAX = OWN_WORDS + ARRAY_LEN(kept) + 1 };

struct words {
    char own[OWN_WORDS][WORD_MAX];
    char *inherited[ARRAY_LEN(kept)]; /* ours to free */
    char *env[ENV_MAX];
    size_t n;
};

bool wake_program_is_good(const char *program)
{
    struct stat st;
    return program[0] == '/' && stat(program, &st) == 0 && S_ISREG(st.st_mode) &&
           access(program, X_OK) == 0;
}

static int words_fill(struct words *w, const char *pool, const struct wake_need *need)
{
    snprintf(w->own[0], WORD_MAX, "ROTA_POOL=%s", pool);
    snprintf(w->own[1], WORD_MAX, "ROTA_BACKLOG=%llu", (unsigned long long)need->backlog);
    snprintf(w->own[2], WORD_MAX, "ROTA_SLOTS_NOW=%u", need->slots);
    snprintf(w->own[3], WORD_MAX, "ROTA_SLOTS_WANTED=%u", need->slots_wanted);
    for (size_t i = 0; i < OWN_WORDS; i++)
        w->env[w->n++] = w->own[i];
    for (size_t i = 0; i < ARRAY_LEN(kept); i++) {
        const char *value = getenv(kept[i]);
        if (!value)
            continue;
        if (asprintf(&w->inherited[i], "%s=%s", kept[i], value) < 0)
            return err_raise(-ENOMEM);
        w->env[w->n++] = w->inherited[i];
    }
    return 0;
}

static void words_free(struct words *w)
{
    for (size_t i = 0; i < ARRAY_LEN(kept); i++)
        free(w->inherited[i]);
}

/* Nothing of ours but stderr. */
static int files_fill(posix_spawn_file_actions_t *files)
{
    int e = posix_spawn_file_actions_addopen(files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    if (e == 0)
        e = posix_spawn_file_actions_adddup2(files, STDERR_FILENO, STDOUT_FILENO);
    if (e == 0)
        e = posix_spawn_file_actions_addclosefrom_np(files, FIRST_FD);
    return e;
}

/* Our threads block signals and ignore SIGPIPE; a script expects neither. */
static int signals_fill(posix_spawnattr_t *attr)
{
    sigset_t none, pipe;
    sigemptyset(&none);
    sigemptyset(&pipe);
    sigaddset(&pipe, SIGPIPE);
    int e = posix_spawnattr_setsigmask(attr, &none);
    if (e == 0)
        e = posix_spawnattr_setsigdefault(attr, &pipe);
    if (e == 0)
        e = posix_spawnattr_setflags(attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF |
                                               POSIX_SPAWN_SETSID);
    return e;
}

static int spawn(const char *program, char *const env[], pid_t *ret_pid)
{
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attr;
    char *const argv[] = {(char *)(uintptr_t)program, NULL};
    int e = posix_spawn_file_actions_init(&files);
    if (e != 0)
        return e;
    e = posix_spawnattr_init(&attr);
    if (e == 0) {
        e = files_fill(&files);
        if (e == 0)
            e = signals_fill(&attr);
        if (e == 0)
            e = posix_spawn(ret_pid, program, &files, &attr, argv, env);
        posix_spawnattr_destroy(&attr);
    }
    posix_spawn_file_actions_destroy(&files);
    return e;
}

int wake_run(const char *program, const char *pool, const struct wake_need *need, pid_t *ret_pid)
{
    struct words words = {.n = 0};
    int r = words_fill(&words, pool, need), e = 0;
    if (r == 0)
        e = spawn(program, words.env, ret_pid);
    words_free(&words);
    return r < 0 ? err_pass(r) : e ? err_raise(-e) : 0;
}
