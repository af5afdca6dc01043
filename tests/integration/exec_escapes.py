#!/usr/bin/env python3
"""What a hostile program or job tries from within the sandbox of an exec runner: the quiet attempts of
tests/apps/hostile/escape, then what it may lay among its outputs. Baits lie about on the host; after all of it they
are as they were.
"""
import ctypes
import json
import os
import secrets
import shutil
import socket
import subprocess

from kit import Kit, check, main

HOSTILE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "apps", "hostile", "escape")
# What escape.py needs beside it; of its attempts boxed.py replaces two, and adds its own.
PARTS = ("escape.py", "rig.py", "by_mounts.py", "by_namespaces.py", "by_filter.py", "by_limits.py")
ATTEMPTS = sum(open(f"{HOSTILE}/{name}").read().count("\n@attempt(") for name in (*PARTS, "boxed.py")) - 2
IPC_RMID = 0
# Each way to have the agent deliver what is not the job's: one shell line.
LAYS = {
    "link to a file of the host": "ln -s {host_file} /w/out/x",
    "link to the agent's key": "ln -s {key_file} /w/out/x",
    "link to a folder": "ln -s / /w/out/x",
    "link to itself": "ln -s x /w/out/x",
    "link into its own workspace": "echo a > /w/app/a; ln -s ../app/a /w/out/x",
    "link by way of /proc": "ln -s /proc/self/fd/0 /w/out/x",
    "pipe": "mkfifo /w/out/x",
    "socket": "python3 -c 'import socket; socket.socket(socket.AF_UNIX).bind(\"/w/out/x\")'",
    "folder": "mkdir /w/out/x",
    "name that climbs": "echo a > '/w/out/..x y'",
    "name that is an option": "echo a > /w/out/-rf",
    "name with an escape sequence": "echo a > \"/w/out/$(printf '\\033]0;x\\007')\"",
}


class Baits:
    """What lies about, all of it marked by one canary."""

    def __init__(self, kit):
        self.canary = secrets.token_hex(16)
        self.file = f"{kit.dir}/canary"
        with open(self.file, "w") as f:
            f.write(self.canary)
        os.chmod(self.file, 0o644)
        self.tcp = socket.create_server(("0.0.0.0", 0))
        self.abstract = self.listen("\0rota-escape-" + self.canary[:16])
        self.socket_file = f"{kit.dir}/bait"
        self.unix = self.listen(self.socket_file)
        os.chmod(self.socket_file, 0o777)
        self.process = subprocess.Popen(["sleep", "600"], env={"SECRET": self.canary})
        self.posix_shm = f"/dev/shm/rota-escape-{self.canary[:16]}"
        shutil.copy(self.file, self.posix_shm)
        self.key = 0x07A00000 | (os.getpid() & 0xFFFFF)
        self.libc = ctypes.CDLL(None)
        self.shm = self.libc.shmget(self.key, 4096, 0o1666)
        check(self.shm >= 0, "no SysV memory")

    @staticmethod
    def listen(address):
        s = socket.socket(socket.AF_UNIX)
        s.bind(address)
        s.listen(8)
        return s

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.libc.shmctl(self.shm, IPC_RMID, None)
        os.unlink(self.posix_shm)

    def are_whole(self):
        check(self.process.poll() is None, "the host's process was ended")
        check(open(self.file).read() == self.canary, "the host's file was changed")
        for s in (self.tcp, self.abstract, self.unix):
            s.setblocking(False)
            try:
                s.accept()
            except BlockingIOError:
                continue
            check(False, f"somebody connected to {s.getsockname()}")

    def params(self, kit, worker):
        return {"yranac": self.canary[::-1], "host_file": self.file, "other_job": "/run/rota-worker/slot-0/app/canary",
                "host_pid": self.process.pid, "port": self.tcp.getsockname()[1],
                "abstract": "rota-escape-" + self.canary[:16], "socket_file": self.socket_file,
                "posix_shm": self.posix_shm, "shm_key": self.key, "fsize": 1 << 30, "agent_pid": worker.pid,
                "key_file": kit.key, "cache": f"{kit.dir}/cache", "broker": f"{kit.dir}/sock",
                "database": f"{kit.dir}/data/data.mdb", "artifacts": f"{kit.dir}/data/artifacts"}


