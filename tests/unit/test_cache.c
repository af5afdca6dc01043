/* test_cache.c: the store that builds share over time. Two workers on one machine, a worker killed
 * at any instant, a clock, a full disk and somebody who edits files must never make an entry appear
 * that is not whole, nor the store outgrow its bound; and what a build uses must not go away under
 * it. */
#undef NDEBUG
#include "folder.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <base/auto.h>
#include <base/clock.h>
#include <base/file.h>
#include <cache.h>
#include <cmocka.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>

enum { FILES = 12, FILE_BYTES = 3000, KILLS = 200, KEYS = 6, KILL_US_MAX = 12000 };
enum { SMALL_MIB = 2, PAIR_KEYS = 60 };

#define BOUND (1ull << 30)
#define HOUR  (3600ull * 1000)

static uint64_t fake_ms = 1700000000000;

static uint64_t fake_now(void)
{
    return fake_ms;
}

struct world {
    char top[64];
    struct cache cache;
};

static void opened(struct cache *c, const char *path, uint64_t bound)
{
    char why[CACHE_WHY_MAX] = "";
    if (cache_open(path, bound, fake_now, c, why) != 0)
        fail_msg("not opened: %s", why);
}

static void world_open(struct world *w, uint64_t bound)
{
    assert_true(sodium_init() >= 0);
    snprintf(w->top, sizeof w->top, "/tmp/rota-cache-XXXXXX");
    assert_non_null(mkdtemp(w->top));
    opened(&w->cache, w->top, bound);
}

static void world_close(struct world *w)
{
    cache_close(&w->cache);
    folder_remove(w->top);
}

static struct cache_name name_of(const struct cache *c, enum cache_kind kind, unsigned key)
{
    struct cache_namer n;
    struct cache_name name;
    cache_name_begin(c, kind, &n);
    cache_name_add(&n, &key, sizeof key);
    cache_name_end(&n, &name);
    return name;
}

/* Every file says which key it belongs to, all the way through. */
static int file_put(const char *folder, unsigned i, unsigned key)
{
    char path[CACHE_PATH_MAX + 16], text[FILE_BYTES];
    memset(text, 'a' + (int)(key % 26), sizeof text);
    snprintf(path, sizeof path, "%s/%u", folder, i);
    AUTO_FD fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    return fd < 0 ? -errno : write_all(fd, text, sizeof text);
}

static int put(const struct cache *c, enum cache_kind kind, unsigned key, uint64_t bytes)
{
    struct cache_name name = name_of(c, kind, key);
    AUTO(cache_fill) f = NULL;
    int r = cache_fill_begin(c, kind, geteuid(), &f);
    for (unsigned i = 0; r == 0 && i < FILES; i++)
        r = file_put(f->data, i, key);
    return r == 0 ? cache_publish(f, &name, bytes, "a note", false) : r;
}

static bool is_whole(const struct cache_use *u, unsigned key)
{
    for (unsigned i = 0; i < FILES; i++) {
        char path[CACHE_PATH_MAX + 16];
        AUTO_FREE char *text = NULL;
        size_t n = 0;
        snprintf(path, sizeof path, "%s/%u", u->data, i);
        if (file_read(path, FILE_BYTES, &text, &n) < 0 || n != FILE_BYTES ||
            text[0] != 'a' + (int)(key % 26) || memcmp(text, text + 1, n - 1) != 0)
            return false;
    }
    return true;
}

static int got(const struct cache *c, enum cache_kind kind, unsigned key)
{
    struct cache_name name = name_of(c, kind, key);
    AUTO(cache_use) u = NULL;
    int r = cache_use(c, kind, &name, &u);
    if (r == 0)
        assert_true(is_whole(u, key));
    return r;
}

static unsigned names_in(const struct cache *c, const char *folder)
{
    char path[CACHE_PATH_MAX + 32];
    unsigned n = 0;
    snprintf(path, sizeof path, "%s/%s", c->path, folder);
    DIR *d = opendir(path);
    assert_non_null(d);
    for (struct dirent *e; (e = readdir(d));)
        n += e->d_name[0] != '.';
    closedir(d);
    return n;
}

static void an_entry_is_found_by_its_own_name_and_kind_alone(void **state)
{
    struct world w;
    world_open(&w, BOUND);
    assert_int_equal(got(&w.cache, CACHE_MODULES, 1), CACHE_MISS);
    assert_int_equal(put(&w.cache, CACHE_MODULES, 1, 100), 0);
    assert_int_equal(got(&w.cache, CACHE_MODULES, 1), 0);
    assert_int_equal(got(&w.cache, CACHE_MODULES, 2), CACHE_MISS);
    assert_int_equal(got(&w.cache, CACHE_LAYER, 1), CACHE_MISS);
    assert_int_equal(put(&w.cache, CACHE_MODULES, 1, 100), CACHE_HAVE);
    world_close(&w);
}

