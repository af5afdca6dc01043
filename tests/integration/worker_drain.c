/* worker_drain.c: a worker that was told to leave while its broker is away. It may not wait for
 * ever, or a host that shuts down hangs on it; and it may not give up early, or a short restart of
 * the broker costs results. */
#include "worker_rig.h"

#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

/* Before LAST_TRIES_MS are left of a time, reports are repeated; what follows are last tries. */
enum { LEASE_MS = 2000, BOUND_MS = 10000, HURRY_MS = 10000, LAST_TRIES_MS = 2000 };

static struct rig rig;
static char job[32], other[32], third[32];

/* Each first run waits for a file of its own, and leaves a line of log to be sent as well. */
static void script_gated(void)
{
    rig_script(&rig, "echo x >>$TRACE; [ $ROTA_ATTEMPT = 1 ] || exit 0\n"
                     "echo '{\"phase\":\"on\"}' >&3\n"
                     "while [ ! -e $DIR/go-$ROTA_JOB_ID ]; do sleep 0.02; done; echo over");
}

static void job_begin(char id[32])
{
    job_publish(&rig, 0, id);
    job_wait(&rig, id, ROTA__STATE__LEASED, 1, "on", 5000, NULL);
}

/* Lets the job's run end, and waits until the worker knows. */
static void job_let_end(const char *name, const char *id)
{
    char text[RIG_PATH];
    snprintf(text, sizeof text, "%s/go-%s", rig.dir, id);
    FILE *f = fopen(text, "w");
    CHECK(f && fclose(f) == 0, "%s", text);
    snprintf(text, sizeof text, "job.ended job=%s outcome=succeeded", id);
    log_wait(&rig, name, text, 5000);
}

static bool log_has(const char *name, const char *word)
{
    char path[RIG_PATH];
    snprintf(path, sizeof path, "%s/%s.log", rig.dir, name);
    return file_has(path, word);
}

static void drain(pid_t worker, const char *name)
{
    kill(worker, SIGTERM);
    log_wait(&rig, name, "worker.draining", 5000);
}

static void a_broker_that_returns_still_hears_the_report(void)
{
    const char *const options[] = {"--drain-report", "30", NULL};
    script_gated();
    pid_t w = worker_start(&rig, "patient", options);
    job_begin(job);
    rotad_kill(&rig);
    job_let_end("patient", job);
    drain(w, "patient");
    rotad_start(&rig);
    uint64_t began_ms = clock_boot_ms();
    CHECK(worker_wait(&rig, w, 30000) == 0, "a drain that could report ends with 0");
    uint64_t ms = clock_boot_ms() - began_ms;
    job_wait(&rig, job, ROTA__STATE__SUCCEEDED, 1, NULL, 1000, NULL);
    CHECK(trace_lines(&rig) == 1, "%u runs", trace_lines(&rig));
    CHECK(!log_has("patient", "unreported"), "reported, and said that it was not");
    printf("drain, broker back: reported, exit 0, %llu ms after the restart, 1 run\n",
           (unsigned long long)ms);
}

/* As others wait for reports of theirs, so that one silence of the broker serves two tests. */
static void a_second_signal_cuts_the_wait_short(pid_t hurried)
{
    char line[RIG_PATH];
    drain(hurried, "hurried");
    uint64_t began_ms = clock_boot_ms();
    kill(hurried, SIGTERM);
    CHECK(worker_wait(&rig, hurried, HURRY_MS + 20000) == 130, "a hurried leave ends with 130");
    uint64_t ms = clock_boot_ms() - began_ms;
    CHECK(ms <= HURRY_MS, "left after %llu ms", (unsigned long long)ms);
    snprintf(line, sizeof line, "error rota-worker worker.unreported jobs=%s n=1 ", third);
    CHECK(log_has("hurried", line), "the log does not name the job");
    printf("second signal, broker away: exit 130 after %llu ms (at most %d)\n",
           (unsigned long long)ms, HURRY_MS);
}

/* Of its jobs one ended long before the signal, one ends after it, and the bound counts from there.
 */
static void a_drain_gives_up_at_its_bound(pid_t bounded)
{
    char line[RIG_PATH];
    drain(bounded, "bounded");
    uint64_t drained_ms = clock_boot_ms();
    poll(NULL, 0, 2500); /* a bound that counted from the signal would end so much too early */
    uint64_t began_ms = clock_boot_ms();
    job_let_end("bounded", other);
    CHECK(worker_wait(&rig, bounded, BOUND_MS + 20000) == 75, "left unreported, ends with 75");
    uint64_t now_ms = clock_boot_ms(), ms = now_ms - began_ms;
    CHECK(ms >= BOUND_MS - LAST_TRIES_MS && ms <= BOUND_MS, "left after %llu ms, the bound is %d",
          (unsigned long long)ms, BOUND_MS);
    snprintf(line, sizeof line, "error rota-worker worker.unreported jobs=%s,%s n=2 ", job, other);
    CHECK(log_has("bounded", line), "the log does not name the two jobs");
    printf("drain, broker away: exit 75, %llu ms after the last job's end (bound %d), %llu ms "
           "after the signal\n",
           (unsigned long long)ms, BOUND_MS, (unsigned long long)(now_ms - drained_ms));
}

static void a_broker_that_stays_away_is_given_up_by_those_who_leave(void)
{
    const char *const two[] = {"--slots", "2", "--drain-report", "10", NULL};
    const char *const one[] = {"--slots", "1", "--drain-report", "600", NULL};
    script_gated();
    pid_t bounded = worker_start(&rig, "bounded", two);
    job_begin(job);
    job_begin(other);
    pid_t hurried = worker_start(&rig, "hurried", one); /* the first has no slot for its job */
    job_begin(third);
    rotad_kill(&rig);
    job_let_end("bounded", job);
    job_let_end("hurried", third);
    uint64_t ended_ms = clock_boot_ms();
    a_second_signal_cuts_the_wait_short(hurried);
    while (clock_boot_ms() <= ended_ms + BOUND_MS)
        poll(NULL, 0, 100);
    CHECK(kill(bounded, 0) == 0 && !log_has("bounded", "unreported"), "no drain, yet gave up");
    printf("no drain, broker away: still trying after %llu ms\n",
           (unsigned long long)(clock_boot_ms() - ended_ms));
    a_drain_gives_up_at_its_bound(bounded);
}

/* What the error line promises. */
static void the_jobs_go_to_another_worker(void)
{
    rotad_start(&rig);
    client_renew(&rig);
    uint64_t began_ms = clock_boot_ms();
    pid_t w = worker_start(&rig, "heir", NULL);
    job_wait(&rig, job, ROTA__STATE__SUCCEEDED, 2, NULL, LEASE_MS + 5000, NULL);
    job_wait(&rig, other, ROTA__STATE__SUCCEEDED, 2, NULL, LEASE_MS + 5000, NULL);
    job_wait(&rig, third, ROTA__STATE__SUCCEEDED, 2, NULL, LEASE_MS + 5000, NULL);
    CHECK(trace_lines(&rig) == 6, "%u runs of 3 jobs given up once", trace_lines(&rig));
    printf("given up: 3 jobs done by another worker %llu ms after the restart (lease %d), 6 runs\n",
           (unsigned long long)(clock_boot_ms() - began_ms), LEASE_MS);
    worker_stop(&rig, w);
}

int main(int argc, char **argv)
{
    rig_open(&rig, argv, LEASE_MS);
    a_broker_that_returns_still_hears_the_report();
    a_broker_that_stays_away_is_given_up_by_those_who_leave();
    the_jobs_go_to_another_worker();
    rig_close(&rig);
    return 0;
}
