/* test_unpack.c: what rota-box does with an archive that somebody made by hand. Each crafted
 * archive must be refused by its own name before anything reaches a place outside the folder, and
 * honest ones, plain, gzip and zstd, must come out whole. The archives are real tars, written by
 * libarchive here. */
#undef NDEBUG
#include "folder.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <archive.h>
#include <archive_entry.h>
#include <base/auto.h>
#include <box.h>
#include <cmocka.h>
#include <fcntl.h>
#include <limits.h>
#include <locale.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

static const struct box_limits small = {
    .bytes_max = 1 << 20, .entries_max = 50, .path_bytes_max = 200};

/* A folder with `to` to unpack into and `outside` that must stay as it is. */
struct world {
    char top[64], to[80], outside[80], aside[80];
    int archive_fd;
    struct archive *out;
    struct box_refusal refusal;
    struct unpack_count count;
};

static void write_text(const char *path, const char *text)
{
    FILE *f = fopen(path, "we");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

static void world_open(struct world *w, int (*filter)(struct archive *))
{
    *w = (struct world){0};
    snprintf(w->top, sizeof w->top, "/tmp/rota-unpack-XXXXXX");
    assert_non_null(mkdtemp(w->top));
    snprintf(w->to, sizeof w->to, "%s/to", w->top);
    snprintf(w->outside, sizeof w->outside, "%s/outside", w->top);
    assert_int_equal(mkdir(w->to, 0755), 0);
    write_text(w->outside, "untouched");
    w->archive_fd = memfd_create("archive", MFD_CLOEXEC);
    assert_true(w->archive_fd >= 0);
    w->out = archive_write_new();
    archive_write_set_format_pax_restricted(w->out);
    filter(w->out);
    assert_int_equal(archive_write_open_fd(w->out, w->archive_fd), ARCHIVE_OK);
}

static void world_close(struct world *w)
{
    char text[16] = "";
    FILE *f = fopen(w->outside, "re");
    assert_non_null(f);
    assert_non_null(fgets(text, sizeof text, f));
    fclose(f);
    assert_string_equal(text, "untouched");
    assert_int_equal(chdir("/"), 0);
    close(w->archive_fd);
    folder_remove(w->top);
}

struct entry {
    const char *path;
    mode_t type;
    const char *data; /* content, or where a link leads */
    bool is_hard_link;
};

static void add(struct world *w, struct entry e)
{
    struct archive_entry *a = archive_entry_new();
    archive_entry_set_pathname(a, e.path);
    archive_entry_set_filetype(a, e.type);
    archive_entry_set_perm(a, 0644);
    if (e.is_hard_link)
        archive_entry_set_hardlink(a, e.data);
    else if (e.type == AE_IFLNK)
        archive_entry_set_symlink(a, e.data);
    else if (e.data)
        archive_entry_set_size(a, (la_int64_t)strlen(e.data));
    assert_int_equal(archive_write_header(w->out, a), ARCHIVE_OK);
    if (e.data && e.type == AE_IFREG && !e.is_hard_link)
        assert_true(archive_write_data(w->out, e.data, strlen(e.data)) >= 0);
    archive_entry_free(a);
}

static void add_zeros(struct world *w, const char *path, size_t bytes)
{
    static const char zeros[4096];
    struct archive_entry *a = archive_entry_new();
    archive_entry_set_pathname(a, path);
    archive_entry_set_filetype(a, AE_IFREG);
    archive_entry_set_perm(a, 0644);
    archive_entry_set_size(a, (la_int64_t)bytes);
    assert_int_equal(archive_write_header(w->out, a), ARCHIVE_OK);
    for (size_t done = 0; done < bytes; done += sizeof zeros)
        assert_true(archive_write_data(w->out, zeros, sizeof zeros) > 0);
    archive_entry_free(a);
}

static int unpack(struct world *w)
{
    if (w->out)
        archive_write_free(w->out);
    w->out = NULL;
    assert_int_equal(lseek(w->archive_fd, 0, SEEK_SET), 0);
    const struct unpack_to to = {.folder = w->to, .aside = w->aside[0] ? w->aside : NULL};
    return box_unpack(w->archive_fd, &to, &small, &w->count, &w->refusal);
}

static void assert_refused(struct world *w, const char *name, const char *says)
{
    assert_int_equal(unpack(w), BOX_REFUSED);
    assert_string_equal(w->refusal.name, name);
    if (!strstr(w->refusal.text, says))
        fail_msg("`%s` does not say `%s`", w->refusal.text, says);
}

static bool is_there(const struct world *w, const char *path)
{
    char full[PATH_MAX];
    struct stat st;
    snprintf(full, sizeof full, "%s/%s", w->to, path);
    return lstat(full, &st) == 0;
}

/* ---- honest archives ---- */

static void honest(int (*filter)(struct archive *))
{
    struct world w;
    world_open(&w, filter);
    add(&w, (struct entry){"./", AE_IFDIR, NULL, false});
    add(&w, (struct entry){"src/", AE_IFDIR, NULL, false});
    add(&w, (struct entry){"src/a.js", AE_IFREG, "one", false});
    add(&w, (struct entry){"src/\xc3\xa4.js", AE_IFREG, "two", false});
    add(&w, (struct entry){"src/same.js", AE_IFREG, "src/a.js", true});
    add(&w, (struct entry){"link", AE_IFLNK, "src/a.js", false});
    add(&w, (struct entry){"src/up", AE_IFLNK, "../src", false});
    assert_int_equal(unpack(&w), 0);
    assert_int_equal(w.count.entries, 7);
    assert_int_equal(w.count.bytes, 6);
    assert_true(is_there(&w, "src/a.js") && is_there(&w, "src/same.js") && is_there(&w, "link"));
    assert_true(is_there(&w, "src/\xc3\xa4.js"));
    world_close(&w);
}

static void a_plain_tar_comes_out_whole(void **state)
{
    honest(archive_write_add_filter_none);
}

static void a_tar_gz_comes_out_whole(void **state)
{
    honest(archive_write_add_filter_gzip);
}

static void a_tar_zst_comes_out_whole(void **state)
{
    honest(archive_write_add_filter_zstd);
}

/* Into a folder that the app's programs do not see; what is no small plain file is not kept. */
static void npmrc_files_are_put_aside(void **state)
{
    struct world w;
    char path[128], text[32] = "";
    world_open(&w, archive_write_add_filter_gzip);
    snprintf(w.aside, sizeof w.aside, "%s/aside", w.top);
    assert_int_equal(mkdir(w.aside, 0755), 0);
    add(&w, (struct entry){"./.npmrc", AE_IFREG, "first", false});
    add(&w, (struct entry){".npmrc", AE_IFREG, "second", false});
    add(&w, (struct entry){".npmrc/.npmrc", AE_IFREG, "below a file", false});
    add(&w, (struct entry){"packages/a/.npmrc", AE_IFREG, "of a", false});
    add(&w, (struct entry){"node_modules/x/.npmrc", AE_IFREG, "x", false});
    add(&w, (struct entry){"b/.npmrc", AE_IFLNK, "../../outside", false});
    assert_int_equal(unpack(&w), BOX_REFUSED); /* the link leaves the tree */
    assert_int_equal(w.count.aside, 2);
    assert_false(is_there(&w, ".npmrc") || is_there(&w, "packages/a/.npmrc"));
    snprintf(path, sizeof path, "%s/.npmrc", w.aside);
    FILE *f = fopen(path, "re");
    assert_true(f && fgets(text, sizeof text, f));
    fclose(f);
    assert_string_equal(text, "first");
    snprintf(path, sizeof path, "%s/node_modules", w.aside);
    assert_int_not_equal(access(path, F_OK), 0);
    world_close(&w);
    world_open(&w, archive_write_add_filter_gzip);
    snprintf(w.aside, sizeof w.aside, "%s/aside", w.top);
    assert_int_equal(mkdir(w.aside, 0755), 0);
    add_zeros(&w, ".npmrc", 128ull * 1024);
    assert_refused(&w, "NPMRC_INVALID", "larger than");
    world_close(&w);
}

/* Yarn's settings stay in the source, and go aside in copy: the program that judges registries sees
 * nothing else of an app. */
static void yarns_files_are_copied_aside(void **state)
{
    static const char *const want[] = {".yarnrc.yml", "packages/a/.yarnrc.yml"};
    struct world w;
    world_open(&w, archive_write_add_filter_gzip);
    snprintf(w.aside, sizeof w.aside, "%s/aside", w.top);
    assert_int_equal(mkdir(w.aside, 0755), 0);
    add(&w, (struct entry){"./.yarnrc.yml", AE_IFREG, "nmMode: a", false});
    add(&w, (struct entry){"packages/a/.yarnrc.yml", AE_IFREG, "nmMode: b", false});
    add(&w, (struct entry){"node_modules/x/.yarnrc.yml", AE_IFREG, "x", false});
    add(&w, (struct entry){"b/.yarnrc.yml", AE_IFLNK, "../.yarnrc.yml", false});
    assert_int_equal(unpack(&w), 0);
    assert_int_equal(w.count.aside, 2);
    assert_int_equal(w.count.skipped, 1);
    for (size_t i = 0; i < sizeof want / sizeof *want; i++) {
        char path[128], text[32] = "", also[32] = "";
        assert_true(is_there(&w, want[i]));
        snprintf(path, sizeof path, "%s/%s", w.aside, want[i]);
        FILE *f = fopen(path, "re");
        assert_true(f && fgets(text, sizeof text, f));
        fclose(f);
        snprintf(also, sizeof also, "nmMode: %c", "ab"[i]);
        assert_string_equal(text, also);
    }
    world_close(&w);
}

static void node_modules_and_npmrc_are_left_out(void **state)
{
    struct world w;
    world_open(&w, archive_write_add_filter_gzip);
    add(&w, (struct entry){"package.json", AE_IFREG, "{}", false});
    add(&w, (struct entry){".npmrc", AE_IFREG, "registry=x", false});
    add(&w, (struct entry){"packages/a/.npmrc", AE_IFREG, "registry=x", false});
    add(&w, (struct entry){"node_modules/x/index.js", AE_IFREG, "x", false});
    add(&w, (struct entry){"packages/a/node_modules", AE_IFLNK, "../b", false});
    assert_int_equal(unpack(&w), 0);
    assert_int_equal(w.count.skipped, 4);
    assert_true(is_there(&w, "package.json"));
    assert_false(is_there(&w, ".npmrc") || is_there(&w, "packages/a/.npmrc"));
    assert_false(is_there(&w, "node_modules") || is_there(&w, "packages/a/node_modules"));
    world_close(&w);
}

static void special_modes_are_dropped(void **state)
{
    struct world w;
    struct stat st;
    char path[PATH_MAX];
    world_open(&w, archive_write_add_filter_gzip);
    struct archive_entry *a = archive_entry_new();
    archive_entry_set_pathname(a, "tool");
    archive_entry_set_filetype(a, AE_IFREG);
    archive_entry_set_perm(a, 06755);
    archive_entry_set_uid(a, 0);
    archive_entry_set_size(a, 0);
    assert_int_equal(archive_write_header(w.out, a), ARCHIVE_OK);
    archive_entry_free(a);
    assert_int_equal(unpack(&w), 0);
    snprintf(path, sizeof path, "%s/tool", w.to);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0755);
    world_close(&w);
}