static void another_key_file_finds_nothing(void **state)
{
    struct world w;
    char path[128];
    world_open(&w, BOUND);
    assert_int_equal(put(&w.cache, CACHE_MODULES, 1, 100), 0);
    snprintf(path, sizeof path, "%s/key", w.top);
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(truncate(path, 5), 0);
    struct cache again;
    opened(&again, w.top, BOUND);
    assert_int_equal(got(&again, CACHE_MODULES, 1), CACHE_MISS);
    cache_close(&again);
    world_close(&w);
}

static void parts_of_a_name_do_not_run_together(void **state)
{
    struct world w;
    struct cache_namer n;
    struct cache_name a, b;
    world_open(&w, BOUND);
    cache_name_begin(&w.cache, CACHE_MODULES, &n);
    cache_name_text(&n, "ab");
    cache_name_text(&n, "c");
    cache_name_end(&n, &a);
    cache_name_begin(&w.cache, CACHE_MODULES, &n);
    cache_name_text(&n, "a");
    cache_name_text(&n, "bc");
    cache_name_end(&n, &b);
    assert_string_not_equal(a.hex, b.hex);
    world_close(&w);
}

static void least_recently_used_goes_first_and_the_bound_holds(void **state)
{
    struct world w;
    size_t entries;
    uint64_t bytes, most = 0;
    world_open(&w, 10000);
    for (unsigned key = 0; key < 10; key++, fake_ms += 1000)
        assert_int_equal(put(&w.cache, CACHE_LAYER, key, 1000), 0);
    assert_int_equal(got(&w.cache, CACHE_LAYER, 0), 0); /* now 1 is the oldest */
    fake_ms += 1000;
    assert_int_equal(put(&w.cache, CACHE_MODULES, 99, 1500), 0);
    for (unsigned key = 0; key < 10; key++)
        assert_int_equal(got(&w.cache, CACHE_LAYER, key), key == 1 || key == 2 ? CACHE_MISS : 0);
    for (unsigned key = 100; key < 160; key++, fake_ms += 1000) {
        assert_int_equal(put(&w.cache, CACHE_LAYER, key, 700 + key), 0);
        assert_int_equal(cache_sum(&w.cache, &entries, &bytes), 0);
        most = bytes > most ? bytes : most;
    }
    assert_int_equal(put(&w.cache, CACHE_LAYER, 200, 10001), CACHE_LARGE);
    assert_true(most <= 10000);
    assert_int_equal(names_in(&w.cache, "staging"), 0);
    printf("size bound 10000: the most that was held is %llu\n", (unsigned long long)most);
    world_close(&w);
}

static void what_is_in_use_stays_and_what_replaces_it_comes_beside(void **state)
{
    struct world w;
    AUTO(cache_use) u = NULL;
    AUTO(cache_fill) f = NULL;
    world_open(&w, 2000);
    assert_int_equal(put(&w.cache, CACHE_LAYER, 1, 1500), 0);
    struct cache_name name = name_of(&w.cache, CACHE_LAYER, 1);
    assert_int_equal(cache_use(&w.cache, CACHE_LAYER, &name, &u), 0);
    assert_string_equal(u->note, "a note");
    assert_int_equal(put(&w.cache, CACHE_LAYER, 2, 1500), CACHE_LARGE);
    assert_int_equal(cache_fill_begin(&w.cache, CACHE_LAYER, geteuid(), &f), 0);
    for (unsigned i = 0; i < FILES; i++)
        assert_int_equal(file_put(f->data, i, 27), 0);
    assert_int_equal(cache_publish(f, &name, 1200, NULL, true), 0);
    f = cache_fill_free(f);
    assert_int_equal(got(&w.cache, CACHE_LAYER, 1), 0); /* 27 writes as 1 does */
    assert_int_equal(names_in(&w.cache, "staging"), 1); /* the old one, while we hold it */
    u = cache_use_free(u);
    assert_int_equal(put(&w.cache, CACHE_LAYER, 3, 100), 0);
    assert_int_equal(names_in(&w.cache, "staging"), 0);
    world_close(&w);
}

