/* worker_life.c: workers and brokers that die, come back and leave, while a job is under way. No
 * death may lose a job, run it twice at one time, or leave a process behind. */
#include "worker_rig.h"

#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

enum { LEASE_MS = 2000 };

static struct rig rig;
static char job[32], other[32];

static void a_killed_worker_gives_its_job_back(void)
{
    rig_script(&rig, "[ $ROTA_ATTEMPT = 1 ] || exit 0\n"
                     "exec 9>$LOCK; flock 9; echo '{\"phase\":\"held\"}' >&3; sleep 1000");
    pid_t first = worker_start(&rig, "first", NULL);
    job_publish(&rig, 0, job);
    job_wait(&rig, job, ROTA__STATE__LEASED, 1, "held", 5000, NULL);
    pid_t second = worker_start(&rig, "second", NULL);
    worker_kill(&rig, first);
    uint64_t killed_ms = clock_boot_ms();
    while (lock_is_held(&rig) && clock_boot_ms() < killed_ms + 2000)
        poll(NULL, 0, 5);
    CHECK(!lock_is_held(&rig), "the build outlived its worker");
    uint64_t gone_ms = clock_boot_ms() - killed_ms;
    job_wait(&rig, job, ROTA__STATE__SUCCEEDED, 2, NULL, LEASE_MS + 1000 - gone_ms, NULL);
    printf("worker -9: its processes gone after %llu ms, the job done elsewhere after %llu ms "
           "(lease %d)\n",
           (unsigned long long)gone_ms, (unsigned long long)(clock_boot_ms() - killed_ms),
           LEASE_MS);
    worker_stop(&rig, second);
}

/* One job ends while the broker is away, one after it is back. Neither is run again. */
static void a_broker_killed_costs_no_build(void)
{
    const char *const options[] = {"--slots", "2", NULL};
    rig_script(&rig, "echo $ROTA_JOB_ID $ROTA_ATTEMPT >>$TRACE; echo '{\"phase\":\"on\"}' >&3\n"
                     "if mkdir $DIR/one 2>/dev/null; then sleep 1; else sleep 5; fi; touch "
                     "$DIR/end-$ROTA_JOB_ID");
    pid_t w = worker_start(&rig, "w", options);
    job_publish(&rig, 0, job);
    job_publish(&rig, 0, other);
    job_wait(&rig, job, ROTA__STATE__LEASED, 1, "on", 5000, NULL);
    job_wait(&rig, other, ROTA__STATE__LEASED, 1, "on", 5000, NULL);
    rotad_kill(&rig);
    poll(NULL, 0, 1600); /* the first ends now, with nobody to tell */
    rotad_start(&rig);
    uint64_t began_ms = clock_boot_ms();
    job_wait(&rig, job, ROTA__STATE__SUCCEEDED, 1, NULL, 15000, NULL);
    job_wait(&rig, other, ROTA__STATE__SUCCEEDED, 1, NULL, 15000, NULL);
    CHECK(trace_lines(&rig) == 2, "%u runs of 2 jobs", trace_lines(&rig));
    printf("broker -9: 2 builds went on, both reported %llu ms after the restart, 2 runs\n",
           (unsigned long long)(clock_boot_ms() - began_ms));
    job_publish(&rig, 0, job); /* and the worker still takes work */
    job_wait(&rig, job, ROTA__STATE__SUCCEEDED, 1, NULL, 15000, NULL);
    worker_stop(&rig, w);
}

static void a_drain_ends_what_runs_and_takes_no_more(void)
{
    const char *const options[] = {"--slots", "1", NULL};
    rig_script(&rig, "echo '{\"phase\":\"slow\"}' >&3; sleep 1; echo x >>$TRACE");
    pid_t w = worker_start(&rig, "w", options);
    job_publish(&rig, 0, job);
    job_publish(&rig, 0, other);
    job_wait(&rig, job, ROTA__STATE__LEASED, 1, "slow", 5000, NULL);
    kill(w, SIGTERM);
    CHECK(worker_wait(&rig, w, 10000) == 0, "drain ends with 0");
    job_wait(&rig, job, ROTA__STATE__SUCCEEDED, 1, NULL, 1000, NULL);
    job_wait(&rig, other, ROTA__STATE__READY, 0, NULL, 1000, NULL);
    CHECK(trace_lines(&rig) == 1, "%u runs", trace_lines(&rig));
    printf("drain: 1 done, 1 still ready, exit 0\n");
}

/* `other` is still ready from the drain. The hurried leave counts as no attempt. */
static void a_second_signal_kills_and_gives_back(void)
{
    Rota__Reply *reply;
    const char *const options[] = {"--slots", "1", NULL};
    rig_script(&rig,
               "exec 9>$LOCK; flock 9; trap '' TERM; echo '{\"phase\":\"long\"}' >&3; sleep 1000");
    pid_t w = worker_start(&rig, "w", options);
    job_wait(&rig, other, ROTA__STATE__LEASED, 1, "long", 5000, NULL);
    kill(w, SIGTERM);
    poll(NULL, 0, 300);
    uint64_t began_ms = clock_boot_ms();
    kill(w, SIGTERM);
    CHECK(worker_wait(&rig, w, 5000) == 130, "a hurried leave ends with 130");
    CHECK(!lock_is_held(&rig), "a process outlived its worker");
    job_wait(&rig, other, ROTA__STATE__READY, 0, NULL, 500, &reply);
    printf("second signal: gone and given back after %llu ms, attempts counted: %u\n",
           (unsigned long long)(clock_boot_ms() - began_ms), reply->watch->job->attempt);
    rota_reply_free(reply);
    job_cancel(&rig, other);
}