/* ---- crafted ones ---- */

static const struct crafted {
    const char *what;
    struct entry entry[3];
    const char *says;
} crafted[] = {
    {"dot-dot in front", {{"../outside", AE_IFREG, "x", false}}, "../outside"},
    {"dot-dot inside", {{"a/../../outside", AE_IFREG, "x", false}}, "a/../../outside"},
    {"dot-dot at the end", {{"a/..", AE_IFDIR, NULL, false}}, "a/.."},
    {"absolute", {{"/tmp/rota-absolute", AE_IFREG, "x", false}}, "/tmp/rota-absolute"},
    {"link to an absolute place", {{"l", AE_IFLNK, "/etc/passwd", false}}, "/etc/passwd"},
    {"link upwards", {{"l", AE_IFLNK, "../outside", false}}, "../outside"},
    {"link upwards from below", {{"a/l", AE_IFLNK, "../../outside", false}}, "../../outside"},
    {"link that climbs behind a name", {{"l", AE_IFLNK, "a/../../outside", false}}, "a/../.."},
    {"write through a link",
     {{"d", AE_IFDIR, NULL, false}, {"l", AE_IFLNK, "d", false}, {"l/f", AE_IFREG, "x", false}},
     "l/f"},
    {"hard link upwards", {{"h", AE_IFREG, "../outside", true}}, "../outside"},
    {"hard link to an absolute place", {{"h", AE_IFREG, "/etc/passwd", true}}, "/etc/passwd"},
    {"character device", {{"c", AE_IFCHR, NULL, false}}, "device"},
    {"block device", {{"b", AE_IFBLK, NULL, false}}, "device"},
    {"fifo", {{"p", AE_IFIFO, NULL, false}}, "pipe"},
};

