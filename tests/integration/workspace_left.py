#!/usr/bin/env python3
"""Something of a job outlives its workspace: a log line says so, its slot takes no job until it is gone, the worker's
other slots go on, and a worker that leaves does not wait for it.

What stays is made from outside, because nothing inside can: tmpfs mounts over the workspace's own, in the namespace of
the worker. Each second the worker takes one of them away.
"""
import os
import subprocess
import time

from kit import Kit, check, main

SCRIPT = """#!/bin/sh
case $(cat) in
*wait*) while [ ! -e /in/gates/$ROTA_JOB_ID ]; do sleep 0.05; done ;;
esac
"""
PLACE = "/run/rota-worker"


def log_of(kit, name):
    with open(f"{kit.dir}/{name}.log") as f:
        return f.read()


def log_wait(kit, name, word, seconds=20):
    end = time.monotonic() + seconds
    while word not in log_of(kit, name):
        check(time.monotonic() < end, f"no {word} in {name}.log:\n{log_of(kit, name)}")
        time.sleep(0.02)


def slot_of(kit, job, name):
    line = next(one for one in log_of(kit, name).splitlines() if "job.started" in one and job in one)
    return int(line.rsplit("slot=", 1)[1])


def cover(worker, slot, times):
    for _ in range(times):
        subprocess.run(["nsenter", "-t", str(worker.pid), "-m", "mount", "-t", "tmpfs", "-o", "size=64k", "over",
                        f"{PLACE}/slot-{slot}"], check=True)


def held_job(kit, worker, name, times):
    """A job whose workspace is covered before it ends; its slot."""
    job = kit.publish("--spec", '{"do":"wait"}', account="a")
    kit.wait_state(job, "leased", seconds=20)
    log_wait(kit, name, f"job.started job={job}")
    slot = slot_of(kit, job, name)
    cover(worker, slot, times)
    open(f"{kit.dir}/gates/{job}", "w").close()
    kit.wait_state(job, "succeeded", seconds=20)
    check(f"workspace.left path={PLACE}/slot-{slot} what=mount" in log_of(kit, name), log_of(kit, name))
    return slot


def worker_start(kit, name):
    worker = kit.worker("--exec-read", f"{kit.dir}/gates", "--workspace-bytes", str(64 << 20), name=name,
                        runner=f"{kit.dir}/run", slots=2, boxed=True)
    log_wait(kit, name, "worker.start")
    return worker


def a_held_slot_takes_no_job(kit):
    worker = worker_start(kit, "w1")
    slot = held_job(kit, worker, "w1", 8)
    began = time.monotonic()
    jobs = [kit.publish("--spec", "{}", account="a") for _ in range(6)]
    for job in jobs:
        kit.wait_state(job, "succeeded", seconds=20)
    took = time.monotonic() - began
    used = {slot_of(kit, job, "w1") for job in jobs}
    check("workspace.gone" not in log_of(kit, "w1"), f"six jobs took {took:.1f} s: too slow for this test")
    check(used == {1 - slot}, f"slot {slot} is held, and the jobs ran in {used}")
    log_wait(kit, "w1", "workspace.gone")
    pair = [kit.publish("--spec", '{"do":"wait"}', account="a") for _ in range(2)]
    for job in pair:
        kit.wait_state(job, "leased", seconds=20)
        log_wait(kit, "w1", f"job.started job={job}")
    check({slot_of(kit, job, "w1") for job in pair} == {0, 1}, "the slot works again")
    for job in pair:
        open(f"{kit.dir}/gates/{job}", "w").close()
        kit.wait_state(job, "succeeded", seconds=20)
    worker.terminate()
    check(worker.wait(20) == 0, "the worker left")
    check(log_of(kit, "w1").count("workspace.left") == 1, "and said it once")
    print(f"held: 6 jobs in the other slot in {took:.1f} s, then both")


def a_leaving_worker_does_not_wait(kit):
    worker = worker_start(kit, "w2")
    held_job(kit, worker, "w2", 30)
    began = time.monotonic()
    worker.terminate()
    check(worker.wait(20) == 0, "the worker left")
    took = time.monotonic() - began
    check(took < 5 and "workspace.gone" not in log_of(kit, "w2"), f"after {took:.1f} s")
    print(f"leave: with a slot held, after {took:.1f} s")


def test():
    if os.geteuid() != 0:
        print("not root: nobody can mount in the worker's namespace; test_space shows what it sees")
        return
    with Kit() as kit:
        os.chmod(kit.dir, 0o755)
        os.mkdir(f"{kit.dir}/gates", 0o755)
        kit.script("run", SCRIPT)
        kit.start()
        kit.account("a", "free", "--running", "4")
        a_held_slot_takes_no_job(kit)
        a_leaving_worker_does_not_wait(kit)


if __name__ == "__main__":
    main(test)
