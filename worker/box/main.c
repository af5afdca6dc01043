/* main.c: rota-box, what the worker runs inside the sandbox for its own steps.
 *
 *   rota-box unpack DIR ASIDE    archive on fd 6; .npmrc files go aside, .yarnrc.yml in copy
 *   rota-box clone DIR ASIDE TMP URL REF
 *   rota-box npmrc ASIDE
 *   rota-box verify SOURCE INSTALL ROOT      ROOT: the app's folder below SOURCE
 *   rota-box settle INSTALL
 *   rota-box keep INSTALL DIR
 *   rota-box merge CACHE OLD DIR
 *   rota-box pack DIR FILE
 *   rota-box forward SOCKET PORT -- PROGRAM ARGUMENTS...         as long as PROGRAM lives
 *   rota-box confine NAME=NUMBER... -- PROGRAM ARGUMENTS...      becomes PROGRAM
 *
 * It speaks as worker/js/metro.mjs does: JSON lines on fd 3, the last of them {"type":"error",…}
 * with exit code 1 when the app is at fault, {"type":"done",…} with 0. Faults of the machine end
 * with 74. */
#include "box.h"
#include "clone.h"
#include "confine.h"
#include "forward.h"
#include "npmrc.h"
#include "registries.h"

#include <base/exit.h>
#include <errno.h>
#include <jansson.h>
#include <locale.h>
#include <registry_rc.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { LINE_FD = 3, ARCHIVE_FD = 6 };

#ifdef __SANITIZE_ADDRESS__
/* Looking for leaks needs ptrace, which the sandbox denies. All else of the sanitizer works here.
 */
int __lsan_is_turned_off(void);
int __lsan_is_turned_off(void)
{
    return 1;
}
#endif

/* Takes over `line`. */
static void say(json_t *line)
{
    json_dumpfd(line, LINE_FD, JSON_COMPACT | JSON_ENSURE_ASCII);
    if (write(LINE_FD, "\n", 1) < 0)
        fprintf(stderr, "rota-box: nobody listens on fd %d\n", LINE_FD);
    json_decref(line);
}

static int run_unpack(char **args, struct box_refusal *refusal)
{
    const struct unpack_to to = {.folder = args[0], .aside = args[1]};
    struct unpack_count count = {0};
    int r = box_unpack(ARCHIVE_FD, &to, &box_limits_default, &count, refusal);
    if (r == 0)
        say(json_pack("{ss sI sI sI sI}", "type", "done", "entries", (json_int_t)count.entries,
                      "bytes", (json_int_t)count.bytes, "skipped", (json_int_t)count.skipped,
                      "aside", (json_int_t)count.aside));
    return r;
}

static int run_clone(char **args, struct box_refusal *refusal)
{
    const struct clone c = {.to = {.folder = args[0], .aside = args[1]},
                            .work = args[2],
                            .url = args[3],
                            .ref = args[4]};
    struct clone_done done;
    int r = box_clone(&c, &done, refusal);
    if (r == 0)
        say(json_pack("{ss ss sb sI sI sI sI}", "type", "done", "commit", done.commit, "submodules",
                      done.has_submodules, "entries", (json_int_t)done.count.entries, "bytes",
                      (json_int_t)done.count.bytes, "skipped", (json_int_t)done.count.skipped,
                      "aside", (json_int_t)done.count.aside));
    return r;
}

static int say_rc(void *arg, const char *line)
{
    (void)arg;
    say(json_pack("{ss ss}", "type", "npmrc", "line", line));
    return 0;
}

static int say_left_out(void *arg, const char *key)
{
    (void)arg;
    printf("left out of .npmrc: %s\n", key);
    return 0;
}

/* Whether the app's manager reads Yarn's file is the agent's to know, so what follows that line is
 * the agent's to take or leave. `verify` has refused what is wrong in it, if Yarn reads it. */
static int yarn_say(const char *folder)
{
    const struct npmrc_reader reader = {.line = say_rc};
    struct box_refusal ignored;
    say_rc(NULL, RC_OF_YARN);
    int r = registries_read_in(folder, &reader, &ignored);
    return r == BOX_REFUSED ? 0 : r;
}

static int run_npmrc(char **args, struct box_refusal *refusal)
{
    const struct npmrc_reader reader = {.line = say_rc, .left_out = say_left_out};
    int r = box_npmrc(args[0], &reader, refusal);
    if (r == 0)
        r = yarn_say(args[0]);
    if (r == 0)
        say(json_pack("{ss}", "type", "done"));
    return r;
}

