/* main.c: rota-box, what the worker runs inside the sandbox for its own steps.
 *
 *   rota-box unpack DIR          archive on fd 6
 *   rota-box verify APP INSTALL
 *   rota-box settle INSTALL APP
 *   rota-box pack DIR FILE
 *   rota-box confine NAME=NUMBER... -- PROGRAM ARGUMENTS...      becomes PROGRAM
 *
 * It speaks as worker/js/metro.mjs does: JSON lines on fd 3, the last of them {"type":"error",…}
 * with exit code 1 when the app is at fault, {"type":"done",…} with 0. Faults of the machine end
 * with 74. */
#include "box.h"
#include "confine.h"

#include <base/exit.h>
#include <errno.h>
#include <jansson.h>
#include <locale.h>
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
    struct unpack_count count = {0};
    int r = box_unpack(ARCHIVE_FD, args[0], &box_limits_default, &count, refusal);
    if (r == 0)
        say(json_pack("{ss sI sI sI}", "type", "done", "entries", (json_int_t)count.entries,
                      "bytes", (json_int_t)count.bytes, "skipped", (json_int_t)count.skipped));
    return r;
}

static int run_verify(char **args, struct box_refusal *refusal)
{
    uint64_t packages = 0;
    int r = box_verify(args[0], args[1], &packages, refusal);
    if (r == 0)
        say(json_pack("{ss sI}", "type", "done", "packages", (json_int_t)packages));
    return r;
}

static int done(int r)
{
    if (r == 0)
        say(json_pack("{ss}", "type", "done"));
    return r;
}

static int run_settle(char **args, struct box_refusal *refusal)
{
    return done(box_settle(args[0], args[1], refusal));
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
    {"unpack", 1, run_unpack},
    {"verify", 2, run_verify},
    {"settle", 2, run_settle},
    {"pack", 2, run_pack},
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
    setlocale(LC_CTYPE, "C.UTF-8"); /* names in archives are UTF-8, whatever the machine speaks */
    const struct command *c = command_find(argc, argv);
    if (!c) {
        fprintf(stderr, "usage: rota-box unpack DIR | verify APP INSTALL | settle INSTALL APP | "
                        "pack DIR FILE | confine NAME=NUMBER... -- PROGRAM...\n");
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
