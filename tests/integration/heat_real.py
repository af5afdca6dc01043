#!/usr/bin/env python3
"""heat_real.py: what heat is worth to a real build, and what it leaves behind. A real broker, a real bundle worker with
a cache of its own, and `rota heat` with the sample app. Then builds of other accounts: each takes its packages and
nearly all transforms from what heat left, and goes on in a Metro that was started ahead of it (a standby). Builds that
such a process does not fit go without it and come out right. No standby outlives the heat, its worker, or its build.

Why it matters: heat costs memory and money all the time. It must buy the seconds that it promises, serve nothing that
was made for another build, and end when it is called off.
Needs the package registry (npm ci of the sample app).
"""
import json
import os
import re
import shutil
import signal
import time

from kit import Kit, check, main

APPS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "apps")
COLD_S, BUILD_S, READY_S, GONE_S = 400, 240, 90, 30
STILL_S, LOADED_TICKS = 0.5, 20
AHEAD = "metro was started ahead of this build"
PLATFORMS = ("android", "ios")


# ---- processes ----

def stat_of(pid):
    """State, parent, and processor time in ticks; None when it is gone."""
    try:
        with open(f"/proc/{pid}/stat") as f:
            words = f.read().rsplit(")", 1)[1].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return words[0], int(words[1]), int(words[11]) + int(words[12])


def is_there(pid):
    stat = stat_of(pid)
    return stat is not None and stat[0] not in "ZX"


def words_of(pid):
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as f:
            return f.read().split(b"\0")
    except (FileNotFoundError, ProcessLookupError):
        return [b""]


def descends(pid, top):
    while pid > 1:
        stat = stat_of(pid)
        if stat is None:
            return False
        pid = stat[1]
        if pid == top:
            return True
    return False


def standbys(worker):
    """Node itself, not the programs around it that carry the same words."""
    pids = [int(name) for name in os.listdir("/proc") if name.isdigit()]
    found = [pid for pid in pids if b"--ahead" in (words := words_of(pid)) and words[0].endswith(b"node")]
    return sorted(pid for pid in found if descends(pid, worker.pid))


def rss_mib(pid):
    with open(f"/proc/{pid}/status") as f:
        return int(re.search(r"^VmRSS:\s+(\d+) kB", f.read(), re.M)[1]) / 1024


def layers_of(pid):
    try:
        with open(f"/proc/{pid}/mountinfo") as f:
            return {line.split()[4] for line in f if line.split()[4].startswith("/layer/")}
    except OSError:
        return set()


class Stillness:
    """A standby has loaded what it loads when its event loop stands still: it sleeps, and takes no processor time."""

    def __init__(self):
        self.since = {}

    def is_seen(self, pid):
        stat, now = stat_of(pid), time.monotonic()
        if stat is None or stat[0] != "S" or self.since.get(pid, (None,))[0] != stat:
            self.since[pid] = (stat, now)
        return stat is not None and stat[2] >= LOADED_TICKS and now - self.since[pid][1] >= STILL_S


def standby_ready(kit, worker, slots=1, not_these=()):
    """One for each slot, none of them seen before, each waiting for its order."""
    still = Stillness()

    def ready():
        pids = standbys(worker)
        fresh = len(pids) == slots and not set(pids) & set(not_these)
        return pids if fresh and all([still.is_seen(pid) for pid in pids]) else None
    return kit.wait(f"{slots} standby, none of {list(not_these)}", ready, READY_S)


def gone(kit, pids, why):
    kit.wait(f"standbys {pids} to end: {why}", lambda: not any(is_there(pid) for pid in pids), GONE_S)


# ---- builds ----

def app_make(kit, name, edits=(), below="", over=None):
    """A copy of the sample app; `edits`: (file, what, by what)."""
    app = f"{kit.dir}/apps/{name}"
    shutil.copytree(f"{APPS}/hello", f"{app}/{below}", ignore=shutil.ignore_patterns("node_modules"))
    if over:
        shutil.copytree(f"{APPS}/{over}", app, dirs_exist_ok=True)
    for file, what, by in edits:
        with open(f"{app}/{file}") as f:
            text = f.read()
        check(what in text, f"{file} has no {what!r}")
        with open(f"{app}/{file}", "w") as f:
            f.write(text.replace(what, by, 1))
    return app


def publish(kit, app, account, platform="android", *options):
    done = kit.rota("publish", "--app", os.path.basename(app), "--platform", platform, "--account", account,
                    "--source", f"dir:{app}", *options)
    return done.stdout.split()[0]


