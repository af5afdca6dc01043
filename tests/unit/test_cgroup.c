/* test_cgroup.c: which cgroup a worker takes and what it writes there, over files as kernels with
 * v1 and with v2 show them. A wrong file or a wrong number is a limit that nobody keeps; a folder
 * that is somebody else's must stay as it is. */
#undef NDEBUG
#include "folder.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <base/auto.h>
#include <base/file.h>
#include <cgroup.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define GIB (1024ull * 1024 * 1024)

enum { OUR_PID = 4711 };

static char top[64], self[128];

static const char self_v2[] = "0::/system.slice/rota-worker.service\n";
static const char self_v1[] = "9:name=systemd:/\n8:pids:/\n4:memory:/jail/one\n1:cpu:/\n0::/\n";

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

static void has(const char *path, const char *want)
{
    char full[512];
    AUTO_FREE char *text = NULL;
    size_t n = 0;
    snprintf(full, sizeof full, "%s/%s", top, path);
    if (file_read(full, 4096, &text, &n) < 0)
        fail_msg("%s is not there", path);
    if (strcmp(text, want) != 0)
        fail_msg("%s holds \"%s\", not \"%s\"", path, text, want);
}

static int make(void **state)
{
    snprintf(top, sizeof top, "/tmp/rota-cgroup-XXXXXX");
    assert_non_null(mkdtemp(top));
    snprintf(self, sizeof self, "%s/self", top);
    return 0;
}

static int drop(void **state)
{
    return folder_remove(top);
}

static struct cgroups find(const char *told)
{
    char root[128];
    struct cgroups g;
    snprintf(root, sizeof root, "%s/fs", top);
    const struct cgroup_host host = {.root = root, .self = self, .told = told, .pid = OUR_PID};
    cgroups_find(&host, &g);
    return g;
}

#define V2 "fs/system.slice/rota-worker.service/"

static void v2_record(const char *procs, const char *controllers)
{
    put("self", self_v2);
    put(V2 "cgroup.controllers", controllers);
    put(V2 "cgroup.procs", procs);
    put(V2 "cgroup.subtree_control", "");
    put(V2 "agent/cgroup.procs", "");
}

/* The kernel makes a group's files with its folder; here they lie there before. */
static void v2_group_record(void)
{
    static const char *const files[] = {"memory.max", "memory.swap.max", "pids.max", "cpu.max",
                                        "cgroup.procs"};
    char path[256];
    for (size_t i = 0; i < ARRAY_LEN(files); i++) {
        snprintf(path, sizeof path, V2 "slot-0/%s", files[i]);
        put(path, "");
    }
    put(V2 "slot-0/memory.events", "low 0\nhigh 0\nmax 7\noom 1\noom_kill 1\noom_group_kill 0\n");
    put(V2 "slot-0/pids.events", "max 1\n");
}

static struct limits limits_p0(void)
{
    return limits_of("P0", 3 * GIB);
}

static void v2_is_taken_when_the_group_is_ours(void **state)
{
    v2_record("4711\n", "cpuset cpu io memory hugetlb pids rdma misc\n");
    struct cgroups g = find(NULL);
    assert_int_equal(g.kind, CGROUP_V2);
    has(V2 "agent/cgroup.procs", "4711");
    has(V2 "cgroup.subtree_control", "+memory +pids +cpu");
}

static void v2_limits_are_written_and_events_read(void **state)
{
    v2_record("4711\n", "cpu memory pids\n");
    v2_group_record();
    struct cgroups g = find(NULL);
    struct limits l = limits_p0();
    struct cgroup_end end;
    AUTO(cgroup) c = NULL;
    assert_int_equal(cgroup_new(&g, "slot-0", &l, &c), 0);
    has(V2 "slot-0/memory.max", "7516192768"); /* 4 GiB and the workspace's 3 */
    has(V2 "slot-0/memory.swap.max", "0");
    has(V2 "slot-0/pids.max", "100");
    has(V2 "slot-0/cpu.max", "200000 100000");
    assert_int_equal(c->procs_n, 1);
    cgroup_read(c, &end);
    assert_int_equal(end.oom_kills, 0); /* those of a run before count for nobody */
    put(V2 "slot-0/memory.events", "low 0\nhigh 0\nmax 117\noom 4\noom_kill 3\noom_group_kill 0\n");
    put(V2 "slot-0/pids.events", "max 42\n");
    cgroup_read(c, &end);
    assert_int_equal(end.oom_kills, 2);
    assert_int_equal(end.tasks_denied, 41);
}