static void heat(uint64_t for_ms)
{
    Rota__Heat h = ROTA__HEAT__INIT;
    Rota__Request request = ROTA__REQUEST__INIT;
    h.pool = (char *)"task";
    h.slots = for_ms > 0 ? 2 : 0;
    h.for_ms = for_ms;
    request.op_case = ROTA__REQUEST__OP_HEAT;
    request.heat = &h;
    rota_reply_free(rig_call(&rig, &request));
}

static void an_idle_worker_leaves_but_stays_while_heated(void)
{
    const char *const options[] = {"--idle-exit", "1", NULL};
    uint64_t began_ms = clock_boot_ms();
    pid_t w = worker_start(&rig, "w", options);
    CHECK(worker_wait(&rig, w, 5000) == 0, "idle exit");
    uint64_t cold_ms = clock_boot_ms() - began_ms;
    CHECK(cold_ms >= 1000, "left after %llu ms", (unsigned long long)cold_ms);
    heat(3000);
    began_ms = clock_boot_ms();
    w = worker_start(&rig, "w", options);
    CHECK(worker_wait(&rig, w, 8000) == 0, "idle exit after heat");
    uint64_t hot_ms = clock_boot_ms() - began_ms;
    CHECK(hot_ms >= 3700, "left after %llu ms in spite of heat", (unsigned long long)hot_ms);
    printf("idle exit of 1 s: left after %llu ms, with 3 s of heat after %llu ms\n",
           (unsigned long long)cold_ms, (unsigned long long)hot_ms);
    heat(60000); /* comes while the worker runs, and ends early: told by heartbeat both times */
    w = worker_start(&rig, "w", options);
    poll(NULL, 0, 2500);
    CHECK(kill(w, 0) == 0, "left in spite of heat");
    began_ms = clock_boot_ms();
    heat(0);
    CHECK(worker_wait(&rig, w, 3000) == 0, "leaves when the heat is called off");
    printf("heat called off: left after %llu ms\n",
           (unsigned long long)(clock_boot_ms() - began_ms));
}

static void refusals_end_the_worker_with_their_code(void)
{
    const char *const wrong[] = {"--environment", "production", NULL};
    const char *const elsewhere[] = {"--pool", "mine", "--class", "task", NULL};
    CHECK(worker_wait(&rig, worker_start(&rig, "w", wrong), 10000) == 77, "wrong environment");
    CHECK(worker_wait(&rig, worker_start(&rig, "w", elsewhere), 10000) == 78, "class elsewhere");
    printf("refused: wrong environment 77, class of another pool 78\n");
}

/* Whoever may look at a process list, or runs as a job, must not find the key. */
static void the_key_is_nowhere_to_be_read(void)
{
    static char log[65536];
    char path[RIG_PATH];
    unsigned looked = 0;
    for (int by_environment = 0; by_environment < 2; by_environment++) {
        rig.gives_key_by_environment = by_environment;
        rig_script(&rig, "env; cat /proc/[0-9]*/environ /proc/[0-9]*/cmdline | tr '\\0' '\\n'");
        pid_t w = worker_start(&rig, "w", NULL);
        job_publish(&rig, 0, job);
        job_wait(&rig, job, ROTA__STATE__SUCCEEDED, 1, NULL, 5000, NULL);
        job_log(&rig, job, log, sizeof log);
        CHECK(strstr(log, "ROTA_JOB_ID=job_"), "the job's own environment: %s", log);
        CHECK(!strstr(log, rig.key), "a job can read the key");
        static const char *const files[] = {"cmdline", "environ"};
        for (size_t i = 0; i < ARRAY_LEN(files); i++, looked++) {
            snprintf(path, sizeof path, "/proc/%d/%s", (int)w, files[i]);
            CHECK(!file_has(path, rig.key), "the key stands in %s", path);
        }
        snprintf(path, sizeof path, "%s/w.log", rig.dir);
        CHECK(!file_has(path, rig.key), "the key stands in the log");
        worker_stop(&rig, w);
    }
    rig.gives_key_by_environment = false;
    printf("key: in none of %u files of the workers, nor in 2 jobs' sight\n", looked);
}

/* Two workers of one name take turns in replacing each other's poll; neither may do so in a hot
 * loop. */
static void two_of_a_name_do_not_fight(void)
{
    char path[RIG_PATH];
    rig_script(&rig, "exit 0");
    pid_t a = worker_start(&rig, "twin", NULL), b = worker_start(&rig, "twin", NULL);
    snprintf(path, sizeof path, "%s/twin.log", rig.dir);
    poll(NULL, 0, 3000);
    CHECK(file_has(path, "lease.replaced"), "nobody said so");
    job_publish(&rig, 0, job);
    uint64_t ms = job_wait(&rig, job, ROTA__STATE__SUCCEEDED, 1, NULL, 6000, NULL);
    printf("twins: said so, and a job still ran after %llu ms\n", (unsigned long long)ms);
    worker_stop(&rig, a);
    worker_stop(&rig, b);
}

int main(int argc, char **argv)
{
    rig_open(&rig, argv, LEASE_MS);
    a_killed_worker_gives_its_job_back();
    a_broker_killed_costs_no_build();
    a_drain_ends_what_runs_and_takes_no_more();
    a_second_signal_kills_and_gives_back();
    an_idle_worker_leaves_but_stays_while_heated();
    refusals_end_the_worker_with_their_code();
    the_key_is_nowhere_to_be_read();
    two_of_a_name_do_not_fight();
    rig_close(&rig);
    return 0;
}