static int run_verify(char **args, struct box_refusal *refusal)
{
    struct verified v = {0};
    char lockfile[2 * BOX_HASH_BYTES + 1], deps[2 * BOX_HASH_BYTES + 1];
    int r = box_verify(args[0], args[2], args[1], &v, refusal);
    if (r != 0)
        return r;
    sodium_bin2hex(lockfile, sizeof lockfile, v.lockfile_sha256, BOX_HASH_BYTES);
    sodium_bin2hex(deps, sizeof deps, v.deps_sha256, BOX_HASH_BYTES);
    json_t *engines = json_string(v.engines); /* NULL: cut in the middle of a letter */
    say(json_pack("{ss ss so ss ss ss ss ss sI sI sI}", "type", "done", "manager", v.manager,
                  "engines", engines ? engines : json_string(""), "program", v.program, "lockfile",
                  v.lockfile, "root", v.root, "lockfile_sha256", lockfile, "deps_sha256", deps,
                  "packages", (json_int_t)v.packages, "unpinned", (json_int_t)v.unpinned,
                  "left_out", (json_int_t)v.left_out));
    return 0;
}

static int done(int r)
{
    if (r == 0)
        say(json_pack("{ss}", "type", "done"));
    return r;
}

static void say_tree(void *arg, const char *path)
{
    (void)arg;
    json_t *text = json_string(path); /* NULL: no UTF-8, and then no path that we can use */
    say(json_pack("{ss so}", "type", "tree", "path", text ? text : json_string("")));
}

static int run_settle(char **args, struct box_refusal *refusal)
{
    return done(box_settle(args[0], say_tree, NULL, refusal));
}

static int kept(int r, const struct keep_count *count)
{
    if (r == 0)
        say(json_pack("{ss sI sI}", "type", "done", "entries", (json_int_t)count->entries, "bytes",
                      (json_int_t)count->bytes));
    return r;
}

static int run_keep(char **args, struct box_refusal *refusal)
{
    (void)refusal;
    struct keep_count count;
    return kept(box_keep(args[0], args[1], &count), &count);
}

static int run_merge(char **args, struct box_refusal *refusal)
{
    (void)refusal;
    struct keep_count count;
    return kept(box_merge(args[0], args[1], args[2], &count), &count);
}

static int run_pack(char **args, struct box_refusal *refusal)
{
    return done(box_pack(args[0], args[1], refusal));
}

static const struct command {
    const char *name;
    int args;
    int (*run)(char **args, struct box_refusal *refusal);
} commands[] = {
    {"unpack", 2, run_unpack}, {"clone", 5, run_clone},   {"npmrc", 1, run_npmrc},
    {"verify", 3, run_verify}, {"settle", 1, run_settle}, {"keep", 2, run_keep},
    {"merge", 3, run_merge},   {"pack", 2, run_pack},
};

static const struct command *command_find(int argc, char **argv)
{
    for (size_t i = 0; argc > 1 && i < sizeof commands / sizeof *commands; i++)
        if (strcmp(argv[1], commands[i].name) == 0 && argc - 2 == commands[i].args)
            return &commands[i];
    return NULL;
}

/* Text out of an archive may be any bytes; JSON takes UTF-8 only. */
static void say_refusal(const struct box_refusal *refusal)
{
    json_t *text = json_string(refusal->text);
    say(json_pack("{ss ss so}", "type", "error", "name", refusal->name, "text",
                  text ? text : json_string("a name in the archive is not UTF-8")));
    fprintf(stderr, "%s\n", refusal->text);
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "confine") == 0)
        return box_confine(argv + 2);
    if (argc > 1 && strcmp(argv[1], "forward") == 0)
        return box_forward(argv + 2);
    setlocale(LC_CTYPE, "C.UTF-8"); /* names in archives are UTF-8, whatever the machine speaks */
    const struct command *c = command_find(argc, argv);
    if (!c) {
        fprintf(stderr, "usage: rota-box unpack DIR ASIDE | clone DIR ASIDE TMP URL REF | npmrc "
                        "ASIDE | verify SOURCE INSTALL ROOT | settle INSTALL | "
                        "keep INSTALL DIR | merge CACHE OLD DIR | pack DIR FILE | confine "
                        "NAME=NUMBER... -- PROGRAM... | forward SOCKET PORT -- PROGRAM...\n");
        return EXIT_USAGE;
    }
    struct box_refusal refusal = {0};
    int r = c->run(argv + 2, &refusal);
    if (r == BOX_REFUSED)
        say_refusal(&refusal);
    if (r == -ENOSPC || r == -EDQUOT) {
        BOX_REFUSE(&refusal, WORKSPACE_FULL, "no space left in the workspace");
        say_refusal(&refusal);
        return EXIT_JOB_FAILED;
    }
    char trace[256];
    if (r < 0)
        fprintf(stderr, "rota-box %s: %s\n", c->name, err_trace(trace, sizeof trace));
    return r < 0 ? EXIT_IO : r == BOX_REFUSED ? EXIT_JOB_FAILED : EXIT_OK;
}
