/* clone.c: a bare repository, one fetch, and an archive of the commit straight into the unpacker.
 *
 * Nothing is ever checked out: links, names and sizes pass the same judge as an uploaded archive's.
 * No configuration, hook, filter or template of the repository or the machine has a say: settings
 * come from the file that GIT_CONFIG_GLOBAL names and from the list below, and info/attributes,
 * which goes before the repository's own, turns off what attributes could leave out or put in.
 * Submodules and LFS contents are not fetched. */
#include "clone.h"

#include <base/auto.h>
#include <base/file.h>
#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PATH_BYTES = 1024, WORDS_BYTES = 8 * 1024, ARGS_MAX = 40, EXIT_NOT_STARTED = 127 };

static const char git[] = "/usr/bin/git", source_ref[] = "refs/rota/source";

static const char *const settings[] = {
    "-c", "protocol.allow=never",
    "-c", "protocol.https.allow=always",
    "-c", "transfer.fsckObjects=true",
    "-c", "core.hooksPath=/dev/null",
    "-c", "core.attributesFile=/dev/null",
    "-c", "fetch.recurseSubmodules=false",
    "-c", "submodule.recurse=false",
    "-c", "credential.helper=",
    "-c", "gc.auto=0",
    "-c", "maintenance.auto=false",
    "-c", "http.lowSpeedLimit=1000",
    "-c", "http.lowSpeedTime=60",
    NULL,
};

struct cloning {
    const struct clone *c;
    char repo[PATH_BYTES];
    char words[WORDS_BYTES + 1]; /* what git said last */
    size_t words_n;
    struct box_refusal *refusal;
};

/* ---- git ---- */

static void argv_make(const struct cloning *g, const char *const *args, const char **argv)
{
    size_t n = 0;
    argv[n++] = git;
    argv[n++] = "--git-dir";
    argv[n++] = g->repo;
    for (size_t i = 0; settings[i]; i++)
        argv[n++] = settings[i];
    for (size_t i = 0; args[i] && n < ARGS_MAX; i++)
        argv[n++] = args[i];
    argv[n] = NULL;
}

static pid_t git_start(const struct cloning *g, const char *const *args, int out, int err)
{
    const char *argv[ARGS_MAX + 1];
    argv_make(g, args, argv);
    pid_t pid = fork();
    if (pid != 0)
        return pid;
    if (dup2(out, 1) >= 0 && dup2(err, 2) >= 0)
        execv(git, (char *const *)(uintptr_t)argv);
    _exit(EXIT_NOT_STARTED);
}

