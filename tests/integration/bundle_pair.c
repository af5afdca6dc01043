/* bundle_pair.c: two builds side by side. One is cancelled; within two seconds all of its processes
 * and its tmpfs must be gone from every mount namespace on the machine, although the other build's
 * children hold copies of the agent's; and the other build must not notice.
 *
 *   bundle_pair APPS_FOLDER */
#undef NDEBUG
#include "bundle_kit.h"
#include "bundle_pack.h"

#include <assert.h>
#include <base/clock.h>
#include <base/exit.h>
#include <dirent.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

enum { CANCEL_MS = 3000, OTHER_STOP_MS = 8000, GONE_MS_MAX = 2000 };

struct side {
    struct kit *kit;
    struct kit_order order;
    struct build_result result;
    struct kit_seen seen;
    uint64_t ended_ms;
    atomic_bool is_over;
    pthread_t thread;
};

static void *side_run(void *arg)
{
    struct side *s = arg;
    assert(kit_run(s->kit, &s->order, &s->result, &s->seen) == 0);
    s->ended_ms = clock_boot_ms();
    atomic_store(&s->is_over, true);
    return NULL;
}

static unsigned mounts_in(const char *pid, const char *device)
{
    char path[64], line[4096];
    unsigned n = 0;
    snprintf(path, sizeof path, "/proc/%.20s/mountinfo", pid);
    FILE *f = fopen(path, "re");
    while (f && fgets(line, sizeof line, f))
        n += strstr(line, " rota-job ") && strstr(line, device);
    if (f)
        fclose(f);
    return n;
}

/* How many mounts of the device any process on the machine sees. */
static unsigned mounts_of(const char *device)
{
    unsigned n = 0;
    DIR *d = opendir("/proc");
    assert(d);
    for (struct dirent *e; (e = readdir(d));)
        if (e->d_name[0] >= '1' && e->d_name[0] <= '9')
            n += mounts_in(e->d_name, device);
    closedir(d);
    return n;
}

/* "0:57", as mountinfo writes it, of the tmpfs of a slot. */
static void device_of(const struct kit *k, unsigned slot, char device[32])
{
    char path[KIT_PATH_MAX];
    struct stat st;
    const char *at = strstr(k->said, " at=");
    assert(at);
    snprintf(path, sizeof path, "%.300s/slot-%u", at + 4, slot);
    assert(stat(path, &st) == 0);
    snprintf(device, 32, " %u:%u ", major(st.st_dev), minor(st.st_dev));
}

static void wait_ms(uint64_t ms)
{
    assert(poll(NULL, 0, (int)ms) == 0);
}

int main(int argc, char **argv)
{
    static struct kit k;
    static struct side kept, cancelled;
    static const char *const layers[] = {"hello"};
    char archive[KIT_PATH_MAX], device[32];
    assert(argc == 2);
    kit_open(&k, (uint64_t)2048 << 20);
    snprintf(archive, sizeof archive, "%.400s/source.tar.gz", k.folder);
    pack_source(&(struct pack_plan){.top = argv[1], .layers = layers, .layers_n = 1}, archive);
    kept = (struct side){.kit = &k,
                         .order = {.archive = archive,
                                   .platform = "android",
                                   .slot = 0,
                                   .stop_after_ms = OTHER_STOP_MS,
                                   .stop_why = BUILD_SHUTDOWN}};
    cancelled = (struct side){.kit = &k,
                              .order = {.archive = archive,
                                        .platform = "ios",
                                        .slot = 1,
                                        .stop_after_ms = CANCEL_MS,
                                        .stop_why = BUILD_CANCELLED}};
    assert(pthread_create(&cancelled.thread, NULL, side_run, &cancelled) == 0);
    wait_ms(1000); /* so that the other side's children copy a namespace that has slot 1 */
    assert(pthread_create(&kept.thread, NULL, side_run, &kept) == 0);
    wait_ms(1000);
    device_of(&k, 1, device);
    unsigned before = mounts_of(device);
    pthread_join(cancelled.thread, NULL);
    unsigned after = mounts_of(device);
    bool other_runs = !atomic_load(&kept.is_over);
    uint64_t gone_ms = cancelled.seen.ms_after_stop;
    pthread_join(kept.thread, NULL);
    printf("mounts of the cancelled build's tmpfs: %u before, %u after; gone %llu ms after the "
           "cancel; "
           "the other build ran on: %s; left in the end: %u\n",
           before, after, (unsigned long long)gone_ms, other_runs ? "yes" : "no", kit_leftovers());
    bool is_good = before > 2 && after == 0 && gone_ms <= GONE_MS_MAX && other_runs &&
                   cancelled.result.outcome == BUILD_STOPPED &&
                   kept.result.outcome == BUILD_STOPPED && kit_leftovers() == 0;
    kit_close(&k);
    return is_good ? EXIT_OK : EXIT_JOB_FAILED;
}
