/* test_swap.c: swap that would take a source to a disk in the clear is seen, whatever it lies on;
 * memory and ciphers are let pass; and only both locks together are enough.
 *
 * Why it matters: a page that was swapped out stays on the disk when the build is long gone. */
#undef NDEBUG
#include "folder.h"
#include "swap.h"

#include <base/file.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

static char dir[] = "/tmp/rota-swap-XXXXXX";
static char swaps[64], blocks[64];
static const struct swap_host host = {swaps, blocks};
static char name[SWAP_NAME_MAX];

static void text_put(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write_all(fd, text, strlen(text)), 0);
    close(fd);
}

static void block_put(const char *what, const char *text)
{
    char path[128], folder[128];
    snprintf(path, sizeof path, "%s/%s", blocks, what);
    snprintf(folder, sizeof folder, "%s", path);
    *strrchr(folder, '/') = 0;
    assert_int_equal(dir_make(folder, 0700), 0);
    text_put(path, text);
}

static void areas(const char *lines)
{
    char text[1024];
    snprintf(text, sizeof text, "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n%s", lines);
    text_put(swaps, text);
}

/* "" or the area that is exposed. */
static const char *exposed(const char *lines)
{
    areas(lines);
    int r = swap_look(&host, name);
    assert_in_range(r, 0, SWAP_EXPOSED);
    return r ? name : "";
}

static void disks_and_files_are_seen(void **state)
{
    (void)state;
    assert_string_equal(exposed(""), "");
    assert_string_equal(exposed("/dev/sda2                               partition\t1\t0\t-2\n"),
                        "/dev/sda2");
    assert_string_equal(exposed("/swapfile                               file\t1\t0\t-2\n"),
                        "/swapfile");
    assert_string_equal(exposed("/a\\040b/swap file\t1\t0\t-2\n"), "/a\\040b/swap");
    assert_string_equal(exposed("/dev/shm/../vda1 file\t1\t0\t-2\n"), "/dev/shm/../vda1");
    assert_int_equal(unlink(swaps), 0);
    assert_int_equal(swap_look(&host, name), 0); /* a kernel without swap */
}

static void memory_and_ciphers_pass(void **state)
{
    (void)state;
    block_put("zram0/backing_dev", "none\n");
    block_put("zram1/backing_dev", "/dev/sda5\n");
    block_put("dm-0/dm/uuid", "CRYPT-PLAIN-swap\n");
    block_put("dm-1/dm/uuid", "LVM-abc\n"); /* a volume on a cipher */
    block_put("dm-1/slaves/dm-0/x", "");
    block_put("dm-2/dm/uuid", "LVM-abd\n"); /* on a cipher and on a disk */
    block_put("dm-2/slaves/dm-0/x", "");
    block_put("dm-2/slaves/sdb1/x", "");
    block_put("dm-3/dm/uuid", "LVM-abe\n"); /* on itself */
    block_put("dm-3/slaves/dm-3/x", "");
    assert_string_equal(exposed("/dev/zram0 partition\t1\t0\t100\n"), "");
    assert_string_equal(exposed("/dev/dm-0 partition\t1\t0\t-2\n"), "");
    assert_string_equal(exposed("/dev/dm-1 partition\t1\t0\t-2\n"), "");
    assert_string_equal(exposed("/dev/zram1 partition\t1\t0\t100\n"), "/dev/zram1");
    assert_string_equal(exposed("/dev/dm-2 partition\t1\t0\t-2\n"), "/dev/dm-2");
    assert_string_equal(exposed("/dev/dm-3 partition\t1\t0\t-2\n"), "/dev/dm-3");
    assert_string_equal(exposed("/dev/dm-9 partition\t1\t0\t-2\n"), "/dev/dm-9");
    assert_string_equal(exposed("/dev/zram0 partition\t1\t0\t100\n/dev/dm-0 partition\t1\t0\t-2\n"
                                "/dev/sdc partition\t1\t0\t-3\n"),
                        "/dev/sdc");
}

static void only_both_locks_are_enough(void **state)
{
    (void)state;
    char why[SPACE_WHY_MAX] = "";
    struct space_root root = {.has_noswap = true};
    struct cgroups v2 = {.kind = CGROUP_V2}, none = {.kind = CGROUP_NONE};
    snprintf(v2.folder[0], sizeof v2.folder[0], "%s", dir);
    areas("/dev/sda2 partition\t1\t0\t-2\n");
    assert_int_equal(swap_check(&host, &root, &none, why), SWAP_EXPOSED);
    assert_non_null(strstr(why, "/dev/sda2"));
    assert_non_null(strstr(why, "--allow-swap"));
    assert_int_equal(swap_check(&host, &root, &v2, why), SWAP_EXPOSED); /* does not count swap */
    char path[64];
    snprintf(path, sizeof path, "%s/memory.swap.max", dir);
    text_put(path, "max\n");
    assert_int_equal(swap_check(&host, &root, &v2, why), 0);
    root.has_noswap = false;
    assert_int_equal(swap_check(&host, &root, &v2, why), SWAP_EXPOSED);
    assert_non_null(strstr(why, "6.4"));
    assert_int_equal(swap_check_here(&root, &none, true, why), 0);
    areas("");
    assert_int_equal(swap_check(&host, &root, &none, why), 0);
}

static int begin(void **state)
{
    (void)state;
    assert_non_null(mkdtemp(dir));
    snprintf(swaps, sizeof swaps, "%s/swaps", dir);
    snprintf(blocks, sizeof blocks, "%s/block", dir);
    return 0;
}

static int end(void **state)
{
    (void)state;
    return folder_remove(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(disks_and_files_are_seen),
        cmocka_unit_test(memory_and_ciphers_pass),
        cmocka_unit_test(only_both_locks_are_enough),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