static void modules_live_a_day_and_layers_longer(void **state)
{
    struct world w;
    world_open(&w, BOUND);
    assert_int_equal(put(&w.cache, CACHE_MODULES, 1, 100), 0);
    assert_int_equal(put(&w.cache, CACHE_LAYER, 1, 100), 0);
    for (int hour = 0; hour < 24; hour++, fake_ms += HOUR)
        assert_int_equal(got(&w.cache, CACHE_MODULES, 1), 0); /* being used makes it no younger */
    fake_ms += 1000;
    assert_int_equal(got(&w.cache, CACHE_MODULES, 1), CACHE_MISS);
    assert_int_equal(got(&w.cache, CACHE_LAYER, 1), 0);
    assert_int_equal(put(&w.cache, CACHE_MODULES, 1, 100), 0);
    assert_int_equal(got(&w.cache, CACHE_MODULES, 1), 0);
    fake_ms += 25 * HOUR;
    struct cache again;
    opened(&again, w.top, BOUND);
    assert_int_equal(names_in(&again, "modules"), 0);
    assert_int_equal(names_in(&again, "layer"), 1);
    cache_close(&again);
    world_close(&w);
}

static void an_entry_whose_file_was_damaged_is_a_miss_and_goes(void **state)
{
    struct world w;
    char path[CACHE_PATH_MAX + 128];
    world_open(&w, BOUND);
    assert_int_equal(put(&w.cache, CACHE_MODULES, 1, 100), 0);
    snprintf(path, sizeof path, "%s/modules/%s/entry", w.cache.path,
             name_of(&w.cache, CACHE_MODULES, 1).hex);
    assert_int_equal(truncate(path, 3), 0);
    assert_int_equal(got(&w.cache, CACHE_MODULES, 1), CACHE_MISS);
    assert_int_equal(put(&w.cache, CACHE_MODULES, 1, 100), 0);
    assert_int_equal(got(&w.cache, CACHE_MODULES, 1), 0);
    world_close(&w);
}

/* ---- several processes ---- */

static pid_t filler_start(const char *top, unsigned seed, unsigned rounds)
{
    pid_t child = fork();
    assert_true(child >= 0);
    if (child > 0)
        return child;
    struct cache c;
    char why[CACHE_WHY_MAX];
    srandom(seed);
    if (cache_open(top, 40000, fake_now, &c, why) != 0)
        _exit(2);
    for (unsigned i = 0; rounds == 0 || i < rounds; i++) {
        unsigned key = (unsigned)random() % KEYS;
        int r = put(&c, CACHE_LAYER, key, 9000);
        if (r < 0)
            _exit(3);
        if (r == CACHE_HAVE && random() % 3 == 0) {
            struct cache_name name = name_of(&c, CACHE_LAYER, key);
            cache_remove(&c, CACHE_LAYER, &name);
        }
        struct cache_name name = name_of(&c, CACHE_LAYER, (unsigned)random() % KEYS);
        AUTO(cache_use) u = NULL;
        if (cache_use(&c, CACHE_LAYER, &name, &u) < 0)
            _exit(4);
    }
    _exit(0);
}

static void two_processes_fill_the_same_keys(void **state)
{
    struct world w;
    int status;
    size_t entries;
    uint64_t bytes;
    world_open(&w, 40000);
    pid_t a = filler_start(w.top, 1, PAIR_KEYS), b = filler_start(w.top, 2, PAIR_KEYS);
    assert_int_equal(waitpid(a, &status, 0), a);
    assert_int_equal(status, 0);
    assert_int_equal(waitpid(b, &status, 0), b);
    assert_int_equal(status, 0);
    for (unsigned key = 0; key < KEYS; key++)
        (void)!got(&w.cache, CACHE_LAYER, key); /* asserts that a hit is whole */
    assert_int_equal(cache_sum(&w.cache, &entries, &bytes), 0);
    assert_true(bytes <= 40000);
    assert_int_equal(put(&w.cache, CACHE_LAYER, 100, 1), 0);
    assert_int_equal(names_in(&w.cache, "staging"), 0);
    printf("two processes, %d fills each: %zu entries, all whole\n", PAIR_KEYS, entries);
    world_close(&w);
}