static int git_end(pid_t pid)
{
    int status = 0;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        continue;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* Reads to the end and keeps the last bytes. */
static void words_take(struct cloning *g, int fd)
{
    char bytes[2048];
    ssize_t n;
    g->words_n = 0;
    while ((n = read(fd, bytes, sizeof bytes)) > 0) {
        size_t more = (size_t)n;
        if (g->words_n + more > WORDS_BYTES) {
            size_t keep = WORDS_BYTES / 2 < g->words_n ? WORDS_BYTES / 2 : g->words_n;
            memmove(g->words, g->words + g->words_n - keep, keep);
            g->words_n = keep;
        }
        memcpy(g->words + g->words_n, bytes, more);
        g->words_n += more;
    }
    g->words[g->words_n] = 0;
}

/* The last line, without git's own mark in front; what stands before it is for the log. */
static const char *words_last(struct cloning *g)
{
    static const char mark[] = "fatal: ";
    while (g->words_n > 0 && g->words[g->words_n - 1] == '\n')
        g->words[--g->words_n] = 0;
    char *line = strrchr(g->words, '\n');
    line = line ? line + 1 : g->words;
    return strncmp(line, mark, sizeof mark - 1) == 0 ? line + sizeof mark - 1 : line;
}

/* git's exit status; what it said, of stdout or of stderr, is in g->words. */
static int git_run(struct cloning *g, const char *const *args, bool wants_out, int *ret_status)
{
    int ends[2];
    if (pipe(ends) < 0)
        return err_raise(-errno);
    AUTO_FD from = ends[0];
    AUTO_FD to = ends[1];
    pid_t pid = git_start(g, args, wants_out ? to : 2, wants_out ? 2 : to);
    close(TAKE_FD(to));
    if (pid < 0)
        return err_raise(-errno);
    words_take(g, from);
    *ret_status = git_end(pid);
    return *ret_status == EXIT_NOT_STARTED ? err_raise(-ENOENT) : 0;
}

/* ---- the steps ---- */

static int repo_make(struct cloning *g)
{
    static const char attributes[] = "* -export-ignore -export-subst -filter -ident\n";
    char path[PATH_BYTES + 32];
    int status = 0;
    int r = git_run(g, (const char *const[]){"init", "-q", "--bare", "--template=", g->repo, NULL},
                    false, &status);
    if (r == 0 && status != 0)
        r = err_raise(-EIO);
    snprintf(path, sizeof path, "%s/info", g->repo);
    if (r == 0)
        r = dir_make(path, 0755);
    snprintf(path, sizeof path, "%s/info/attributes", g->repo);
    if (r == 0)
        r = file_write(path, 0644, attributes, sizeof attributes - 1);
    return r < 0 ? err_pass(r) : 0;
}

static int fetch(struct cloning *g)
{
    char spec[PATH_BYTES];
    int status = 0;
    snprintf(spec, sizeof spec, "+%.900s:%s", g->c->ref, source_ref);
    const char *const args[] = {
        "fetch",        "-q", "--depth=1", "--no-tags", "--no-recurse-submodules",
        "--no-auto-gc", "--", g->c->url,   spec,        NULL};
    int r = git_run(g, args, false, &status);
    if (r < 0)
        return err_pass(r);
    if (status == 0)
        return 0;
    const char *last = words_last(g);
    const char *line = strrchr(g->words, '\n');
    if (line)
        fprintf(stderr, "%.*s\n", (int)(line - g->words), g->words);
    return BOX_REFUSE(g->refusal, GIT_REFUSED, "%.400s", last);
}

static int commit_read(struct cloning *g, char commit[COMMIT_TEXT_LEN + 1])
{
    static const char *const args[] = {"rev-parse", "--verify", "-q", "refs/rota/source^{commit}",
                                       NULL};
    int status = 0;
    int r = git_run(g, args, true, &status);
    if (r < 0)
        return err_pass(r);
    const char *text = words_last(g);
    if (status != 0 || strlen(text) != COMMIT_TEXT_LEN)
        return BOX_REFUSE(g->refusal, GIT_REFUSED, "`%s` is no commit", g->c->ref);
    memcpy(commit, text, COMMIT_TEXT_LEN + 1);
    return 0;
}

static int submodules_look(struct cloning *g, bool *ret_has)
{
    static const char *const args[] = {"ls-tree", "--name-only", source_ref,
                                       "--",      ".gitmodules", NULL};
    int status = 0;
    int r = git_run(g, args, true, &status);
    if (r < 0)
        return err_pass(r);
    *ret_has = status == 0 && g->words_n > 0;
    return 0;
}

static int tree_unpack(struct cloning *g, struct unpack_count *count)
{
    static const char *const args[] = {"archive", "--format=tar", source_ref, NULL};
    int ends[2];
    if (pipe(ends) < 0)
        return err_raise(-errno);
    AUTO_FD from = ends[0];
    AUTO_FD to = ends[1];
    pid_t pid = git_start(g, args, to, 2);
    close(TAKE_FD(to));
    if (pid < 0)
        return err_raise(-errno);
    int r = box_unpack(from, &g->c->to, &box_limits_default, count, g->refusal);
    close(TAKE_FD(from)); /* what was refused is not read to its end: git must not wait for it */
    int status = git_end(pid);
    if (r != 0)
        return r;
    return status == 0 ? 0 : BOX_REFUSE(g->refusal, GIT_REFUSED, "the commit cannot be read whole");
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *at)
{
    (void)st;
    (void)kind;
    (void)at;
    return remove(path);
}

static int clone_all(struct cloning *g, struct clone_done *done)
{
    int r = repo_make(g);
    if (r == 0)
        r = fetch(g);
    if (r == 0)
        r = commit_read(g, done->commit);
    if (r == 0)
        r = submodules_look(g, &done->has_submodules);
    return r == 0 ? tree_unpack(g, &done->count) : r;
}

int box_clone(const struct clone *c, struct clone_done *ret_done, struct box_refusal *ret_refusal)
{
    struct cloning g = {.c = c, .refusal = ret_refusal};
    *ret_done = (struct clone_done){0};
    snprintf(g.repo, sizeof g.repo, "%.900s/source.git", c->work);
    int r = clone_all(&g, ret_done);
    /* The next programs see this folder; a part that stayed would be an archive of the history. */
    if (nftw(g.repo, remove_one, 16, FTW_DEPTH | FTW_PHYS) != 0 && r == 0)
        r = err_raise(-EIO);
    return r;
}
