/* test_flush.c: persist, then speak, as the kernel sees it. A program that commits and then sends
 * runs under flush_shim: before each send stand exactly one fdatasync and one write on an O_DSYNC
 * descriptor. Then each flush fails in turn: the program ends with 74 without another word, and
 * what it had said is in the database.   argv: the shim, the program. */
#include "unit/store_kit.h"

#include <base/exit.h>
#include <sys/socket.h>
#include <sys/wait.h>

enum { TURNS = 25, ROWS = 3 }; /* commit_turns puts so many rows in a turn */

static const char *shim_path, *program_path;

struct outcome {
    char dir[64], log[96];
    int exit_code;
    uint64_t acknowledged;
};

static void child_exec(const struct outcome *o, int fd, uint64_t fail_at)
{
    char fd_text[16], turns[16], at[24];
    snprintf(fd_text, sizeof fd_text, "%d", fd);
    snprintf(turns, sizeof turns, "%d", TURNS);
    snprintf(at, sizeof at, "%llu", (unsigned long long)fail_at);
    setenv("LD_PRELOAD", shim_path, 1);
    setenv("FLUSH_SHIM_LOG", o->log, 1);
    setenv("FLUSH_SHIM_PATH", "data.mdb", 1);
    setenv("FLUSH_SHIM_FAIL_AT", at, 1);
    /* A sanitized program wants its runtime first in the list of libraries; the shim is harmless
     * there. */
    setenv("ASAN_OPTIONS", "verify_asan_link_order=0", 1);
    execl(program_path, program_path, o->dir, fd_text, turns, (char *)NULL);
    _exit(EXIT_USAGE);
}

/* Runs the program to its end; fail_at 0: no flush fails. */
static void program_run(struct outcome *o, uint64_t fail_at)
{
    kit_dir_make(o->dir);
    snprintf(o->log, sizeof o->log, "%s/log", o->dir);
    int fds[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        close(fds[0]);
        child_exec(o, fds[1], fail_at);
    }
    close(fds[1]);
    uint64_t n;
    while (read(fds[0], &n, sizeof n) == sizeof n) {
        assert_int_equal(n, o->acknowledged);
        o->acknowledged++;
    }
    close(fds[0]);
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    o->exit_code = WEXITSTATUS(status);
}

struct counts {
    unsigned fdatasync, dsync_write, sends, failed, wrong;
    unsigned since_send[2]; /* of the two kinds */
};

static void line_count(struct counts *c, const char *line)
{
    if (strncmp(line, "flush fdatasync", 15) == 0) {
        c->fdatasync++;
        c->since_send[0]++;
    } else if (strncmp(line, "flush ", 6) == 0) {
        c->dsync_write++;
        c->since_send[1]++;
    } else if (strncmp(line, "failed ", 7) == 0) {
        c->failed++;
    } else if (strncmp(line, "send ", 5) == 0) {
        /* The first turn's flushes stand behind those of the opening. */
        bool is_first = c->sends++ == 0;
        bool is_right = c->since_send[0] == 1 && c->since_send[1] == 1;
        c->wrong += !is_right && !(is_first && c->since_send[0] && c->since_send[1]);
        c->wrong += c->failed > 0; /* spoke after a failed flush */
        memset(c->since_send, 0, sizeof c->since_send);
    }
}

static struct counts log_read(const char *path)
{
    struct counts c = {0};
    char line[128];
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    while (fgets(line, sizeof line, f))
        line_count(&c, line);
    fclose(f);
    return c;
}

static void each_reply_follows_its_two_flushes(void **state)
{
    (void)state;
    struct outcome o = {0};
    program_run(&o, 0);
    struct counts c = log_read(o.log);
    assert_int_equal(o.exit_code, EXIT_OK);
    assert_int_equal(o.acknowledged, TURNS);
    assert_int_equal(c.sends, TURNS);
    assert_int_equal(c.wrong, 0);
    assert_int_equal(c.fdatasync, TURNS + 1); /* one commit more: the opening made the tables */
    print_message("%u sends, %u fdatasync, %u O_DSYNC writes, 0 sends before their flushes\n",
                  c.sends, c.fdatasync, c.dsync_write);
    kit_dir_remove(o.dir);
}

static void acknowledged_is_stored(const struct outcome *o)
{
    struct store *s = kit_open(o->dir);
    {
        AUTO(txn) snap = kit_snapshot(s);
        for (uint64_t i = 0; i < o->acknowledged * ROWS; i++)
            assert_true(kit_event_is(snap, i, 300));
    }
    store_free(s);
}

static void each_flush_fails_in_turn_and_nothing_said_is_lost(void **state)
{
    (void)state;
    uint64_t at = 1, said = 0;
    for (;; at++) {
        struct outcome o = {0};
        program_run(&o, at);
        struct counts c = log_read(o.log);
        assert_int_equal(c.wrong, 0);
        acknowledged_is_stored(&o);
        said += o.acknowledged;
        kit_dir_remove(o.dir);
        if (c.failed == 0) {
            assert_int_equal(o.exit_code, EXIT_OK);
            break;
        }
        assert_int_equal(o.exit_code, EXIT_IO);
        assert_true(o.acknowledged < TURNS);
    }
    assert_true(at > 2ul * TURNS);
    print_message("%llu of %llu flushes failed in turn: exit 74 each, %llu acknowledged, 0 lost\n",
                  (unsigned long long)(at - 1), (unsigned long long)(at - 1),
                  (unsigned long long)said);
}

int main(int argc, char **argv)
{
    if (argc != 3)
        return EXIT_USAGE;
    shim_path = argv[1];
    program_path = argv[2];
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_reply_follows_its_two_flushes),
        cmocka_unit_test(each_flush_fails_in_turn_and_nothing_said_is_lost),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
