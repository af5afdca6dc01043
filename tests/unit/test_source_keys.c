/* test_source_keys.c: the file of source keys gives a key back to its own job, across restarts, and
 * a key that was destroyed stands nowhere in it.
 *
 * Why it matters: destroying the key is how a source is deleted. A copy of it that stays is a
 * source that stays, in every backup of the sealed object. */
#undef NDEBUG
#include "edge/source_keys.h"

#include <base/file.h>
#include <fcntl.h>
#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

enum { JOBS = 1500, FILE_BYTES_MAX = 1 << 20 };

static char dir[] = "/tmp/rota-keys-XXXXXX";
static char path[64];
static uint8_t key[JOBS][SEAL_KEY_BYTES];

static struct job_id job_of(unsigned i)
{
    struct job_id id = {{1}};
    id.b[14] = (uint8_t)(i >> 8);
    id.b[15] = (uint8_t)i;
    return id;
}

static struct source_keys *opened(void)
{
    struct source_keys *k = NULL;
    assert_int_equal(source_keys_open(dir, &k), 0);
    return k;
}

static void put(struct source_keys *k, unsigned i)
{
    assert_int_equal(source_keys_reserve(k), 0);
    assert_int_equal(source_keys_put(k, job_of(i), key[i]), 0);
    assert_int_equal(source_keys_flush(k), 0);
    source_keys_unreserve(k, 1);
}

static bool has(struct source_keys *k, unsigned i)
{
    uint8_t got[SEAL_KEY_BYTES];
    int r = source_keys_get(k, job_of(i), got);
    if (r == SOURCE_KEYS_MISSING)
        return false;
    assert_int_equal(r, 0);
    assert_memory_equal(got, key[i], sizeof got);
    return true;
}

/* How many of the keys stand somewhere in the file. */
static unsigned in_file(unsigned from, unsigned to)
{
    AUTO_FREE char *bytes = NULL;
    size_t n = 0;
    unsigned found = 0;
    assert_int_equal(file_read(path, FILE_BYTES_MAX, &bytes, &n), 0);
    for (unsigned i = from; i < to; i++)
        found += memmem(bytes, n, key[i], SEAL_KEY_BYTES) != NULL;
    return found;
}

static int begin(void **state)
{
    (void)state;
    char keys[64];
    memset(dir + strlen(dir) - 6, 'X', 6);
    assert_non_null(mkdtemp(dir));
    snprintf(keys, sizeof keys, "%s/keys", dir);
    snprintf(path, sizeof path, "%s/keys/source.keys", dir);
    assert_int_equal(mkdir(keys, 0700), 0);
    randombytes_buf(key, sizeof key);
    return 0;
}

static int end(void **state)
{
    (void)state;
    unlink(path);
    *strrchr(path, '/') = 0;
    rmdir(path);
    return rmdir(dir);
}

static void keys_come_back_and_go_for_good(void **state)
{
    (void)state;
    struct source_keys *before = opened();
    for (unsigned i = 0; i < JOBS; i++)
        put(before, i);
    for (unsigned i = 0; i < JOBS; i++)
        assert_true(has(before, i));
    assert_int_equal(in_file(0, JOBS), JOBS);
    for (unsigned i = 0; i < JOBS; i += 3)
        assert_int_equal(source_keys_destroy(before, job_of(i)), 0);
    assert_int_equal(source_keys_destroy(before, job_of(0)), 0); /* absent is fine */
    assert_int_equal(source_keys_flush(before), 0);
    source_keys_free(before);
    AUTO(source_keys) k = opened();
    for (unsigned i = 0; i < JOBS; i++)
        assert_int_equal(has(k, i), i % 3 != 0);
    assert_int_equal(in_file(0, JOBS), JOBS - JOBS / 3);
    printf("%u keys, %u destroyed, %u of those in the file\n", JOBS, JOBS / 3,
           in_file(0, JOBS) - (JOBS - JOBS / 3));
}

/* A file that only grew would outlive every disk. */
static void slots_are_used_again(void **state)
{
    (void)state;
    struct stat st;
    AUTO(source_keys) k = opened();
    for (unsigned i = 0; i < JOBS; i++) {
        put(k, i);
        if (i >= 100)
            assert_int_equal(source_keys_destroy(k, job_of(i - 100)), 0);
    }
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_size, 64 + 256 * 64);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(in_file(0, JOBS - 100), 0);
}

static bool is_odd(void *arg, struct job_id job)
{
    ++*(unsigned *)arg;
    return job.b[15] & 1;
}

static void a_sweep_destroys_what_it_is_told_to(void **state)
{
    (void)state;
    AUTO(source_keys) k = opened();
    unsigned asked = 0;
    size_t gone = 0;
    for (unsigned i = 0; i < 100; i++)
        put(k, i);
    assert_int_equal(source_keys_destroy(k, job_of(7)), 0);
    assert_int_equal(source_keys_sweep(k, is_odd, &asked, &gone), 0);
    assert_int_equal(asked, 99);
    assert_int_equal(gone, 49);
    assert_int_equal(in_file(0, 100), 50);
    for (unsigned i = 0; i < 100; i++)
        assert_int_equal(has(k, i), i % 2 == 0);
}

/* What was reserved is there when it is wanted, and what was not is refused. */
static void room_is_made_before_it_is_needed(void **state)
{
    (void)state;
    AUTO(source_keys) k = opened();
    assert_true(source_keys_put(k, job_of(0), key[0]) < 0);
    for (unsigned i = 0; i < 300; i++)
        assert_int_equal(source_keys_reserve(k), 0);
    for (unsigned i = 0; i < 300; i++)
        assert_int_equal(source_keys_put(k, job_of(i), key[i]), 0);
    source_keys_unreserve(k, 300);
    for (unsigned i = 0; i < 300; i++)
        assert_true(has(k, i));
}

static void a_file_that_is_not_ours_is_refused(void **state)
{
    (void)state;
    struct source_keys *k = NULL;
    struct source_keys *first = opened();
    put(first, 0);
    source_keys_free(first);
    assert_int_equal(chmod(path, 0640), 0);
    assert_int_equal(source_keys_open(dir, &k), SOURCE_KEYS_REFUSED);
    assert_int_equal(chmod(path, 0600), 0);
    int fd = open(path, O_WRONLY);
    assert_int_equal(pwrite(fd, "x", 1, 3), 1);
    close(fd);
    assert_int_equal(source_keys_open(dir, &k), SOURCE_KEYS_REFUSED);
    assert_null(k);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, begin, end)

int main(void)
{
    if (sodium_init() < 0)
        return 2;
    const struct CMUnitTest tests[] = {
        CASE(keys_come_back_and_go_for_good),      CASE(slots_are_used_again),
        CASE(a_sweep_destroys_what_it_is_told_to), CASE(room_is_made_before_it_is_needed),
        CASE(a_file_that_is_not_ours_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
