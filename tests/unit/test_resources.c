/* test_resources.c: what a worker declares: the words of its runner, the machine, and the least
 * that any cgroup above it leaves, over files as kernels with v1 and with v2 show them. An operator
 * who reads 64 GiB where 8 may be used buys no machine, and the builds die. */
#undef NDEBUG
#include "folder.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <base/file.h>
#include <cmocka.h>
#include <resources.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define GIB (1024ull * 1024 * 1024)

static char top[64], self[128];

static const char said[] =
    "node=v20.20.2,v18.20.8,v22.23.3 managers=npm-11.19.1,yarn-1.22.22 limits-by=watchdog "
    "why=\"node=v1 cannot\" sandbox-uid=65534 user-namespace=own workspace_bytes=4294967296 at=/x";

static void put(const char *path, const char *text)
{
    char full[512], folder[512];
    snprintf(full, sizeof full, "%s/%s", top, path);
    for (char *p = full + strlen(top) + 1; (p = strchr(p, '/')); p++) {
        snprintf(folder, sizeof folder, "%.*s", (int)(p - full), full);
        mkdir(folder, 0755);
    }
    assert_int_equal(file_write(full, 0644, text, strlen(text)), 0);
}

static int make(void **state)
{
    (void)state;
    snprintf(top, sizeof top, "/tmp/rota-resources-XXXXXX");
    assert_non_null(mkdtemp(top));
    snprintf(self, sizeof self, "%s/self", top);
    return 0;
}

static int clear(void **state)
{
    (void)state;
    folder_remove(top);
    return 0;
}

static struct resources read_it(const char *words)
{
    struct resources r;
    const struct resources_host host = {
        .root = top, .self = self, .cpus = 16, .memory_bytes = 64 * GIB};
    resources_read(&host, words, &r);
    return r;
}

static void the_words_of_the_runner_are_taken(void **state)
{
    (void)state;
    struct resources r = read_it(said);
    assert_int_equal(r.node.n, 3);
    assert_string_equal(r.node.name[0], "v20.20.2");
    assert_string_equal(r.node.name[2], "v22.23.3");
    assert_int_equal(r.manager.n, 2);
    assert_string_equal(r.manager.name[1], "yarn-1.22.22");
    assert_string_equal(r.limits, "watchdog");
    assert_string_equal(r.isolation, "bubblewrap");
    assert_int_equal(r.workspace_bytes, 4 * GIB);
    assert_int_equal(r.cpus, 16);
    assert_int_equal(r.memory_bytes, 64 * GIB);
}

static void a_runner_on_the_host_says_less(void **state)
{
    (void)state;
    struct resources r = read_it("path=/a/managers=x sandbox=no root=yes pid-namespace=yes");
    assert_int_equal(r.node.n + r.manager.n + r.workspace_bytes, 0);
    assert_string_equal(r.limits, "none");
    assert_string_equal(r.isolation, "pid-namespace");
}

/* More of them, longer ones and other characters than the protocol takes would cost the worker
 * every heartbeat. */
static void no_word_is_more_than_the_protocol_takes(void **state)
{
    (void)state;
    char words[512] = "node=";
    for (size_t at = strlen(words), i = 0; i < 60; i++, at += 4)
        snprintf(words + at, sizeof words - at, "v1,,");
    struct resources r = read_it(words);
    assert_int_equal(r.node.n, RESOURCES_NAMES_MAX);
    r = read_it("limits-by=a\x1b[31m managers=0123456789012345678901234567890123456789,\"q");
    assert_string_equal(r.limits, "a--31m");
    assert_int_equal(strlen(r.manager.name[0]), RESOURCES_WORD_MAX);
    assert_null(strchr(r.manager.name[1], '"'));
}

static void the_least_of_v2_counts(void **state)
{
    (void)state;
    put("self", "0::/machine/jail/worker/agent\n");
    put("machine/memory.max", "17179869184\n");
    put("machine/jail/memory.max", "8589934592\n");
    put("machine/jail/cpu.max", "250000 100000\n");
    put("machine/jail/worker/memory.max", "max\n");
    put("machine/jail/worker/cpu.max", "max 100000\n");
    struct resources r = read_it(said);
    assert_int_equal(r.memory_bytes, 8 * GIB);
    assert_int_equal(r.cpus, 3);
    put("machine/jail/worker/agent/cpu.max", "5000 100000\n");
    assert_int_equal(read_it(said).cpus, 1);
}

static void the_least_of_v1_counts(void **state)
{
    (void)state;
    put("self", "9:name=systemd:/\n4:memory:/jail/one\n2:cpu,cpuacct:/jail\n0::/\n");
    put("memory/memory.limit_in_bytes", "9223372036854771712\n");
    put("memory/jail/memory.limit_in_bytes", "4294967296\n");
    put("memory/jail/one/memory.limit_in_bytes", "9223372036854771712\n");
    put("cpu,cpuacct/jail/cpu.cfs_quota_us", "200000\n");
    put("cpu,cpuacct/jail/cpu.cfs_period_us", "100000\n");
    put("cpu,cpuacct/cpu.cfs_quota_us", "-1\n");
    put("cpu,cpuacct/cpu.cfs_period_us", "100000\n");
    struct resources r = read_it(said);
    assert_int_equal(r.memory_bytes, 4 * GIB);
    assert_int_equal(r.cpus, 2);
}

static void files_that_make_no_sense_limit_nothing(void **state)
{
    (void)state;
    put("self", "\n:\n::\n0:\n0::nowhere\n0::/a\n");
    put("a/memory.max", "");
    put("a/cpu.max", "100 0\n");
    struct resources r = read_it("");
    assert_int_equal(r.memory_bytes, 64 * GIB);
    assert_int_equal(r.cpus, 16);
}

static void this_machine_has_some(void **state)
{
    (void)state;
    struct resources r;
    resources_here("", &r);
    assert_true(r.cpus >= 1);
    assert_true(r.memory_bytes > 64 << 20);
    printf("here: %u cpus, %llu MiB\n", r.cpus, (unsigned long long)(r.memory_bytes >> 20));
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, make, clear)

int main(void)
{
    const struct CMUnitTest tests[] = {CASE(the_words_of_the_runner_are_taken),
                                       CASE(a_runner_on_the_host_says_less),
                                       CASE(no_word_is_more_than_the_protocol_takes),
                                       CASE(the_least_of_v2_counts),
                                       CASE(the_least_of_v1_counts),
                                       CASE(files_that_make_no_sense_limit_nothing),
                                       CASE(this_machine_has_some)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
