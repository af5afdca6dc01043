/* test_spool.c: a job's last 256 KiB are read back byte for byte, across the ring's end, across a
 * restart, and with more jobs than there is room for. */
#undef NDEBUG
#include "edge/spool.h"
#include "folder.h"

#include <assert.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka needs the four above */
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

enum { PIECES = 3000, PIECE_MAX = 1500 };

static char dir[sizeof "/tmp/rota-spool-XXXXXX"];

static int up(void **state)
{
    (void)state;
    snprintf(dir, sizeof dir, "/tmp/rota-spool-XXXXXX");
    return mkdtemp(dir) ? 0 : -1;
}

static int down(void **state)
{
    (void)state;
    return folder_remove(dir);
}

static struct job_id id_of(unsigned n)
{
    struct job_id id = {{0}};
    memcpy(id.b + 8, &n, sizeof n);
    return id;
}

/* Byte number i of every log here. */
static uint8_t byte_at(uint64_t i)
{
    return (uint8_t)(i * 2654435761u >> 13);
}

static uint64_t append(struct spool *s, struct job_id job, uint64_t at, size_t n, uint64_t now_ms)
{
    uint8_t buf[PIECE_MAX];
    uint64_t size = 0;
    for (size_t i = 0; i < n; i++)
        buf[i] = byte_at(at + i);
    assert_int_equal(spool_append(s, job, now_ms, buf, n, &size), 0);
    assert_int_equal(size, at + n);
    return size;
}

/* Reads from `offset` in pieces; all bytes must be right; gives where the log begins. */
static uint64_t check(struct spool *s, struct job_id job, uint64_t offset, uint64_t size)
{
    uint8_t buf[7777];
    struct spool_piece piece;
    uint64_t first = UINT64_MAX;
    do {
        assert_int_equal(spool_read(s, job, offset, buf, sizeof buf, &piece), 0);
        assert_int_equal(piece.size, size);
        if (first == UINT64_MAX)
            first = piece.offset;
        for (size_t i = 0; i < piece.n; i++)
            assert_int_equal(buf[i], byte_at(piece.offset + i));
        offset = piece.offset + piece.n;
    } while (piece.n);
    assert_int_equal(offset, size);
    return first;
}

static void test_the_last_words_are_kept_over_a_restart(void **state)
{
    (void)state;
    struct spool *s = NULL;
    struct job_id job = id_of(1);
    uint64_t size = 0;
    assert_int_equal(spool_open(dir, 1, &s), 0);
    for (unsigned i = 0; i < PIECES; i++) {
        size = append(s, job, size, 1 + i * 37 % PIECE_MAX, i);
        if (i == 20)
            assert_int_equal(check(s, job, 0, size), 0);
    }
    assert_true(size > 4ull * SPOOL_JOB_BYTES_MAX);
    assert_int_equal(check(s, job, 0, size), size - SPOOL_JOB_BYTES_MAX);
    assert_int_equal(check(s, job, size - 10, size), size - 10);
    s = spool_free(s);
    assert_int_equal(spool_open(dir, 1, &s), 0);
    assert_int_equal(check(s, job, 0, size), size - SPOOL_JOB_BYTES_MAX);
    size = append(s, job, size, 100, 5);
    check(s, job, 0, size);
    printf("%llu bytes said, %d kept, also over a restart\n", (unsigned long long)size,
           SPOOL_JOB_BYTES_MAX);
    spool_free(s);
}

static void test_the_longest_silent_job_gives_way(void **state)
{
    (void)state;
    struct spool *s = NULL;
    unsigned kept = 0;
    assert_int_equal(spool_open(dir, 1, &s), 0);
    for (unsigned i = 0; i < SPOOL_JOBS_MAX; i++)
        append(s, id_of(i + 1), 0, 10, i);
    append(s, id_of(1), 10, 10, 5000); /* it speaks again: no longer the first to go */
    for (unsigned i = 0; i < 100; i++)
        append(s, id_of(5000 + i), 0, 10, 5001);
    for (unsigned i = 0; i < SPOOL_JOBS_MAX; i++) {
        struct spool_piece piece;
        uint8_t buf[10];
        assert_int_equal(spool_read(s, id_of(i + 1), 0, buf, sizeof buf, &piece), 0);
        kept += piece.size > 0;
        assert_int_equal(piece.size > 0, i == 0 || i > 100);
    }
    printf("%u of %d earlier jobs kept after 100 more\n", kept, SPOOL_JOBS_MAX);
    assert_int_equal(kept, SPOOL_JOBS_MAX - 100);
    spool_sweep(s, 5000 + SPOOL_AGE_MS_MAX + 1); /* all but the last hundred are too old */
    struct spool_piece piece;
    uint8_t buf[10];
    assert_int_equal(spool_read(s, id_of(1), 0, buf, sizeof buf, &piece), 0);
    assert_int_equal(piece.size, 0);
    assert_int_equal(spool_read(s, id_of(5050), 0, buf, sizeof buf, &piece), 0);
    assert_int_equal(piece.size, 10);
    spool_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_the_last_words_are_kept_over_a_restart, up, down),
        cmocka_unit_test_setup_teardown(test_the_longest_silent_job_gives_way, up, down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