static void a_group_with_others_in_it_is_left_alone(void **state)
{
    static const char *const shared[] = {"1\n4711\n", "4711\n4712\n", "", "47110\n"};
    for (size_t i = 0; i < ARRAY_LEN(shared); i++) {
        v2_record(shared[i], "memory pids\n");
        struct cgroups g = find(NULL);
        assert_int_equal(g.kind, CGROUP_NONE);
        has(V2 "agent/cgroup.procs", "");
        has(V2 "cgroup.subtree_control", "");
    }
}

static void v2_without_memory_or_pids_is_none(void **state)
{
    static const char *const few[] = {"", "cpu io\n", "memory\n", "pids\n", "memory_x pids\n"};
    for (size_t i = 0; i < ARRAY_LEN(few); i++) {
        v2_record("4711\n", few[i]);
        assert_int_equal(find(NULL).kind, CGROUP_NONE);
    }
}

static void v1_is_taken_only_where_an_operator_says(void **state)
{
    put("self", self_v1);
    put("fs/memory/jail/one/cgroup.procs", "4711\n");
    struct cgroups g = find(NULL);
    assert_int_equal(g.kind, CGROUP_NONE);
    assert_non_null(strstr(g.why, "--cgroup"));
    assert_int_equal(find("rota").kind, CGROUP_NONE); /* named, and not there */
    printf("none: %s\n", g.why);
}

static void v1_limits_are_written_and_events_read(void **state)
{
    put("self", self_v1);
    put("fs/memory/rota/slot-1/memory.limit_in_bytes", "");
    put("fs/memory/rota/slot-1/memory.memsw.limit_in_bytes", "");
    put("fs/memory/rota/slot-1/cgroup.procs", "");
    put("fs/pids/rota/slot-1/pids.max", "");
    put("fs/pids/rota/slot-1/cgroup.procs", "");
    put("fs/cpu/rota/slot-1/cpu.cfs_period_us", "");
    put("fs/cpu/rota/slot-1/cpu.cfs_quota_us", "");
    put("fs/cpu/rota/slot-1/cgroup.procs", "");
    struct cgroups g = find("rota");
    assert_int_equal(g.kind, CGROUP_V1);
    struct limits l = limits_of("P3", GIB);
    struct cgroup_end end;
    AUTO(cgroup) c = NULL;
    assert_int_equal(cgroup_new(&g, "slot-1", &l, &c), 0);
    has("fs/memory/rota/slot-1/memory.limit_in_bytes", "3221225472");
    has("fs/memory/rota/slot-1/memory.memsw.limit_in_bytes", "3221225472");
    has("fs/pids/rota/slot-1/pids.max", "100");
    has("fs/cpu/rota/slot-1/cpu.cfs_quota_us", "200000");
    assert_int_equal(c->procs_n, 3);
    put("fs/memory/rota/slot-1/memory.oom_control",
        "oom_kill_disable 0\nunder_oom 0\noom_kill 5\n");
    put("fs/pids/rota/slot-1/pids.events", "max 9\n");
    cgroup_read(c, &end);
    assert_int_equal(end.oom_kills, 5);
    assert_int_equal(end.tasks_denied, 9);
}

static void a_limit_that_cannot_be_written_is_a_fault(void **state)
{
    v2_record("4711\n", "memory pids\n");
    struct cgroups g = find(NULL);
    struct limits l = limits_p0();
    struct cgroup *c = NULL;
    assert_true(cgroup_new(&g, "slot-7", &l, &c) < 0); /* no memory.max there */
    assert_null(c);
}

static void tiers_have_their_memory(void **state)
{
    static const struct {
        const char *tier;
        uint64_t gib;
    } rows[] = {{"P0", 4}, {"P1", 4}, {"P2", 2}, {"P3", 2}, {"P9", 2}, {NULL, 2}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct limits l = limits_of(rows[i].tier, GIB);
        assert_int_equal(l.memory_bytes, rows[i].gib * GIB);
        assert_int_equal(l.tasks, 100);
        assert_int_equal(l.cpus, 2);
        assert_int_equal(l.wall_ms, 30 * 60 * 1000);
    }
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, make, drop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(v2_is_taken_when_the_group_is_ours),
        CASE(v2_limits_are_written_and_events_read),
        CASE(a_group_with_others_in_it_is_left_alone),
        CASE(v2_without_memory_or_pids_is_none),
        CASE(v1_is_taken_only_where_an_operator_says),
        CASE(v1_limits_are_written_and_events_read),
        CASE(a_limit_that_cannot_be_written_is_a_fault),
        CASE(tiers_have_their_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