static void each_way_out_is_refused(void **state)
{
    for (size_t i = 0; i < ARRAY_LEN(crafted); i++) {
        struct world w;
        world_open(&w, archive_write_add_filter_gzip);
        for (size_t k = 0; k < 3 && crafted[i].entry[k].path; k++)
            add(&w, crafted[i].entry[k]);
        assert_refused(&w, "ARCHIVE_UNSAFE", crafted[i].says);
        world_close(&w);
    }
    print_message("%zu of %zu ways out refused\n", ARRAY_LEN(crafted), ARRAY_LEN(crafted));
}

static void a_bomb_of_size_is_refused_before_it_is_written(void **state)
{
    struct world w;
    world_open(&w, archive_write_add_filter_gzip);
    add_zeros(&w, "small", 4096);
    add_zeros(&w, "bomb", 64 << 20);
    struct stat st;
    assert_refused(&w, "ARCHIVE_TOO_LARGE", "MiB");
    assert_int_equal(fstat(w.archive_fd, &st), 0);
    print_message("%lld compressed bytes for 64 MiB; refused at its header\n",
                  (long long)st.st_size);
    assert_true(is_there(&w, "small"));
    assert_false(is_there(&w, "bomb"));
    world_close(&w);
}

static void many_files_add_up_to_a_bomb(void **state)
{
    struct world w;
    char name[16];
    world_open(&w, archive_write_add_filter_zstd);
    for (int i = 0; i < 40; i++) {
        snprintf(name, sizeof name, "f%d", i);
        add_zeros(&w, name, 32768);
    }
    assert_refused(&w, "ARCHIVE_TOO_LARGE", "MiB");
    assert_int_equal(w.count.bytes, 1 << 20);
    world_close(&w);
}

