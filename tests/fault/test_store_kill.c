/* test_store_kill.c: an acknowledged commit survives kill -9. A child commits and acknowledges each
 * commit through a pipe; it is killed at a random instant; the database is opened and compared.
 * Twenty times on the same database, so damage of one round would also show in the next. */
#include "unit/store_kit.h"

#include <errno.h>
#include <signal.h>
#include <sys/wait.h>

enum { CYCLES = 20, ACKNOWLEDGED_MIN = 100, ROWS = 3 };

static struct store *store_open_or_die(const char *dir)
{
    struct store *s = NULL;
    struct store_config config = {.dir = dir, .map_bytes = 1ull << 30, .create = true};
    if (store_open(&config, &s) != 0)
        _exit(1);
    return s;
}

/* Commits number `from`, from + 1, ... until it is killed. */
static void child_run(const char *dir, uint64_t from, int ack_fd)
{
    struct store *s = store_open_or_die(dir);
    for (uint64_t n = from;; n++) {
        struct txn *txn = NULL;
        if (store_begin(s, &txn) != 0)
            _exit(2);
        for (uint64_t i = 0; i < ROWS; i++)
            if (kit_event_put(txn, n * ROWS + i, 400) != 0)
                _exit(3);
        if (store_commit(&txn) != 0)
            _exit(4);
        if (write(ack_fd, &n, sizeof n) != sizeof n)
            _exit(5);
        store_tend(s, 1);
    }
}

/* Reads acknowledgements; kills after a random number of them. Returns the last one, or UINT64_MAX.
 */
static uint64_t acks_read(int fd, pid_t pid, uint64_t kill_after)
{
    uint64_t n, last = UINT64_MAX, seen = 0;
    while (read(fd, &n, sizeof n) == sizeof n) {
        last = n;
        if (++seen == kill_after)
            kill(pid, SIGKILL);
    }
    return seen >= kill_after ? last : UINT64_MAX;
}

/* Every commit up to `last` is whole; after it at most one, whole too. Returns how many there are.
 */
static uint64_t database_check(const char *dir, uint64_t last)
{
    struct store *s = kit_open(dir);
    uint64_t rows = kit_count(s, TABLE_EVENT);
    assert_int_equal(rows % ROWS, 0);
    assert_in_range(rows / ROWS, last + 1, last + 2);
    {
        AUTO(txn) snap = kit_snapshot(s);
        for (uint64_t i = 0; i < rows; i++)
            assert_true(kit_event_is(snap, i, 400));
    }
    store_free(s);
    return rows / ROWS;
}

static uint64_t cycle(const char *dir, uint64_t from, uint64_t kill_after)
{
    int fds[2];
    assert_int_equal(pipe(fds), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        close(fds[0]);
        child_run(dir, from, fds[1]);
    }
    close(fds[1]);
    uint64_t last = acks_read(fds[0], pid, kill_after);
    close(fds[0]);
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    return database_check(dir, last);
}

static void twenty_kills_lose_no_acknowledged_commit(void **state)
{
    (void)state;
    char dir[64];
    kit_dir_make(dir);
    uint64_t x = 99, next = 0, kills = 0;
    for (; kills < CYCLES; kills++)
        next = cycle(dir, next, ACKNOWLEDGED_MIN + kit_random(&x) % 100);
    print_message("%llu of %d kills, %llu commits, 0 lost, 0 torn\n", (unsigned long long)kills,
                  CYCLES, (unsigned long long)next);
    kit_dir_remove(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(twenty_kills_lose_no_acknowledged_commit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
