/* test_file.c: shows that a written file is the old one or the new one, never half of either, and
 * that a secret which others may read is refused. */
#undef NDEBUG
#include <base/auto.h>
#include <base/file.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char folder[] = "/tmp/rota-file-XXXXXX";
static char path[64];

static mode_t mode_of(const char *p)
{
    struct stat st;
    assert_int_equal(stat(p, &st), 0);
    return st.st_mode & 07777;
}

static int names_in_folder(void)
{
    int n = 0;
    DIR *d = opendir(folder);
    assert_non_null(d);
    for (struct dirent *e; (e = readdir(d));)
        n += e->d_name[0] != '.';
    closedir(d);
    return n;
}

static void test_what_is_written_is_read(void **state)
{
    (void)state;
    static const size_t sizes[] = {0, 1, 4095, 4096, 4097, 100000};
    char *text;
    size_t n;
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        char *want = malloc(sizes[i] + 1);
        assert_non_null(want);
        for (size_t k = 0; k < sizes[i]; k++)
            want[k] = (char)(k * 7);
        assert_int_equal(file_write(path, 0640, want, sizes[i]), 0);
        assert_int_equal(mode_of(path), 0640);
        assert_int_equal(file_read(path, sizes[i], &text, &n), 0);
        assert_int_equal(n, sizes[i]);
        assert_memory_equal(text, want, n);
        assert_int_equal(text[n], 0);
        free(text);
        if (sizes[i])
            assert_int_equal(file_read(path, sizes[i] - 1, &text, &n), -EFBIG);
        free(want);
    }
    assert_int_equal(names_in_folder(), 1); /* no temporary file is left */
    unlink(path);
}

static void test_faults_have_their_names(void **state)
{
    (void)state;
    char *text, under[80];
    size_t n;
    assert_int_equal(file_read(path, 10, &text, &n), -ENOENT);
    assert_int_equal(file_read(folder, 10, &text, &n), -EISDIR);
    snprintf(under, sizeof under, "%s/no/such", folder);
    assert_int_equal(file_write(under, 0600, "x", 1), -ENOENT);
    assert_int_equal(write_all(-1, "x", 1), -EBADF);
    assert_int_equal(read_all(-1, under, 1, &n), -EBADF);
    assert_int_equal(file_write(folder, 0600, "x", 1), -EISDIR); /* a folder stands in the way */
    assert_int_equal(names_in_folder(), 0);
}

static void test_a_secret_that_others_may_read_is_refused(void **state)
{
    (void)state;
    static const mode_t open_modes[] = {0640, 0604, 0620, 0601, 0644};
    char *text;
    size_t n;
    assert_int_equal(file_write(path, 0600, "secret", 6), 0);
    assert_int_equal(file_read_secret(path, 100, &text, &n), 0);
    assert_string_equal(text, "secret");
    free(text);
    for (size_t i = 0; i < ARRAY_LEN(open_modes); i++) {
        assert_int_equal(chmod(path, open_modes[i]), 0);
        assert_int_equal(file_read_secret(path, 100, &text, &n), -EPERM);
    }
    unlink(path);
}

static void test_a_file_without_a_size_is_read_whole(void **state)
{
    (void)state;
    char *text;
    size_t n;
    assert_int_equal(file_read("/proc/self/maps", 1 << 20, &text, &n), 0);
    assert_true(n > 500);
    free(text);
    assert_int_equal(file_read("/proc/self/maps", 100, &text, &n), -EFBIG);
}

enum { WRITES = 300, BYTES = 20000 };
static volatile int is_writing;

static void *writer(void *arg)
{
    (void)arg;
    static char bytes[BYTES];
    for (int i = 0; i < WRITES; i++) {
        memset(bytes, 'a' + i % 26, sizeof bytes);
        assert_int_equal(file_write(path, 0600, bytes, sizeof bytes), 0);
    }
    is_writing = 0;
    return NULL;
}

static void test_a_reader_never_sees_half_a_file(void **state)
{
    (void)state;
    pthread_t thread;
    int reads = 0;
    assert_int_equal(file_write(path, 0600, "", 0), 0);
    is_writing = 1;
    assert_int_equal(pthread_create(&thread, NULL, writer, NULL), 0);
    while (is_writing) {
        AUTO_FREE char *text = NULL;
        size_t n;
        assert_int_equal(file_read(path, BYTES, &text, &n), 0);
        assert_true(n == 0 || n == BYTES);
        for (size_t i = 1; i < n; i++)
            assert_int_equal(text[i], text[0]);
        reads++;
    }
    pthread_join(thread, NULL);
    assert_true(reads > 10);
    assert_int_equal(names_in_folder(), 1);
    printf("%d writes, %d whole reads beside them\n", WRITES, reads);
    unlink(path);
}

static void test_short_counts_are_completed(void **state)
{
    (void)state;
    enum { MANY = 300000 }; /* more than a pipe holds */
    int ends[2];
    char *from = malloc(MANY), *to = malloc(MANY);
    size_t n;
    assert_non_null(from);
    assert_non_null(to);
    memset(from, 'z', MANY);
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        close(ends[0]);
        _exit(write_all(ends[1], from, MANY) != 0);
    }
    close(ends[1]);
    assert_int_equal(read_all(ends[0], to, MANY, &n), 0);
    assert_int_equal(n, MANY);
    assert_memory_equal(from, to, MANY);
    assert_int_equal(read_all(ends[0], to, 1, &n), 0);
    assert_int_equal(n, 0); /* the end */
    close(ends[0]);
    free(from);
    free(to);
}

static void test_folders_are_made_with_their_parents(void **state)
{
    (void)state;
    char deep[80], mid[80], top[80];
    snprintf(top, sizeof top, "%s/a", folder);
    snprintf(mid, sizeof mid, "%s/a/b", folder);
    snprintf(deep, sizeof deep, "%s/a/b/c/", folder);
    assert_int_equal(mkdir(top, 0711), 0);
    assert_int_equal(dir_make(deep, 0750), 0);
    assert_int_equal(dir_make(deep, 0750), 0);
    assert_int_equal(mode_of(top), 0711); /* what was there keeps its mode */
    assert_int_equal(mode_of(mid), 0750);
    rmdir(deep);
    rmdir(mid);
    assert_int_equal(file_write(mid, 0600, "x", 1), 0);
    assert_int_equal(dir_make(mid, 0750), -ENOTDIR);
    assert_int_equal(dir_make(deep, 0750), -ENOTDIR);
    assert_int_equal(dir_make("", 0750), -ENOENT);
    unlink(mid);
    rmdir(top);
}

static int group_setup(void **state)
{
    (void)state;
    umask(022);
    if (!mkdtemp(folder))
        return 1;
    snprintf(path, sizeof path, "%s/f", folder);
    return 0;
}

static int group_teardown(void **state)
{
    (void)state;
    return rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_written_is_read),
        cmocka_unit_test(test_faults_have_their_names),
        cmocka_unit_test(test_a_secret_that_others_may_read_is_refused),
        cmocka_unit_test(test_a_file_without_a_size_is_read_whole),
        cmocka_unit_test(test_a_reader_never_sees_half_a_file),
        cmocka_unit_test(test_short_counts_are_completed),
        cmocka_unit_test(test_folders_are_made_with_their_parents),
    };
    return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
