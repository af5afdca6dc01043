/* test_store_life.c: what only a database on a disk can show: descriptors, foreign and damaged
 * files, a disk without room, readers on other threads. A wrong answer here costs more than a
 * request. What any store must hold when it is opened and filled: test_store_limits.c. */
#include "store_kit.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <lmdb.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/mount.h>
#include <sys/statvfs.h>
#include <sys/wait.h>

static int open_with(const char *dir, bool create, uint64_t map, uint64_t quota, uint64_t reserve,
                     struct store **ret)
{
    struct store_config config = {.dir = dir,
                                  .create = create,
                                  .map_bytes = map,
                                  .quota_bytes = quota,
                                  .reserve_bytes = reserve};
    return store_open(&config, ret);
}

/* ---- opening ---- */

static void every_descriptor_of_the_store_closes_on_exec(void **state)
{
    struct kit *k = *state;
    unsigned seen = 0;
    for (int fd = 0; fd < 256; fd++) {
        char link[64], path[PATH_MAX];
        snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
        ssize_t n = readlink(link, path, sizeof path - 1);
        if (n < 0)
            continue;
        path[n] = 0;
        if (strncmp(path, k->dir, strlen(k->dir)) != 0)
            continue;
        seen++;
        if (!(fcntl(fd, F_GETFD) & FD_CLOEXEC))
            fail_msg("%s stays open", path);
    }
    assert_int_equal(seen, 4); /* our lock, LMDB's lock, data, data with O_DSYNC */
    print_message("%u of %u close on exec\n", seen, seen);
}

static void foreign_put(const char *dir)
{
    MDB_env *env;
    MDB_txn *txn;
    MDB_dbi dbi;
    MDB_val key = {1, "k"}, value = {1, "v"};
    assert_int_equal(mdb_env_create(&env), 0);
    assert_int_equal(mdb_env_set_maxdbs(env, 4), 0);
    assert_int_equal(mdb_env_open(env, dir, 0, 0600), 0);
    assert_int_equal(mdb_txn_begin(env, NULL, 0, &txn), 0);
    assert_int_equal(mdb_dbi_open(txn, "theirs", MDB_CREATE, &dbi), 0);
    assert_int_equal(mdb_put(txn, dbi, &key, &value, 0), 0);
    assert_int_equal(mdb_txn_commit(txn), 0);
    mdb_env_close(env);
}

static void file_write_text(const char *dir, const char *name, size_t n)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    for (size_t i = 0; i < n; i++)
        fputc((int)('a' + i % 26), f);
    assert_int_equal(fclose(f), 0);
}

static void a_foreign_database_and_a_foreign_file_are_refused(void **state)
{
    (void)state;
    struct store *s = NULL;
    char dir[64];
    kit_dir_make(dir);
    foreign_put(dir);
    assert_int_equal(open_with(dir, true, 0, 0, 0, &s), STORE_FORMAT);
    kit_dir_remove(dir);
    kit_dir_make(dir);
    file_write_text(dir, "data.mdb", 20000);
    assert_int_equal(open_with(dir, true, 0, 0, 0, &s), STORE_FORMAT);
    assert_null(s);
    kit_dir_remove(dir);
}

/* ---- limits ---- */

static void a_disk_without_the_reserve_has_no_room(void **state)
{
    (void)state;
    char dir[64];
    kit_dir_make(dir);
    struct store *s = NULL;
    /* More than any disk: the disk, not the map, must be what says no. */
    assert_int_equal(open_with(dir, true, 1ull << 45, 0, 1ull << 44, &s), 0);
    assert_int_equal(store_has_room(s), STORE_FULL);
    store_free(s);
    kit_dir_remove(dir);
}

/* ---- a disk that somebody else fills ---- */

enum { DISK_MIB = 24, RESERVE_MIB = 4, SKIPPED = 77 };

/* A small disk at `top`, for this process alone. */
static bool disk_mount(const char *top)
{
    char options[32];
    snprintf(options, sizeof options, "size=%dm", DISK_MIB);
    return unshare(geteuid() == 0 ? CLONE_NEWNS : CLONE_NEWUSER | CLONE_NEWNS) == 0 &&
           mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
           mount("rota-test", top, "tmpfs", 0, options) == 0;
}

static uint64_t disk_free(const char *top)
{
    struct statvfs vfs;
    assert_int_equal(statvfs(top, &vfs), 0);
    return (uint64_t)vfs.f_bavail * vfs.f_frsize;
}

