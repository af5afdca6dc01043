#!/usr/bin/env python3
"""A full disk costs one clear error, and nothing once there is room again. Each disk is a small tmpfs of its own:
the artifacts', a workspace's, the database's. (The cache's is in bundle_full_disk.)

    full_disk.py           no room for another file among the artifacts, a full workspace, a full database
    full_disk.py bytes     no room for the bytes of an artifact (its upload is asked for again for half a minute)
"""
import fcntl
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


# Waits for a lock that the test holds, then ends.
GATED = """#!/bin/sh
cat > /dev/null
exec flock --shared --timeout 120 GATE true
"""
RUNNING = 4


def told(kit, what):
    """The broker's lines with this id."""
    with open(f"{kit.dir}/rotad.log") as log:
        return [line for line in log if f" {what} " in line]


def refusal(kit):
    done = run(kit, 0, *SOON, ok=range(128))
    return done.returncode and done.stderr


def no_byte_is_free(disk):
    st = os.statvfs(disk.path)
    check(st.f_bavail == 0, f"{st.f_bavail * st.f_frsize} bytes are free")


def work_goes_on(kit, disk, jobs, held, gate):
    """On a disk without a byte: publishes are refused by name, what is there runs, ends and is cancelled."""
    error = kit.wait("a refusal", lambda: refusal(kit), 20)
    check("STORE_FULL" in error and "free space" in error, error)
    for job in held[::2]:
        kit.rota("cancel", job)
    fcntl.flock(gate, fcntl.LOCK_UN)
    for job in jobs:
        succeeded(kit, job)
    no_byte_is_free(disk)
    check(kit.broker.poll() is None, "the broker died")


def all_is_there(kit, jobs, held):
    states = [kit.status(job)["state"] for job in jobs + held]
    expected = ["succeeded"] * len(jobs) + ["cancelled", "held"] * (len(held) // 2)
    check(states == expected, states)


def disk_without_room(kit, disk):
    """Somebody else took the last byte, while jobs run and more wait. Then the broker is killed, and started there."""
    with open(kit.gate, "w") as gate:
        fcntl.flock(gate, fcntl.LOCK_EX)
        held = [job_of(run(kit, 0, "--hold")) for _ in range(20)]
        jobs = [job_of(run(kit, 0)) for _ in range(3 * RUNNING)]
        for job in jobs[:RUNNING]:
            kit.wait_state(job, "leased")
        disk.fill(leave=0)
        work_goes_on(kit, disk, jobs, held, gate)
    all_is_there(kit, jobs, held)
    kit.kill()
    kit.start(*kit.places)
    all_is_there(kit, jobs, held)
    check("STORE_FULL" in kit.wait("a refusal", lambda: refusal(kit), 20), "another refusal")
    kit.rota("cancel", held[1])
    disk.empty()
    kit.wait("room", lambda: not refusal(kit), 20)
    for job in held[3::2]:
        kit.rota("release", job)
        succeeded(kit, job)
    check(len(told(kit, "store.full")) == 2 and len(told(kit, "store.has_room")) == 1, "one line a change")
    check(not told(kit, "store.failed") and kit.stop() == 0, "the broker died")
    return f"no byte left: {len(jobs)} jobs ran to their end, 10 cancels taken, publishes refused, 0 lost"


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
    with Kit() as kit, Disk(f"{kit.dir}/full", 160) as data:
        kit.run(["cp", "-a", f"{kit.dir}/data/.", data.path])
        kit.gate = f"{kit.dir}/gate"
        kit.places = ("--artifacts", f"{kit.dir}/store", "--data", data.path)
        kit.start(*kit.places)
        kit.account("a", "enterprise")
        kit.worker(slots=RUNNING, runner=kit.script("run", GATED.replace("GATE", kit.gate)))
        print(disk_without_room(kit, data))


if __name__ == "__main__":
    main(bytes_alone if sys.argv[1:] == ["bytes"] else test)