static void killed_while_filling_leaves_whole_entries_only(void **state)
{
    struct world w;
    unsigned hits = 0, leftovers = 0;
    world_open(&w, 40000);
    srandom(7);
    for (unsigned i = 0; i < KILLS; i++) {
        pid_t child = filler_start(w.top, i, 0);
        struct timespec pause = {.tv_nsec = (500 + random() % KILL_US_MAX) * 1000};
        ppoll(NULL, 0, &pause, NULL);
        assert_int_equal(kill(child, SIGKILL), 0);
        int status;
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFSIGNALED(status)); /* and did not end by a fault of its own */
        leftovers += names_in(&w.cache, "staging");
        struct cache again;
        opened(&again, w.top, 40000);
        assert_int_equal(names_in(&again, "staging"), 0);
        for (unsigned key = 0; key < KEYS; key++)
            hits += got(&again, CACHE_LAYER, key) == 0;
        cache_close(&again);
    }
    assert_true(leftovers > 0 && hits > 0);
    printf("%d kills: %u leftovers swept, %u hits, all whole\n", KILLS, leftovers, hits);
    world_close(&w);
}

/* ---- the disk ---- */

static bool may_mount(void)
{
    if (unshare(geteuid() == 0 ? CLONE_NEWNS : CLONE_NEWUSER | CLONE_NEWNS) < 0)
        return false;
    return mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0;
}

static int full_disk(const char *top)
{
    struct cache c;
    char why[CACHE_WHY_MAX], path[128], options[32];
    snprintf(options, sizeof options, "size=%dm", SMALL_MIB);
    if (!may_mount() || mount("rota-test", top, "tmpfs", 0, options) < 0)
        return 77;
    snprintf(path, sizeof path, "%s/store", top);
    if (cache_open(path, BOUND, fake_now, &c, why) != 0 || put(&c, CACHE_LAYER, 1, 36000) != 0)
        return 1;
    unsigned key = 2;
    int r = 0;
    for (; r == 0 && key < 100; key++)
        r = put(&c, CACHE_LAYER, key, 1); /* says 1: the bound does not help here */
    printf("a disk of %d MiB is full after %u entries\n", SMALL_MIB, key - 2);
    fflush(stdout);
    if (r != -ENOSPC || names_in(&c, "staging") != 0 || got(&c, CACHE_LAYER, 1) != 0)
        return 2;
    return got(&c, CACHE_LAYER, key - 1) == CACHE_MISS ? 0 : 3;
}

/* hermesc comes out of node_modules: a warm build would fail where a cold one does not. */
static int no_programs(const char *top)
{
    struct cache c;
    char why[CACHE_WHY_MAX] = "";
    if (!may_mount() || mount("rota-test", top, "tmpfs", MS_NOEXEC, NULL) < 0)
        return 77;
    int r = cache_open(top, BOUND, fake_now, &c, why);
    return r == CACHE_UNUSABLE && strstr(why, "noexec") ? 0 : 1;
}

/* In a child, because mounts are its own. */
static void with_mounts(int (*test)(const char *top))
{
    char top[] = "/tmp/rota-cache-XXXXXX";
    int status;
    assert_non_null(mkdtemp(top));
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0)
        _exit(test(top));
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(rmdir(top), 0);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
        skip();
    assert_int_equal(status, 0);
}

static void a_full_disk_costs_the_new_entry_alone(void **state)
{
    with_mounts(full_disk);
}

static void a_disk_without_programs_is_refused(void **state)
{
    with_mounts(no_programs);
}

static void a_folder_of_somebody_else_is_refused(void **state)
{
    struct cache c;
    char why[CACHE_WHY_MAX] = "";
    assert_int_equal(cache_open("/proc/self", BOUND, NULL, &c, why), CACHE_UNUSABLE);
    assert_true(why[0] != 0);
    assert_int_equal(cache_open("/dev/null/x", BOUND, NULL, &c, why), CACHE_UNUSABLE);
    assert_non_null(strstr(why, "cannot be made"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_entry_is_found_by_its_own_name_and_kind_alone),
        cmocka_unit_test(another_key_file_finds_nothing),
        cmocka_unit_test(parts_of_a_name_do_not_run_together),
        cmocka_unit_test(least_recently_used_goes_first_and_the_bound_holds),
        cmocka_unit_test(what_is_in_use_stays_and_what_replaces_it_comes_beside),
        cmocka_unit_test(modules_live_a_day_and_layers_longer),
        cmocka_unit_test(an_entry_whose_file_was_damaged_is_a_miss_and_goes),
        cmocka_unit_test(two_processes_fill_the_same_keys),
        cmocka_unit_test(killed_while_filling_leaves_whole_entries_only),
        cmocka_unit_test(a_full_disk_costs_the_new_entry_alone),
        cmocka_unit_test(a_disk_without_programs_is_refused),
        cmocka_unit_test(a_folder_of_somebody_else_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
