/* test_seal_file.c: what the cache keeps of an account lies sealed on the disk. No plain text may
 * show there, and a stream that was changed in any byte, cut, lengthened, or put under another name
 * must not open: an edited entry would put its author's code into an app. And the lists of
 * node_modules, which become mount points: no path of a hostile name gets into one. */
#undef NDEBUG
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <assert.h>
#include <base/auto.h>
#include <base/file.h>
#include <cmocka.h>
#include <seal_file.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <trees.h>

enum { CHUNK = 64 * 1024, FLIPS = 400 };

static const uint8_t key[32] = {1, 2, 3};
static const char canary[] = "const canary = 'the source of somebody';";

static int memory(const void *p, size_t n)
{
    int fd = memfd_create("test", MFD_CLOEXEC);
    assert_true(fd >= 0 && write_all(fd, p, n) == 0);
    assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
    return fd;
}

static uint8_t *content(int fd, size_t *ret_n)
{
    off_t end = lseek(fd, 0, SEEK_END);
    uint8_t *p = calloc(1, (size_t)end + 1);
    assert_true(end >= 0 && p && pread(fd, p, (size_t)end, 0) == end);
    *ret_n = (size_t)end;
    return p;
}

/* Two files of these sizes, sealed. */
static uint8_t *sealed(size_t a_n, size_t b_n, size_t *ret_n)
{
    AUTO_FREE char *a = calloc(1, a_n + sizeof canary);
    AUTO_FREE char *b = calloc(1, b_n + 1);
    memset(a, 'a', a_n);
    memset(b, 'b', b_n);
    if (a_n >= sizeof canary)
        memcpy(a, canary, sizeof canary);
    AUTO_FD one = memory(a, a_n);
    AUTO_FD two = memory(b, b_n);
    AUTO_FD to = memory("", 0);
    uint64_t bytes = 0;
    assert_int_equal(seal_files(key, "name", (const int[]){one, two}, 2, to, &bytes), 0);
    uint8_t *p = content(to, ret_n);
    assert_int_equal(bytes, *ret_n);
    return p;
}

static int opened(const uint8_t *p, size_t n, const char *name, size_t *ret_a, size_t *ret_b)
{
    AUTO_FD from = memory(p, n);
    AUTO_FD one = memory("", 0);
    AUTO_FD two = memory("", 0);
    int r = unseal_files(key, name, from, (const int[]){one, two}, 2);
    free(content(one, ret_a));
    free(content(two, ret_b));
    return r;
}

static void files_of_all_sizes_come_back(void **state)
{
    static const size_t sizes[] = {0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 3ull * CHUNK, 200001};
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++)
        for (size_t k = 0; k < ARRAY_LEN(sizes); k++) {
            size_t n, a, b;
            AUTO_FREE uint8_t *p = sealed(sizes[i], sizes[k], &n);
            assert_int_equal(opened(p, n, "name", &a, &b), 0);
            assert_int_equal(a, sizes[i]);
            assert_int_equal(b, sizes[k]);
        }
}

static void no_plain_text_shows(void **state)
{
    size_t n;
    AUTO_FREE uint8_t *p = sealed(2ull * CHUNK, 100, &n);
    assert_null(memmem(p, n, canary, sizeof canary - 1));
    assert_null(memmem(p, n, "aaaaaaaa", 8));
}

static void every_tampering_is_noticed(void **state)
{
    size_t n, a, b;
    unsigned refused = 0, tried = 0;
    AUTO_FREE uint8_t *p = sealed(CHUNK + 500, 700, &n);
    assert_int_equal(opened(p, n, "other", &a, &b), SEAL_FILE_BROKEN);
    for (size_t i = 0; i < FLIPS; i++, tried++) {
        size_t at = i < 100 ? i : n - 1 - (i * 977) % n;
        p[at] ^= (uint8_t)(1u << (i % 8));
        refused += opened(p, n, "name", &a, &b) == SEAL_FILE_BROKEN;
        p[at] ^= (uint8_t)(1u << (i % 8));
    }
    for (size_t cut = 0; cut < n; cut += 499, tried++)
        refused += opened(p, cut, "name", &a, &b) == SEAL_FILE_BROKEN;
    assert_int_equal(opened(p, n, "name", &a, &b), 0);
    printf("%u of %u tamperings refused\n", refused, tried);
    assert_int_equal(refused, tried);
}

/* A file of the first stream must not pass for one of another. */
static void streams_cannot_be_mixed(void **state)
{
    size_t n, m, a, b;
    AUTO_FREE uint8_t *p = sealed(1000, 10, &n);
    AUTO_FREE uint8_t *q = sealed(1000, 10, &m);
    assert_int_equal(n, m);
    memcpy(p + n / 2, q + n / 2, n - n / 2);
    assert_int_equal(opened(p, n, "name", &a, &b), SEAL_FILE_BROKEN);
}

static void lists_of_trees_take_plain_paths_only(void **state)
{
    static const char *const good[] = {"node_modules", "packages/a b/node_modules",
                                       "apps/..x/node_modules"};
    static const char *const bad[] = {"",
                                      "/node_modules",
                                      "../node_modules",
                                      "a/../node_modules",
                                      "a//node_modules",
                                      "./node_modules",
                                      "node_modules/",
                                      "node_modules/x",
                                      "a\nb/node_modules",
                                      "a\x1b/node_modules",
                                      "xnode_modules",
                                      "a/node_modulesx"};
    AUTO_FREE struct trees *t = calloc(1, sizeof *t);
    AUTO_FREE struct trees *again = calloc(1, sizeof *again);
    for (size_t i = 0; i < ARRAY_LEN(good); i++)
        trees_add(t, good[i]);
    assert_false(t->is_cut);
    assert_int_equal(t->n, ARRAY_LEN(good));
    assert_true(trees_read(again, t->text));
    size_t n;
    const char *p = trees_next(again, NULL, &n);
    for (size_t i = 0; i < ARRAY_LEN(good); i++, p = trees_next(again, p, &n)) {
        assert_non_null(p);
        assert_int_equal(n, strlen(good[i]));
        assert_memory_equal(p, good[i], n);
    }
    assert_null(p);
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        *t = (struct trees){.n = 0};
        trees_add(t, bad[i]);
        if (!t->is_cut || t->n != 0)
            fail_msg("taken: %s", bad[i]);
        assert_false(trees_read(again, *bad[i] ? bad[i] : "\n"));
    }
}

static void lists_of_trees_have_a_bound(void **state)
{
    AUTO_FREE struct trees *t = calloc(1, sizeof *t);
    for (unsigned i = 0; i < TREES_MAX + 1; i++) {
        char path[64];
        snprintf(path, sizeof path, "packages/%u/node_modules", i);
        trees_add(t, path);
        assert_int_equal(t->is_cut, i >= TREES_MAX);
    }
}

int main(void)
{
    assert(sodium_init() >= 0);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(files_of_all_sizes_come_back),
        cmocka_unit_test(no_plain_text_shows),
        cmocka_unit_test(every_tampering_is_noticed),
        cmocka_unit_test(streams_cannot_be_mixed),
        cmocka_unit_test(lists_of_trees_take_plain_paths_only),
        cmocka_unit_test(lists_of_trees_have_a_bound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
