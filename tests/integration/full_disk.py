#!/usr/bin/env python3
"""A full disk costs one clear error, and nothing once there is room again. Each disk is a small tmpfs of its own:
the artifacts', a workspace's, the database's. (The cache's is in bundle_full_disk.)
"""
import os
import subprocess

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
ENDED = ("succeeded", "failed", "dead")


class Disk:
    """A file system of `mib` MiB, filled and emptied by the test."""

    def __init__(self, path, mib):
        self.path = path
        os.makedirs(path, exist_ok=True)
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={mib}m,mode=0711", "rota-full-disk", path], check=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        subprocess.run(["umount", "-l", self.path], check=True)

    def fill(self, leave):
        """Until `leave` bytes are free."""
        st = os.statvfs(self.path)
        with open(f"{self.path}/ballast", "ab") as f:
            f.write(b"x" * max(0, st.f_bavail * st.f_frsize - leave))

    def empty(self):
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


def artifacts_full(kit, disk):
    """Outputs find no room: an infrastructure fault by its name, tried again by itself, and no half object stays."""
    succeeded(kit, job_of(run(kit, 2)))
    disk.fill(leave=3 * MIB)  # one part fits, two do not
    before = len(objects(f"{disk.path}/output"))
    job = job_of(run(kit, 4))
    kit.wait_state(job, "delayed", *ENDED)
    s = kit.status(job)
    error = s.get("error") or {}
    check(s["state"] == "delayed" and error.get("name") == "UPLOAD_FAILED", f"{s['state']}: {error}")
    check("No space left" in error["text"], error)
    left = [os.path.getsize(f"{folder}/{name}") for folder, _, files in os.walk(f"{disk.path}/incoming") for name in files]
    check(left in ([], [2 * MIB]), f"half objects stay: {left}")
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
    refused = kit.wait("a refusal", lambda: run(kit, 2, ok=range(0, 128)).returncode or None, 20)
    error = run(kit, 2, ok=range(1, 128)).stderr
    check("STORE_FULL" in error and "free space" in error, error)
    kit.wait_state(job, *ENDED)
    succeeded(kit, job)
    check(kit.broker.poll() is None, "the broker died")
    disk.empty()
    kit.wait("room", lambda: run(kit, 2, ok=range(0, 128)).returncode == 0, 20)
    return f"database: STORE_FULL (exit {refused}) for publishes, a finish still went, room was seen again"


def test():
    with Kit() as kit:
        os.chmod(kit.dir, 0o711)
        with Disk(f"{kit.dir}/store", 24) as store:
            kit.start("--artifacts", store.path)
            kit.account("a", "enterprise")
            kit.worker("--workspace-bytes", str(64 * MIB), runner=kit.script("run", SCRIPT), boxed=True)
            print(artifacts_full(kit, store))
            print(workspace_full(kit))
            kit.stop()
            with Disk(f"{kit.dir}/full", 160) as data:
                kit.run(["cp", "-a", f"{kit.dir}/data/.", data.path])
                kit.data = data.path
                kit.start("--artifacts", store.path, "--data", data.path)
                print(database_full(kit, data))
                kit.stop()


if __name__ == "__main__":
    main(test)
