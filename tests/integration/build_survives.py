#!/usr/bin/env python3
"""What happens to a build when something around it dies: a broker's restart costs it nothing, a worker's death one
attempt, and a killed worker leaves no process behind. The runner waits at a gate, so that each death falls into the
middle of its work.

    build_survives.py            with exec runners
    build_survives.py bundle     once with a real build of the sample app (needs the package registry)
"""
import os
import signal
import sys

from kit import Kit, check, main

RESTARTS, DEATHS = 10, 5
APP = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "apps", "hello")


def gated_runner(kit):
    """Says that it began, and ends when the job's gate opens."""
    return kit.script("gated", f"#!/bin/sh\necho $ROTA_ATTEMPT >> {kit.dir}/began.$ROTA_JOB_ID\n"
                      f"while [ ! -e {kit.dir}/gate.$ROTA_JOB_ID ]; do sleep 0.02; done\n")


def began(kit, job):
    path = f"{kit.dir}/began.{job}"
    return len(open(path).read().split()) if os.path.exists(path) else 0


def gate_open(kit, job):
    open(f"{kit.dir}/gate.{job}", "w").close()


def succeeded(kit, job, attempt):
    kit.wait_state(job, "succeeded", "failed", "dead")
    s = kit.status(job)
    check(s["state"] == "succeeded" and s["attempt"] == attempt, f"{s['state']} in attempt {s['attempt']}: {s.get('error')}")


def broker_restarts(kit):
    kit.worker(runner=gated_runner(kit), name="steady")
    for round_ in range(RESTARTS):
        job = kit.publish(account="a")
        kit.wait("the runner", lambda: began(kit, job) == 1)
        kit.kill()
        if round_ % 2:
            gate_open(kit, job)  # it ends while there is no broker to report to
        kit.start()
        gate_open(kit, job)
        succeeded(kit, job, 1)
        check(began(kit, job) == 1, "it ran twice")
    print(f"the broker killed in the middle of {RESTARTS} of {RESTARTS} builds: each ran once and succeeded at attempt 1")


def worker_deaths(kit):
    for round_ in range(DEATHS):
        worker = kit.worker(runner=gated_runner(kit), name=f"mortal{round_}")
        job = kit.publish(account="b")
        kit.wait("the runner", lambda: began(kit, job) == 1)
        os.kill(worker.pid, signal.SIGKILL)
        worker.wait()
        kit.wait_state(job, "ready", seconds=20)
        heir = kit.worker(runner=gated_runner(kit), name=f"heir{round_}")
        kit.wait("the runner again", lambda: began(kit, job) == 2)
        gate_open(kit, job)
        succeeded(kit, job, 2)
        heir.terminate()
        heir.wait(20)
    print(f"the worker killed in the middle of {DEATHS} of {DEATHS} builds: each succeeded at attempt 2")


def exec_builds():
    with Kit() as kit:
        kit.extra = ["--lease-ms", "2000"]
        kit.start()
        kit.account("a", "enterprise")
        kit.account("b", "enterprise")
        worker_deaths(kit)
        broker_restarts(kit)


def bundle_build():
    with Kit() as kit:
        kit.start()
        kit.worker(name="builder")
        done = kit.rota("publish", "--app", "hello", "--platform", "android", "--source", f"dir:{APP}")
        job = done.stdout.split()[0]
        for phase in ("install", "bundle"):
            kit.wait(f"phase {phase}", lambda: kit.status(job).get("phase") == phase, 240)
            kit.kill()
            kit.start()
        kit.wait_state(job, "succeeded", "failed", "dead", seconds=300)
        succeeded(kit, job, 1)
        print("the broker killed in the phases install and bundle of a real build: it succeeded at attempt 1")


if __name__ == "__main__":
    main(bundle_build if sys.argv[1:] == ["bundle"] else exec_builds)
