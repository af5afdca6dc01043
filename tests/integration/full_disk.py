#!/usr/bin/env python3
"""A full disk costs one clear error, and nothing once there is room again. Each disk is a small tmpfs of its own:
the artifacts', a workspace's, the database's. (The cache's is in bundle_full_disk.)

    full_disk.py           no room for another file among the artifacts, a full workspace, a full database
    full_disk.py bytes     no room for the bytes of an artifact (its upload is asked for again for half a minute)
"""
import os
import shutil
import subprocess
import sys

from kit import Kit, check, main

MIB = 1 << 20
# Makes as many MiB of output as its spec says; or fills its workspace.
SCRIPT = """#!/bin/sh
spec=$(cat)
n=${spec#*'"mib":'}
n=${n%%\\}*}
case $n in
0) cat /dev/zero > /w/app/zeros ;;
*) for i in 1 2; do head -c $((n * 524288)) /dev/urandom > /w/out/part$i.bin || exit 1; done ;;
esac
"""
SOON = ("--timeout", "1")  # a refusal is asked for again until then
ENDED = ("succeeded", "failed", "dead")


class Disk:
    """A file system of `mib` MiB, filled and emptied by the test."""

    def __init__(self, path, mib):
        self.path = path
        os.makedirs(path, exist_ok=True)
        options = f"size={mib}m,mode=0711,nr_inodes=1k"
        subprocess.run(["mount", "-t", "tmpfs", "-o", options, "rota-full-disk", path], check=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        subprocess.run(["umount", "-l", self.path], check=True)

    def fill(self, leave):
        """Until `leave` bytes are free."""
        st = os.statvfs(self.path)
        with open(f"{self.path}/ballast", "ab") as f:
            f.write(b"x" * max(0, st.f_bavail * st.f_frsize - leave))

    def fill_files(self, leave):
        """Until `leave` files can be made."""
        os.mkdir(f"{self.path}/ballast")
        for i in range(os.statvfs(self.path).f_ffree - leave):
            open(f"{self.path}/ballast/{i}", "w").close()

    def empty(self):
        if os.path.isdir(f"{self.path}/ballast"):
            shutil.rmtree(f"{self.path}/ballast")
        else:
            os.unlink(f"{self.path}/ballast")


def run(kit, mib, *options, ok=(0,)):
    return kit.rota("publish", "--app", "app", "--class", "task", "--account", "a", "--spec", '{"mib":%d}' % mib,
                    *options, ok=ok)


def job_of(done):
    return done.stdout.split()[0]


def succeeded(kit, job, attempt=1):
    kit.wait_state(job, *ENDED, seconds=90)
    s = kit.status(job)
    check(s["state"] == "succeeded" and s["attempt"] == attempt, f"{s['state']}, attempt {s['attempt']}: {s.get('error')}")


def errors_told(kit, job):
    """The names that the job's events told, in order."""
    return [e["error"] for e in kit.events() if e.get("job") == job and e.get("error")]


def objects(path):
    return [name for _, _, files in os.walk(path) for name in files]


def artifacts_full(kit, disk, fill, says, seconds):
    """Outputs find no room: an infrastructure fault by its name, tried again by itself, and no half object stays."""
    succeeded(kit, job_of(run(kit, 2)))
    fill()
    before = len(objects(f"{disk.path}/output"))
    job = job_of(run(kit, 4))
    kit.wait_state(job, "delayed", *ENDED, seconds=seconds)
    s = kit.status(job)
    error = s.get("error") or {}
    check(s["state"] == "delayed" and error.get("name") == "UPLOAD_FAILED", f"{s['state']}: {error}")
    check(says in error["text"], error)
    left = [os.path.getsize(f"{folder}/{name}") for folder, _, files in os.walk(f"{disk.path}/incoming") for name in files]
    check(left == [2 * MIB], f"the part that had room is whole, and nothing else is there: {left}")
    check(len(objects(f"{disk.path}/output")) == before, "an output of a build that failed is there")
    disk.empty()
    succeeded(kit, job, attempt=2)
    succeeded(kit, job_of(run(kit, 2)))
    told = errors_told(kit, job)
    check(told == ["UPLOAD_FAILED"], f"errors told: {told}")
    return f"artifacts: UPLOAD_FAILED once ({error['text']}), then succeeded"


def workspace_full(kit):
    job = job_of(run(kit, 0))
    kit.wait_state(job, *ENDED)
    s = kit.status(job)
    check(s["state"] == "failed" and s["error"]["name"] == "WORKSPACE_FULL" and s["attempt"] == 1, s)
    told = errors_told(kit, job)
    check(told == ["WORKSPACE_FULL"], f"errors told: {told}")
    succeeded(kit, job_of(run(kit, 2)))
    return "workspace: WORKSPACE_FULL once, the next job succeeded"


def database_full(kit, disk):
    """The disk of the database: publishes are refused by name, what runs may end, and what was taken is kept."""
    job = job_of(run(kit, 2, "--delay", "2s"))
    disk.fill(leave=MIB)
    refused = kit.wait("a refusal", lambda: run(kit, 2, *SOON, ok=range(0, 128)).returncode or None, 20)
    error = run(kit, 2, *SOON, ok=range(1, 128)).stderr
    check("STORE_FULL" in error and "free space" in error, error)
    kit.wait_state(job, *ENDED)
    succeeded(kit, job)
    check(kit.broker.poll() is None, "the broker died")
    disk.empty()
    kit.wait("room", lambda: run(kit, 2, *SOON, ok=range(0, 128)).returncode == 0, 20)
    return f"database: STORE_FULL (exit {refused}) for publishes, a finish still went, room was seen again"


def disk_without_room(kit, disk):
    """Somebody else took the last byte. No database outlives that: the broker ends by its exit code, says why, and
    loses nothing that it acknowledged."""
    jobs = [job_of(run(kit, 2, "--hold")) for _ in range(20)]
    disk.fill(leave=0)
    gone = []
    while kit.broker.poll() is None and jobs[len(gone) :]:
        job = jobs[len(gone)]
        if kit.rota("cancel", job, *SOON, ok=range(128)).returncode:
            break
        gone.append(job)
    code = kit.broker.wait(20)
    with open(f"{kit.dir}/rotad.log") as log:
        last = log.readlines()[-1]
    check(code == 74 and "store.failed" in last and "ENOSPC" in last, f"exit {code}: {last}")
    disk.empty()
    kit.start(*kit.places)
    for job in jobs:
        state = kit.status(job)["state"]
        check(state == "cancelled" if job in gone else state in ("held", "cancelled"), f"{job}: {state}")
    kept = sum(kit.status(job)["state"] == "held" for job in jobs)
    return f"no byte left: exit 74 by ENOSPC; {kept} of 20 jobs held and {len(gone)} acknowledged cancels there afterwards"


def started(kit, store):
    os.chmod(kit.dir, 0o711)
    kit.start("--artifacts", store.path)
    kit.account("a", "enterprise")
    kit.worker("--workspace-bytes", str(64 * MIB), runner=kit.script("run", SCRIPT), boxed=True)


def bytes_alone():
    """What is too large for the disk is refused before it travels."""
    with Kit() as kit, Disk(f"{kit.dir}/store", 24) as store:
        started(kit, store)
        says = "the disk of the artifact store is full: no room for 2097152 bytes"
        print(artifacts_full(kit, store, lambda: store.fill(leave=3 * MIB), says, 60))


def test():
    with Kit() as kit, Disk(f"{kit.dir}/store", 24) as store, Disk(f"{kit.dir}/full", 160) as data:
        started(kit, store)
        print(artifacts_full(kit, store, lambda: store.fill_files(leave=3), "No space left on device", 30))
        print(workspace_full(kit))
        kit.stop()
        kit.run(["cp", "-a", f"{kit.dir}/data/.", data.path])
        kit.places = ("--artifacts", store.path, "--data", data.path)
        kit.start(*kit.places)
        print(database_full(kit, data))
        print(disk_without_room(kit, data))


if __name__ == "__main__":
    main(bytes_alone if sys.argv[1:] == ["bytes"] else test)