def ended(kit, job):
    kit.wait_state(job, "succeeded", "failed", "dead", "timed_out", seconds=120)
    return kit.status(job)


def other_job(kit, baits):
    """Runs beside the attempts, in the worker's other slot."""
    job = kit.publish("--spec", json.dumps({"bait": baits.canary}), account="a")
    kit.wait("the other job's bait", lambda: "laid" in kit.rota("logs", job).stdout)
    return job


def attempts(kit, baits, worker, app):
    other = other_job(kit, baits)
    job = kit.publish("--spec", json.dumps(baits.params(kit, worker)), "--app", app, account="a")
    s = ended(kit, job)
    log = kit.rota("logs", job).stdout
    check(s["state"] == "succeeded", f"{s.get('error')}\n{log[-2000:]}")
    refused = [line for line in log.splitlines() if line.startswith("refused ")]
    worked = [line for line in log.splitlines() if line.startswith("worked ")]
    check(not worked, "\n".join(worked))
    check(f"attempts {ATTEMPTS}\n" in log and len(refused) == ATTEMPTS, f"{len(refused)} answers\n{log[-600:]}")
    check(not any("no answer" in line for line in refused), [line for line in refused if "no answer" in line])
    check(not s.get("artifacts"), s.get("artifacts"))
    check(kit.status(other)["state"] == "leased", "the other job was ended")
    kit.rota("cancel", other)
    return len(refused)


def lays(kit, places):
    for name, line in LAYS.items():
        s = ended(kit, kit.publish("--class", "lay", "--spec", json.dumps({"line": line.format(**places)}), account="a"))
        check(s["state"] == "failed" and s["error"]["name"] == "OUTPUTS_INVALID", f"{name}: {s['state']} {s.get('error')}")
        check("\x1b" not in s["error"]["text"], s["error"])
    stored = [f for _, _, files in os.walk(f"{kit.dir}/data/artifacts/output") for f in files]
    check(not stored, stored)
    return len(LAYS)


def test():
    with Kit() as kit:
        os.chmod(kit.dir, 0o755)
        kit.start()
        kit.account("a", "free", "--running", "4")
        kit.rota("app", "create", "hostile", "--account", "a")
        with open(f"{kit.dir}/token", "w") as f:
            f.write("its own secret")
        kit.rota("var", "set", "TOKEN", "--app", "hostile", "--secret", "--value-file", f"{kit.dir}/token", "--account", "a")
        for name in (*PARTS, "boxed.py"):
            shutil.copy(f"{HOSTILE}/{name}", f"{kit.dir}/{name}")
            os.chmod(f"{kit.dir}/{name}", 0o755)
        may_read = [word for name in PARTS for word in ("--exec-read", f"{kit.dir}/{name}")]
        worker = kit.worker(*may_read, "--workspace-bytes", str(64 << 20),
                            runner=f"{kit.dir}/boxed.py", slots=2, boxed=True)
        lay = kit.script("lay", "#!/bin/sh\npython3 -c 'import json, sys; print(json.load(sys.stdin)[\"line\"])' > /w/tmp/line\n"
                         ". /w/tmp/line\n")
        kit.worker("--class", "lay", "--workspace-bytes", str(64 << 20), name="lay", runner=lay, boxed=True)
        with Baits(kit) as baits:
            n = attempts(kit, baits, worker, "hostile")
            n += lays(kit, baits.params(kit, worker))
            baits.are_whole()
            check(worker.poll() is None, "the agent was ended")
        print(f"{n} of {n} escapes from an exec runner refused ({ATTEMPTS} attempts, {len(LAYS)} outputs)")


if __name__ == "__main__":
    main(test)