static void disk_fill(const char *top)
{
    char path[128], block[65536] = {1};
    snprintf(path, sizeof path, "%s/ballast", top);
    AUTO_FD fd = open(path, O_WRONLY | O_CREAT | O_APPEND, 0600);
    for (size_t n = sizeof block; n;)
        if (write(fd, block, n) < 0)
            n /= 2;
    assert_int_equal(disk_free(top), 0);
}

static void disk_empty(const char *top)
{
    char path[128];
    snprintf(path, sizeof path, "%s/ballast", top);
    assert_int_equal(unlink(path), 0);
}

/* Commits of ten rows from `n` on until the store says no, or `most`; how many rows are there then.
 */
static uint64_t rows_put(struct store *s, uint64_t n, uint64_t most)
{
    for (; n < most; n += 10) {
        struct txn *txn = kit_begin(s);
        for (uint64_t i = n; i < n + 10; i++)
            assert_int_equal(kit_event_put(txn, i, 1000), 0);
        int r = store_commit(&txn);
        if (r) {
            assert_int_equal(r, STORE_FULL);
            return n;
        }
    }
    return n;
}

static void rows_check(struct store *s, uint64_t n)
{
    AUTO(txn) snap = kit_snapshot(s);
    uint64_t rows;
    assert_int_equal(txn_count(snap, TABLE_EVENT, &rows), 0);
    assert_int_equal(rows, n);
    for (uint64_t i = 0; i < n; i++)
        assert_true(kit_event_is(snap, i, 1000));
}

static void room_is(struct store *s, int wanted, unsigned tries)
{
    int r = -1;
    while (tries-- && r != wanted) {
        poll(NULL, 0, 110); /* the answer is looked up at most every 100 ms */
        r = store_has_room(s);
    }
    assert_int_equal(r, wanted);
}

/* The reserve is the file's own: what must fit still fits when the disk has no byte left. Then that
 * is gone as well: the commit is refused, the store lives on, and no row is lost or half there. */
static int disk_filled(const char *top)
{
    struct store *s = NULL;
    if (!disk_mount(top))
        return SKIPPED;
    assert_int_equal(open_with(top, true, 1 << 30, 0, RESERVE_MIB << 20, &s), 0);
    uint64_t before = rows_put(s, 0, 1000);
    store_tend(s, 1);
    assert_int_equal(store_has_room(s), 0);
    disk_fill(top);
    room_is(s, STORE_FULL, 2);
    uint64_t n = rows_put(s, before, 1 << 20);
    uint64_t kept_kib = (n - before) * 1000 >> 10;
    assert_true(kept_kib >= (RESERVE_MIB << 10) / 2); /* leaves that split are not full */
    for (unsigned again = 0; again < 20; again++)
        n = rows_put(s, n, n + 10); /* refused again and again, or it fits into free pages */
    rows_check(s, n);
    s = store_free(s);
    assert_int_equal(open_with(top, false, 1 << 30, 0, RESERVE_MIB << 20, &s), 0);
    rows_check(s, n);
    room_is(s, STORE_FULL, 2);
    disk_empty(top);
    room_is(s, 0, 20); /* seen by the clock, a second apart at most */
    assert_int_equal(rows_put(s, n, n + 500), n + 500);
    rows_check(s, n + 500);
    printf("disk of %d MiB full to the last byte: %llu KiB of rows still went in (%d MiB reserve), "
           "0 of %llu lost\n",
           DISK_MIB, (unsigned long long)kept_kib, RESERVE_MIB, (unsigned long long)n + 500);
    store_free(s);
    return 0;
}

/* A lock file with holes would end the process by SIGBUS at the first look. */
static int lock_file_without_room(const char *top)
{
    struct store *s = NULL;
    if (!disk_mount(top))
        return SKIPPED;
    disk_fill(top);
    return open_with(top, true, 1 << 30, 0, 0, &s) == -ENOSPC ? 0 : 1;
}

/* In a child, because mounts are its own. */
static void with_disk(int (*test)(const char *top))
{
    char top[64];
    int status;
    kit_dir_make(top);
    fflush(stdout);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        int code = test(top);
        fflush(stdout);
        _exit(code);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    kit_dir_remove(top);
    if (WIFEXITED(status) && WEXITSTATUS(status) == SKIPPED)
        skip();
    assert_int_equal(status, 0);
}

static void a_disk_full_to_the_last_byte_costs_no_row(void **state)
{
    (void)state;
    with_disk(disk_filled);
}

static void a_new_lock_file_on_a_full_disk_is_an_error(void **state)
{
    (void)state;
    with_disk(lock_file_without_room);
}

