/* worker_jobs.c: what becomes of a job in the hands of a real worker: done, failed, faulty,
 * cancelled, too slow, many at a time. Times are taken from outside, by a client of the broker. */
#include "worker_rig.h"

static struct rig rig;
static char job[32];

/* Everything a job says on its way is seen by others. */
static void a_job_goes_all_the_way(void)
{
    static char log[65536];
    Rota__Reply *reply;
    rig_script(&rig,
               "echo \"hello $ROTA_TIER $ROTA_ATTEMPT\"; cat >&2\n"
               "echo '{\"phase\":\"one\",\"percent\":10,\"message\":\"first\"}' >&3; sleep 0.5\n"
               "echo '{\"phase\":\"two\",\"percent\":60}' >&3; sleep 0.5");
    job_publish(&rig, 0, job);
    job_wait(&rig, job, ROTA__STATE__LEASED, 1, "one", 5000, &reply);
    CHECK(reply->watch->job->percent == 10, "percent %u", reply->watch->job->percent);
    CHECK(strcmp(reply->watch->job->message, "first") == 0, "%s", reply->watch->job->message);
    rota_reply_free(reply);
    job_wait(&rig, job, ROTA__STATE__LEASED, 1, "two", 5000, NULL);
    uint64_t ms = job_wait(&rig, job, ROTA__STATE__SUCCEEDED, 1, NULL, 5000, &reply);
    CHECK(strcmp(reply->watch->job->worker, "w") == 0, "%s", reply->watch->job->worker);
    CHECK(reply->watch->job->n_phase_time == 1, "phases");
    rota_reply_free(reply);
    job_log(&rig, job, log, sizeof log);
    CHECK(strcmp(log, "hello P0 1\n{}") == 0, "log: %s", log);
    printf("through: two phases seen, log whole, %llu ms after the second\n",
           (unsigned long long)ms);
}

static void a_failure_names_its_exit_status(void)
{
    Rota__Reply *reply;
    rig_script(&rig, "exit 7");
    job_publish(&rig, 0, job);
    job_wait(&rig, job, ROTA__STATE__FAILED, 1, NULL, 5000, &reply);
    const Rota__Error *e = reply->watch->job->error;
    CHECK(e && strcmp(e->name, "RUNNER_FAILED") == 0, "error");
    CHECK(strstr(e->text, "exit status 7"), "%s", e->text);
    rota_reply_free(reply);
}

static void a_fault_is_tried_three_times(void)
{
    rig_script(&rig, "echo $ROTA_ATTEMPT >>$TRACE; exit 75");
    job_publish(&rig, 0, job);
    job_wait(&rig, job, ROTA__STATE__DEAD, 1, NULL, 60000, NULL);
    CHECK(trace_lines(&rig) == 3, "%u attempts", trace_lines(&rig));
    printf("fault: 3 attempts, then dead\n");
}

/* Its processes ignore every polite request. */
static void a_cancelled_job_is_gone_within_two_seconds(void)
{
    rig_script(&rig, "exec 9>$LOCK; flock 9; trap '' TERM INT HUP; (setsid sleep 1000 &)\n"
                     "echo '{\"phase\":\"deaf\"}' >&3; sleep 1000");
    job_publish(&rig, 0, job);
    job_wait(&rig, job, ROTA__STATE__LEASED, 1, "deaf", 5000, NULL);
    CHECK(lock_is_held(&rig), "the script holds no lock");
    job_cancel(&rig, job);
    uint64_t ms = job_wait(&rig, job, ROTA__STATE__CANCELLED, 1, NULL, 2000, NULL);
    CHECK(!lock_is_held(&rig), "a process outlived its cancel");
    printf("cancel: gone after %llu ms\n", (unsigned long long)ms);
}

/* A program on the host may undo what it did there. */
static void a_cancelled_job_cleans_up_within_its_grace(void)
{
    rig_script(&rig, "trap 'sleep 0.3; echo cleaned >>$TRACE; exit 0' TERM\n"
                     "echo '{\"phase\":\"tidy\"}' >&3; sleep 1000 & wait");
    unsigned before = trace_lines(&rig);
    job_publish(&rig, 0, job);
    job_wait(&rig, job, ROTA__STATE__LEASED, 1, "tidy", 5000, NULL);
    job_cancel(&rig, job);
    uint64_t ms = job_wait(&rig, job, ROTA__STATE__CANCELLED, 1, NULL, 2000, NULL);
    CHECK(trace_lines(&rig) == before + 1, "%u lines, %u before", trace_lines(&rig), before);
    printf("cancel: cleaned up, gone after %llu ms\n", (unsigned long long)ms);
}

static void an_endless_job_is_cut_at_its_timeout(void)
{
    Rota__Reply *reply;
    rig_script(&rig, "exec 9>$LOCK; flock 9; trap '' TERM; (setsid sleep 1000 &)\n"
                     "echo '{\"phase\":\"endless\"}' >&3; while :; do :; done");
    job_publish(&rig, 1500, job);
    job_wait(&rig, job, ROTA__STATE__LEASED, 1, "endless", 5000, NULL);
    uint64_t ms = job_wait(&rig, job, ROTA__STATE__TIMED_OUT, 1, NULL, 4000, &reply);
    const Rota__Error *e = reply->watch->job->error;
    CHECK(e && strcmp(e->name, "TIMED_OUT") == 0, "error %s", e ? e->name : "none");
    rota_reply_free(reply);
    CHECK(!lock_is_held(&rig), "a process outlived its timeout");
    printf("timeout of 1500 ms: cut %llu ms after its phase was seen\n", (unsigned long long)ms);
}

static void many_jobs_run_once_each(void)
{
    enum { JOBS = 60 };
    static char jobs[JOBS][32];
    rig_script(&rig, "echo $ROTA_JOB_ID >>$TRACE");
    uint64_t began_ms = clock_boot_ms();
    for (int i = 0; i < JOBS; i++)
        job_publish(&rig, 0, jobs[i]);
    for (int i = 0; i < JOBS; i++)
        job_wait(&rig, jobs[i], ROTA__STATE__SUCCEEDED, 1, NULL, 30000, NULL);
    CHECK(trace_lines(&rig) == JOBS, "%u runs", trace_lines(&rig));
    printf("many: %d jobs, %u runs, %llu ms\n", JOBS, trace_lines(&rig),
           (unsigned long long)(clock_boot_ms() - began_ms));
}

int main(int argc, char **argv)
{
    const char *const options[] = {"--slots", "2", NULL};
    rig_open(&rig, argv, 3000);
    rig_script(&rig, "exit 0");
    worker_start(&rig, "w", options);
    a_job_goes_all_the_way();
    a_failure_names_its_exit_status();
    a_fault_is_tried_three_times();
    a_cancelled_job_is_gone_within_two_seconds();
    a_cancelled_job_cleans_up_within_its_grace();
    an_endless_job_is_cut_at_its_timeout();
    many_jobs_run_once_each();
    rig_close(&rig);
    return 0;
}
