/* worker_chaos.c: the broker is killed by -9 at random instants while workers finish and lease as
 * fast as they can. Every answer that a kill can swallow is swallowed sooner or later: a grant, a
 * finish, both in one. No job may be lost, stranded until its lease runs out, or run twice: a lease
 * of a minute and a limit of far less make a stranded job visible.
 *
 * The instants come from a seed, printed, and given again as the third argument. */
#include "worker_rig.h"

#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

enum { JOBS = 120, KILLS = 8, LEASE_MS = 60000, LIMIT_MS = 45000 };

static struct rig rig;
static char jobs[JOBS][32];

static void chaos(const char *slots, unsigned seed)
{
    const char *const options[] = {"--slots", slots, NULL};
    rig_script(&rig, "echo $ROTA_JOB_ID >>$TRACE");
    for (int i = 0; i < JOBS; i++)
        job_publish(&rig, 0, jobs[i]);
    uint64_t began_ms = clock_boot_ms();
    pid_t w = worker_start(&rig, slots[0] == '1' ? "one" : "four", options);
    srand(seed);
    for (int i = 0; i < KILLS; i++) {
        poll(NULL, 0, 20 + rand() % 150);
        rotad_kill(&rig);
        rotad_start(&rig);
    }
    for (int i = 0; i < JOBS; i++)
        job_wait(&rig, jobs[i], ROTA__STATE__SUCCEEDED, 1, NULL, LIMIT_MS, NULL);
    unsigned runs = trace_lines(&rig);
    printf("%s slot(s), seed %u: %d kills, %d jobs succeeded, %u runs, %llu ms\n", slots, seed,
           KILLS, JOBS, runs, (unsigned long long)(clock_boot_ms() - began_ms));
    CHECK(runs == JOBS, "%u runs of %d jobs", runs, JOBS);
    worker_stop(&rig, w);
}

int main(int argc, char **argv)
{
    unsigned seed = argc > 3 ? (unsigned)strtoul(argv[3], NULL, 10) : (unsigned)clock_wall_ms();
    rig_open(&rig, argv, LEASE_MS);
    chaos("1", seed);
    chaos("4", seed + 1);
    rig_close(&rig);
    return 0;
}