/* ---- damage ---- */

static void a_flipped_bit_in_the_file_is_seen_at_its_row_alone(void **state)
{
    struct kit *k = *state;
    struct txn *txn = kit_begin(k->store);
    for (uint64_t i = 1; i <= 200; i++)
        assert_int_equal(kit_event_put(txn, i, 500), 0);
    assert_int_equal(store_commit(&txn), 0);
    k->store = store_free(k->store);

    char path[128];
    snprintf(path, sizeof path, "%s/data.mdb", k->dir);
    AUTO_FD fd = open(path, O_RDWR);
    struct stat st;
    assert_true(fd >= 0 && fstat(fd, &st) == 0);
    AUTO_FREE uint8_t *bytes = malloc((size_t)st.st_size);
    assert_int_equal(pread(fd, bytes, (size_t)st.st_size, 0), st.st_size);
    uint8_t run[400];
    memset(run, 77, sizeof run);
    const uint8_t *at = memmem(bytes, (size_t)st.st_size, run, sizeof run);
    assert_non_null(at);
    uint8_t flipped = 77 ^ 0x10;
    assert_int_equal(pwrite(fd, &flipped, 1, at - bytes + 200), 1);

    k->store = kit_open(k->dir);
    AUTO(txn) snap = kit_snapshot(k->store);
    unsigned good = 0, bad = 0;
    for (uint64_t i = 1; i <= 200; i++) {
        struct key_buf b;
        struct event_row row;
        int r = row_get(snap, &event_row_type, key_u64(&b, i), &row);
        assert_true(r == 0 || (r == -EBADMSG && i == 77));
        good += r == 0;
        bad += r != 0;
    }
    assert_int_equal(bad, 1);
    print_message("1 bit flipped: %u row damaged, %u good\n", bad, good);
}

/* ---- threads ---- */

enum { READER_THREADS = 4, PAIR_COMMITS = 1500 };

struct readers {
    struct store *store;
    atomic_bool is_over;
    atomic_ullong snapshots, torn;
};

static void *pairs_read(void *arg)
{
    struct readers *all = arg;
    while (!all->is_over) {
        struct txn *txn = NULL;
        struct ring_row a = {0}, b = {0};
        struct key_buf k;
        if (store_snapshot(all->store, &txn) != 0)
            abort();
        if (row_get(txn, &ring_row_type, key_u64(&k, 1), &a) != 0 ||
            row_get(txn, &ring_row_type, key_u64(&k, 2), &b) != 0 || a.account != b.account)
            all->torn++;
        txn_free(txn);
        all->snapshots++;
    }
    return NULL;
}

static void pair_put(struct store *s, uint64_t n)
{
    struct key_buf k;
    struct ring_row row = {.account = n};
    struct txn *txn = kit_begin(s);
    assert_int_equal(row_put(txn, &ring_row_type, key_u64(&k, 1), &row), 0);
    assert_int_equal(row_put(txn, &ring_row_type, key_u64(&k, 2), &row), 0);
    assert_int_equal(store_commit(&txn), 0);
}

static void snapshots_of_four_threads_never_see_half_a_commit(void **state)
{
    struct kit *k = *state;
    struct readers all = {.store = k->store};
    pthread_t thread[READER_THREADS];
    pair_put(k->store, 0);
    for (unsigned i = 0; i < READER_THREADS; i++)
        assert_int_equal(pthread_create(&thread[i], NULL, pairs_read, &all), 0);
    for (uint64_t n = 1; n <= PAIR_COMMITS; n++)
        pair_put(k->store, n);
    all.is_over = true;
    for (unsigned i = 0; i < READER_THREADS; i++)
        pthread_join(thread[i], NULL);
    assert_int_equal(all.torn, 0);
    assert_true(all.snapshots > 1000);
    print_message("%llu snapshots beside %d commits, %llu torn\n", all.snapshots, PAIR_COMMITS,
                  all.torn);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, kit_setup, kit_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(every_descriptor_of_the_store_closes_on_exec),
        cmocka_unit_test(a_foreign_database_and_a_foreign_file_are_refused),
        cmocka_unit_test(a_disk_without_the_reserve_has_no_room),
        cmocka_unit_test(a_disk_full_to_the_last_byte_costs_no_row),
        cmocka_unit_test(a_new_lock_file_on_a_full_disk_is_an_error),
        TEST(a_flipped_bit_in_the_file_is_seen_at_its_row_alone),
        TEST(snapshots_of_four_threads_never_see_half_a_commit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
