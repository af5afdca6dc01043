#!/usr/bin/env python3
"""worker_cgroup.py: a worker with --cgroup on a kernel that has cgroup v1. Its jobs run in groups of their own below the
three folders that an operator made, end by the name of the limit that they met, and leave no group behind; what a
killed worker leaves goes when the next one starts.

    worker_cgroup.py             with an exec runner
    worker_cgroup.py bundle      a real build of the sample app (needs the package registry)

Why it matters: a limit that is written and not kept lets one build take the memory of all others.
"""
import os
import signal
import sys
import time

from kit import Kit, check, main

CONTROLLERS = ("memory", "pids", "cpu")
NAME = f"rota-it-{os.getpid()}"
APP = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "apps", "hello")
SCRIPT = """#!/bin/sh
spec=$(cat)
run=${spec#*'"run":"'}
run=${run%'"'*}
case $run in
well) echo well ;;
memory) python3 -c 'x = [b"x" * (1 << 26) for i in range(200)]' ;;
worker) python3 -c 'x = [b"x" * (1 << 26) for i in range(200)]'; echo ended well; exit 0 ;;
forks) python3 -c '
import os
while True:
    try: os.fork()
    except OSError: pass' ;;
sleep) sleep 300 ;;
esac
"""


def folder(controller, *below):
    return os.path.join("/sys/fs/cgroup", controller, NAME, *below)


def folders_make():
    made = []
    try:
        for c in CONTROLLERS:
            os.mkdir(folder(c))
            made.append(c)
    except OSError as e:
        for c in made:
            os.rmdir(folder(c))
        print(f"no cgroup v1 that takes folders: {e}; nothing was tried")
        sys.exit(77)


def groups():
    return [g for c in CONTROLLERS for g in os.listdir(folder(c)) if os.path.isdir(folder(c, g))]


def folders_remove(kit):
    """Behind a failure, too: its sandboxes are dying."""
    def try_it():
        for c in CONTROLLERS:
            for g in os.listdir(folder(c)) if os.path.isdir(folder(c)) else ():
                if os.path.isdir(folder(c, g)):
                    os.rmdir(folder(c, g))
            if os.path.isdir(folder(c)):
                os.rmdir(folder(c))
        return True

    def attempt():
        try:
            return try_it()
        except OSError:
            return False
    kit.wait("the groups to be empty", attempt, 20)


def processes(controller):
    try:
        with open(folder(controller, "slot-0", "cgroup.procs")) as f:
            return len(f.read().split())
    except FileNotFoundError:
        return 0


def worker(kit, name, *options, **more):
    child = kit.worker("--cgroup", NAME, *options, name=name, **more)
    said = lambda: open(f"{kit.dir}/{name}.log").read()
    kit.wait("the worker to start", lambda: "worker.start" in said() or child.poll() is not None, 60)
    check("limits-by=cgroup-v1" in said(), said())
    return child


def run(kit, what):
    return kit.publish("--spec", '{"run":"%s"}' % what, account="a")


def ended(kit, what, state, error=None):
    job = run(kit, what)
    kit.wait_state(job, "succeeded", "failed", "dead", "timed_out", seconds=60)
    s = kit.status(job)
    name = s.get("error", {}).get("name")
    check(s["state"] == state and name == error, f"{what}: {s['state']}, {s.get('error')}, not {state}, {error}")
    kit.wait("its groups to go", lambda: not groups(), 5)


def inside(kit, job):
    """It runs, and in all three groups."""
    kit.wait(f"{job} in its groups", lambda: all(processes(c) > 0 for c in CONTROLLERS))


def jobs_end_by_their_names(kit):
    ways = [("well", "succeeded", None), ("memory", "failed", "OUT_OF_MEMORY"), ("worker", "failed", "OUT_OF_MEMORY"),
            ("forks", "failed", "PIDS_LIMIT"), ("well", "succeeded", None)]
    for way in ways:
        ended(kit, *way)
    return len(ways)


def a_cancel_leaves_no_group(kit):
    job = run(kit, "sleep")
    inside(kit, job)
    with open(folder("memory", "slot-0", "memory.limit_in_bytes")) as f:
        check(int(f.read()) == (2 << 30) + (64 << 20), "P3's memory and the workspace")
    with open(folder("cpu", "slot-0", "cpu.cfs_quota_us")) as f:
        check(int(f.read()) == 200000, "two processors")
    kit.rota("cancel", job)
    kit.wait("its groups to go", lambda: not groups(), 5)
    kit.wait_state(job, "cancelled")


def a_killed_worker_leaves_none_to_the_next(kit, child, start):
    job = run(kit, "sleep")
    inside(kit, job)
    os.kill(child.pid, signal.SIGKILL)
    child.wait()
    kit.wait("the job's processes to die", lambda: not any(processes(c) for c in CONTROLLERS), 10)
    left = len(groups())
    kit.rota("cancel", job)
    child = start("heir")
    check(not groups(), f"{groups()} are left")
    child.terminate()
    check(child.wait(60) == 0, "the heir ends well")
    return left


def exec_jobs(kit):
    runner = kit.script("run", SCRIPT)
    start = lambda name: worker(kit, name, "--workspace-bytes", str(64 << 20), runner=runner, boxed=True)
    child = start("w")
    ways = jobs_end_by_their_names(kit)
    a_cancel_leaves_no_group(kit)
    left = a_killed_worker_leaves_none_to_the_next(kit, child, start)
    print(f"{ways} of {ways} jobs ended by their names; a cancelled job left 0 groups, a killed worker {left}, and the "
          "next start 0")


def bundle(kit):
    child = worker(kit, "w")
    began = time.monotonic()
    job = kit.rota("publish", "--app", "hello", "--platform", "android", "--source", f"dir:{APP}",
                   "--account", "a").stdout.split()[0]
    kit.wait("the build in its groups", lambda: all(processes(c) > 0 for c in CONTROLLERS), 60)
    kit.wait_state(job, "succeeded", "failed", "dead", "timed_out", seconds=400)
    s = kit.status(job)
    check(s["state"] == "succeeded", f"{s['state']}, {s.get('error')}: {kit.rota('logs', job).stdout[-2000:]}")
    kit.wait("its groups to go", lambda: not groups(), 30)
    child.terminate()
    check(child.wait(60) == 0, "the worker ends well")
    print(f"the sample app was built under cgroup v1 in {time.monotonic() - began:.0f} s; 0 groups left")


def test():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    with Kit() as kit:
        folders_make()
        os.chmod(kit.dir, 0o755)
        try:
            kit.start()
            kit.account("a", "free", "--running", "4")
            (bundle if sys.argv[1:] == ["bundle"] else exec_jobs)(kit)
        finally:
            for child in kit.children:
                if child.poll() is None:
                    child.kill()
                    child.wait()
            folders_remove(kit)


main(test)
