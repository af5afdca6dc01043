#!/usr/bin/env python3
"""A whole build that no root had a hand in: broker, worker and command run as a user without any rights (uid 65534), the
sandboxes are made through the user namespaces of the kernel, and the sample app is built from nothing with npm, then
once more from what the first build left. What is downloaded verifies; nothing stays mounted and no process behind.
Needs the package registry (npm ci of the sample app).
"""
import ctypes
import json
import os
import subprocess
import time

from kit import Kit, check, main, program

APP = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "apps", "hello")
NOBODY, PR_SET_CHILD_SUBREAPER = 65534, 36
DROP = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "--no-new-privs"]


class Nobody(Kit):
    """A kit whose programs all belong to that user."""

    def __init__(self):
        super().__init__()
        os.chown(self.dir, NOBODY, NOBODY)
        for name in ("home", "runtime"):
            os.mkdir(f"{self.dir}/{name}", 0o700)
            os.chown(f"{self.dir}/{name}", NOBODY, NOBODY)
        os.environ.update(HOME=f"{self.dir}/home", XDG_RUNTIME_DIR=f"{self.dir}/runtime")
        for name in ("XDG_CACHE_HOME", "XDG_CONFIG_HOME", "NPM_CONFIG_USERCONFIG"):
            os.environ.pop(name, None)

    def run(self, argv, **more):
        return super().run(DROP + argv, **more)

    def spawn(self, argv, **more):
        return super().spawn(DROP + argv, cwd="/", **more)

    def start(self, *options, **more):
        return super().start(*options, wrap=DROP, **more)


def said(kit, name="w.log"):
    with open(f"{kit.dir}/{name}") as f:
        return f.read()


def started(kit):
    worker = kit.worker()
    kit.wait("the worker's start", lambda: "worker.start" in said(kit) or worker.poll() is not None)
    check(worker.poll() is None, said(kit))
    check(f"sandbox-uid={NOBODY}" in said(kit) and "user-namespace=own" in said(kit), said(kit))
    for pid in (worker.pid, kit.broker.pid):
        with open(f"/proc/{pid}/status") as f:
            status = dict(line.rstrip("\n").split(":\t", 1) for line in f if ":\t" in line)
        check(set(status["Uid"].split()) == {str(NOBODY)}, f"{pid} runs as {status['Uid']}")
        # What a worker may do in a namespace of its own is worth nothing outside.
        is_ours = os.readlink(f"/proc/{pid}/ns/user") == os.readlink("/proc/self/ns/user")
        check(is_ours == (pid == kit.broker.pid), f"{pid}: another user namespace than it should have")
        check(not is_ours or int(status["CapEff"], 16) == 0, f"{pid} has rights: {status['CapEff']}")
    return worker


def phases(kit, job):
    """The job's end, and how many seconds each phase took as its owner sees it."""
    seen = {}
    watch = kit.spawn([program("rota"), "watch", job, "--json"], stdout=subprocess.PIPE,
                      env={**os.environ, "ROTA_URL": kit.url, "ROTA_KEY_FILE": kit.key})
    for line in watch.stdout:
        state = json.loads(line)
        seen.setdefault(state.get("phase") or state["state"], time.monotonic())
    watch.wait()
    names = list(seen)
    return kit.status(job), " ".join(f"{a}={seen[b] - seen[a]:.1f}" for a, b in zip(names, names[1:]))


def build(kit, name, log_has):
    begun = time.monotonic()
    job = kit.rota("publish", "--app", "hello", "--platform", "android", "--source", f"dir:{APP}").stdout.split()[0]
    state, parts = phases(kit, job)
    took, log = time.monotonic() - begun, kit.rota("logs", job).stdout
    check(state["state"] == "succeeded" and state["attempt"] == 1, f"{state.get('error')}: {log[-3000:]}\n{said(kit)}")
    check(all(words in log for words in log_has), f"the log of the {name} build: {log}")
    kit.rota("download", job, "--out", f"{kit.dir}/{name}")
    verified = kit.rota("verify", f"{kit.dir}/{name}", "--public-key", f"{kit.dir}/data/keys/sign.pub").stdout
    check("signature ok" in verified, verified)
    print(f"{name}: {took:.1f} s ({parts})")
    return {a["kind"]: a["sha256"] for a in state["artifacts"]}


def children():
    """Whatever a program of this test left behind is a child of ours: we are its subreaper."""
    found = set()
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/stat") as f:
                if int(f.read().rpartition(")")[2].split()[1]) == os.getpid():
                    found.add(int(pid))
        except (FileNotFoundError, ProcessLookupError):
            pass
    return found


def test():
    check(os.geteuid() == 0, "this test gives up root's rights, so it must start with them")
    check(ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0, "no subreaper")
    with Nobody() as kit:
        kit.start()
        worker = started(kit)
        first = build(kit, "first", ["added 299 packages"])
        second = build(kit, "second", ["node_modules from the cache", "bytecode of this very bundle from the cache"])
        check(all(first[kind] == second[kind] for kind in ("bundle", "assets", "map")), f"{first}, {second}")
        worker.terminate()
        check(worker.wait(20) == 0, said(kit))
        check(children() == {kit.broker.pid}, f"processes are left: {children()}")
        with open("/proc/self/mountinfo") as f:
            check(kit.dir not in f.read(), "something is still mounted")
        print(f"uid {NOBODY}: the sample app from nothing and again, the same bundle, verified; nothing is left")


if __name__ == "__main__":
    main(test)