def log_of(kit, job):
    return kit.rota("logs", job).stdout


def end_of(kit, job, state="succeeded", seconds=BUILD_S):
    kit.wait_state(job, "succeeded", "failed", "dead", "cancelled", "timed_out", seconds=seconds)
    status, log = kit.status(job), log_of(kit, job)
    check(status["state"] == state, f"{job} {status['state']}: {status.get('error')}: {log[-2000:]}")
    return status, log


def built(kit, app, account, platform="android", *options, seconds=BUILD_S):
    status, log = end_of(kit, publish(kit, app, account, platform, *options), seconds=seconds)
    kinds = {a["kind"] for a in status["artifacts"]}
    check({"bundle", "assets", "map"} <= kinds, f"artifacts: {kinds}")
    return {p["phase"]: p["ms"] for p in status["phase_times"]}, log


def times_print(what, times):
    print(f"{what}: {sum(times.values()) / 1000:.1f} s:", *(f"{name}={ms}" for name, ms in times.items()))


def shared_of(log):
    found = re.search(r"transforms: (\d+) of (\d+) from the shared layer", log)
    return (int(found[1]), int(found[2])) if found else (0, 0)


# ---- what is shown ----

def heat_builds_deliver_nothing(kit):
    heat = kit.json("heat", "--slots", "1", "--for", "30m", "--wait", "--app-dir", f"{APPS}/hello",
                    "--timeout", f"{COLD_S}s")
    jobs = [kit.status(job) for job in heat["jobs"]]
    check(sorted(job["platform"] for job in jobs) == sorted(PLATFORMS), f"heat built {jobs}")
    for job in jobs:
        check(job["state"] == "succeeded" and job["class"] == "heat" and not job.get("artifacts"), f"heat: {job}")
        times_print(f"heat for {job['platform']}", {p["phase"]: p["ms"] for p in job["phase_times"]})


def other_accounts_are_served(kit, worker, seen):
    """One changed line of source: the next build of an app that most are like."""
    for platform, account in zip(PLATFORMS, ("b", "c")):
        line = [("src/App.tsx", "On duty: {", f"Now on duty, {account}: {{")]
        times, log = built(kit, app_make(kit, f"changed-{platform}", line), account, platform)
        shared, asked = shared_of(log)
        check(AHEAD in log, f"{platform}: Metro was not started ahead: {log}")
        check("node_modules from the cache" in log, f"{platform}: no packages from the cache: {log}")
        check(asked > 300 and shared >= asked - 2, f"{platform}: {shared} of {asked} transforms were shared: {log}")
        times_print(f"{platform}, one line changed, {shared} of {asked} transforms shared", times)
        seen += standby_ready(kit, worker, 1, seen)


def files_of_the_app_are_found(kit, worker, seen):
    """What loaded before the app was there must not remember that it was not there."""
    app = app_make(kit, "found", [("metro.config.js", "module.exports", "console.log('targets', require('browserslist')"
                                   ".loadConfig({path: __dirname}));\nmodule.exports")])
    with open(f"{app}/.browserslistrc", "w") as f:
        f.write("chrome 100\n")
    _, log = built(kit, app, "b")
    check(AHEAD in log and "targets [ 'chrome 100' ]" in log, f"its .browserslistrc was not seen: {log}")
    seen += standby_ready(kit, worker, 1, seen)


def faults_are_named(kit, worker, seen):
    app = app_make(kit, "broken", [("src/App.tsx", "return (", "return ((")])
    status, log = end_of(kit, publish(kit, app, "b"), "failed")
    check(AHEAD in log and status["error"]["name"] == "BUNDLE_SYNTAX" and "src/App.tsx" in json.dumps(status),
          f"a wrong source ended {status}: {log}")
    seen += standby_ready(kit, worker, 1, seen)
    app = app_make(kit, "endless", [("metro.config.js", "module.exports", "console.log('here');\nwhile (true);\n"
                                     "module.exports")])
    job = publish(kit, app, "b")
    kit.wait("the endless app to run", lambda: "here" in log_of(kit, job), BUILD_S)
    check(AHEAD in log_of(kit, job), "it was not taken over")
    kit.rota("cancel", job)
    end_of(kit, job, "cancelled", 20)
    seen += standby_ready(kit, worker, 1, seen)