static void a_bomb_of_count_is_refused(void **state)
{
    struct world w;
    char name[16];
    world_open(&w, archive_write_add_filter_gzip);
    for (int i = 0; i < 60; i++) {
        snprintf(name, sizeof name, "f%d", i);
        add(&w, (struct entry){name, AE_IFREG, "", false});
    }
    assert_refused(&w, "ARCHIVE_TOO_LARGE", "files and folders");
    assert_true(is_there(&w, "f49"));
    assert_false(is_there(&w, "f50"));
    world_close(&w);
}

static void over_long_and_over_deep_names_are_refused(void **state)
{
    struct world w;
    char name[400];
    world_open(&w, archive_write_add_filter_gzip);
    memset(name, 'n', 250);
    name[250] = 0;
    add(&w, (struct entry){name, AE_IFREG, "x", false});
    assert_refused(&w, "ARCHIVE_TOO_LARGE", "longer");
    world_close(&w);
    world_open(&w, archive_write_add_filter_gzip);
    for (size_t i = 0; i < 70; i++)
        memcpy(name + i * 2, "d/", 3);
    add(&w, (struct entry){name, AE_IFDIR, NULL, false});
    assert_refused(&w, "ARCHIVE_TOO_LARGE", "deeper");
    world_close(&w);
}

/* ---- damaged ones ---- */

static void what_is_no_archive_is_refused(void **state)
{
    static const char *const texts[] = {"", "hello", "PK\3\4 this is a zip, perhaps"};
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        struct world w;
        world_open(&w, archive_write_add_filter_none);
        archive_write_free(w.out);
        w.out = NULL;
        assert_int_equal(ftruncate(w.archive_fd, 0), 0);
        assert_true(pwrite(w.archive_fd, texts[i], strlen(texts[i]), 0) >= 0);
        assert_refused(&w, "ARCHIVE_INVALID", "");
        world_close(&w);
    }
}

static void an_archive_cut_anywhere_is_refused_or_whole(void **state)
{
    unsigned refused = 0, whole = 0;
    for (unsigned cut = 1;; cut += 37) {
        struct world w;
        struct stat st;
        world_open(&w, archive_write_add_filter_gzip);
        for (int i = 0; i < 20; i++)
            add(&w, (struct entry){"a/file", AE_IFREG, "some text that repeats", false});
        archive_write_free(w.out);
        w.out = NULL;
        assert_int_equal(fstat(w.archive_fd, &st), 0);
        bool is_end = cut >= st.st_size;
        assert_int_equal(ftruncate(w.archive_fd, is_end ? st.st_size : (off_t)cut), 0);
        int r = unpack(&w);
        refused += r == BOX_REFUSED && strcmp(w.refusal.name, "ARCHIVE_INVALID") == 0;
        whole += r == 0 && w.count.entries == 20;
        assert_true(r == BOX_REFUSED || (r == 0 && w.count.entries == 20));
        world_close(&w);
        if (is_end)
            break;
    }
    assert_true(refused > 3 && whole > 0);
    print_message("%u cuts refused, %u whole\n", refused, whole);
}

int main(void)
{
    setlocale(LC_CTYPE, "C.UTF-8");
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_plain_tar_comes_out_whole),
        cmocka_unit_test(a_tar_gz_comes_out_whole),
        cmocka_unit_test(a_tar_zst_comes_out_whole),
        cmocka_unit_test(node_modules_and_npmrc_are_left_out),
        cmocka_unit_test(npmrc_files_are_put_aside),
        cmocka_unit_test(yarns_files_are_copied_aside),
        cmocka_unit_test(special_modes_are_dropped),
        cmocka_unit_test(each_way_out_is_refused),
        cmocka_unit_test(a_bomb_of_size_is_refused_before_it_is_written),
        cmocka_unit_test(many_files_add_up_to_a_bomb),
        cmocka_unit_test(a_bomb_of_count_is_refused),
        cmocka_unit_test(over_long_and_over_deep_names_are_refused),
        cmocka_unit_test(what_is_no_archive_is_refused),
        cmocka_unit_test(an_archive_cut_anywhere_is_refused_or_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