def what_does_not_fit_goes_without(kit, worker, seen):
    told = app_make(kit, "told", [("metro.config.js", "module.exports",
                                   "console.log('told', process.env.GREETING);\nmodule.exports")])
    kit.rota("app", "create", "told", "--account", "b")
    kit.rota("var", "set", "--account", "b", "--app", "told", "GREETING", "salve")
    other_lock = app_make(kit, "other-lock", [("package-lock.json", '"version": "', '"version": "9')])
    workspace = app_make(kit, "workspace", below="apps/mobile", over="workspace")
    os.unlink(f"{workspace}/apps/mobile/package-lock.json")
    rows = [("a variable", told, "b", ()), ("another lockfile", other_lock, "b", ()),
            ("a workspace", workspace, "b", ("--spec", '{"root":"apps/mobile"}')),
            ("less memory", app_make(kit, "small"), "free", ())]
    for what, app, account, options in rows:
        times, log = built(kit, app, account, "android", *options, seconds=COLD_S)
        check(AHEAD not in log, f"{what}: a standby was taken: {log}")
        check(app != told or "told salve" in log, f"the variable did not arrive: {log}")
        times_print(f"{what}: without a standby", times)
        seen += standby_ready(kit, worker, 1, seen)
    times, log = built(kit, rows[-1][1], "free", "ios")
    check(AHEAD in log, f"the slot did not learn its builds' memory: {log}")
    seen += standby_ready(kit, worker, 1, seen)
    print("4 builds that it does not fit went without; behind one with less memory, the next of its kind had one")


def heat_off_ends_it(kit, worker):
    pids = standby_ready(kit, worker)
    kit.rota("heat", "off")
    gone(kit, pids, "heat off")
    check(worker.poll() is None and not standbys(worker), "the worker left, or another standby came")


def a_worker_takes_it_along(kit, options, end, name):
    kit.rota("heat", "--slots", "1", "--for", "30m", "--no-build")
    worker = kit.worker(*options, name=name)
    pids = standby_ready(kit, worker)
    worker.send_signal(end)
    code = worker.wait(GONE_S)
    gone(kit, pids, f"{end.name} to the worker")
    check(end != signal.SIGTERM or code == 0, f"the worker ended with {code}")


def every_slot_knows_both_platforms(kit):
    """Heat is not over with its first build: a standby that began behind that one must not stay with what was there."""
    worker = kit.worker("--cache-dir", f"{kit.dir}/cache-pair", name="pair", slots=2)
    kit.rota("heat", "--slots", "2", "--for", "30m", "--no-build")
    there = set()
    for platform in PLATFORMS:
        end_of(kit, publish(kit, f"{APPS}/hello", "local", platform, "--class", "heat"), seconds=COLD_S)
        there.add(f"/layer/{platform}")
        kit.wait(f"two standbys that see {there}",
                 lambda: [layers_of(pid) for pid in standbys(worker)] == [there, there], READY_S)
    worker.terminate()
    check(worker.wait(GONE_S) == 0, "the worker of two slots")
    print("two slots: behind each build of heat both standbys see the layers that are there by then")


def nothing_was_held(kit):
    for name in os.listdir(kit.dir):
        if name.endswith(".log"):
            with open(f"{kit.dir}/{name}") as f:
                bad = re.findall(r"^.* (?:standby\.failed|workspace\.left|cache\.dropped) .*$", f.read(), re.M)
            check(not bad, f"{name}: {bad}")


def test():
    with Kit() as kit:
        kit.start()
        for account in ("b", "c"):
            kit.account(account, "pro")
        kit.account("free", "free")
        options, seen = ["--cache-dir", f"{kit.dir}/cache-heat"], []
        worker = kit.worker(*options, name="first")
        heat_builds_deliver_nothing(kit)
        seen += standby_ready(kit, worker)
        print(f"a standby holds {rss_mib(seen[-1]):.0f} MiB")
        other_accounts_are_served(kit, worker, seen)
        files_of_the_app_are_found(kit, worker, seen)
        faults_are_named(kit, worker, seen)
        what_does_not_fit_goes_without(kit, worker, seen)
        check(len(set(seen)) == len(seen), f"a standby served twice: {seen}")
        heat_off_ends_it(kit, worker)
        worker.terminate()
        worker.wait(GONE_S)
        a_worker_takes_it_along(kit, options, signal.SIGTERM, "termed")
        a_worker_takes_it_along(kit, options, signal.SIGKILL, "killed")
        print(f"{len(seen)} standbys, each another process; heat off, SIGTERM and SIGKILL left none")
        every_slot_knows_both_platforms(kit)
        nothing_was_held(kit)


if __name__ == "__main__":
    main(test)
