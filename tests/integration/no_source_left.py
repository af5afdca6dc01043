#!/usr/bin/env python3
"""no_source_left.py [BUILDS]: no source is left behind, whichever way a build ends.

Why it matters: customers hand over what they live on. The broker, its command and its worker have all their folders on
one small file system of their own; the source lies elsewhere. Builds succeed, fail, are cancelled, run out of time, and
most are cut down with their worker by kill -9 at a random instant. Then the whole file system is read as bytes, with
all that was deleted, freed or never named, and so is whatever appeared in the common places for temporary files:
marks in the entry file, in a transformed module and in a package of the workspace must be nowhere but in what was
delivered, and the key of an ended job nowhere at all. The same search must find what is planted.

With 8 builds none is whole (no Metro runs); with more, six are.
"""
import hashlib
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

from kit import BUILD, Kit, check, main

APPS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "apps")
FORMS = os.path.join(BUILD, "tests/integration/source_forms")
IMAGE_BYTES, PIECE_BYTES, GONE_S = 3 << 30, 32, 2.0
COMMON = ("/tmp", "/var/tmp", "/dev/shm", "/run", "/var/cache/rota")
ENDED = ("succeeded", "failed", "timed_out", "cancelled", "dead")


def forms(*argv):
    return subprocess.run([FORMS, *argv], check=True, capture_output=True, text=True).stdout


class Disk:
    """A file system in a file, so that every byte of it can be read. Without a loop device nothing of what was deleted
    could be looked at, which is what this test is for: it fails then."""

    def __init__(self):
        self.top = tempfile.mkdtemp(prefix="rota-s2-")
        self.image, self.folder = f"{self.top}/image", f"{self.top}/disk"
        os.mkdir(self.folder)
        with open(self.image, "wb") as f:
            f.truncate(IMAGE_BYTES)

    def make(self):
        subprocess.run(["mkfs.ext4", "-q", "-E", "lazy_itable_init=1,nodiscard", self.image], check=True)
        self.mount()

    def mount(self):
        done = subprocess.run(["mount", "-o", "loop,nodiscard", self.image, self.folder], capture_output=True, text=True)
        check(done.returncode == 0, "no loop device can be mounted here, so the bytes of deleted files cannot be looked at: "
              f"run this as root on a machine that has one ({done.stderr.strip()})")

    def write_through(self):
        """From now on each write is on the disk at once: also that to a file which is gone a moment later."""
        subprocess.run(["mount", "-o", "remount,sync", self.folder], check=True)

    def unmount(self):
        subprocess.run(["umount", self.folder], check=True)

    def remove(self):
        subprocess.run(["umount", self.folder], capture_output=True)
        shutil.rmtree(self.top, ignore_errors=True)


class Source:
    """The sample app in a workspace, marked; each edition has another archive, and so another key."""

    def __init__(self, folder):
        self.app, self.scratch = f"{folder}/app", f"{folder}/scratch"
        os.mkdir(self.scratch)
        token = os.urandom(12).hex()
        self.marks = {}
        skip = shutil.ignore_patterns("node_modules")
        shutil.copytree(f"{APPS}/workspace", self.app, ignore=skip)
        mobile = f"{self.app}/apps/mobile"
        for name in ("src", "assets", "app.json", "babel.config.js", "tsconfig.json"):
            path = f"{APPS}/hello/{name}"
            (shutil.copytree if os.path.isdir(path) else shutil.copy)(path, f"{mobile}/{name}")
        self.entry = f"{mobile}/index.js"
        self.mark("module", f"{mobile}/src/secret.ts", "export const secret: string = {0!r};\n", token)
        self.mark("entry", self.entry, "import {{secret}} from './src/secret';\nconsole.log({0!r}, secret);\n", token)
        self.mark("package", f"{self.app}/packages/shared/index.js", "console.log({0!r});\n", token)
        self.text = open(self.entry).read()
        self.lock = open(f"{self.app}/package-lock.json").read()

    def mark(self, name, path, code, token):
        said, coded = f"mark-{token}-{name}-comment", f"mark-{token}-{name}-code"
        self.marks.update({f"{name}-comment": said, f"{name}-code": coded})
        had = open(path).read() if os.path.exists(path) else ""
        with open(path, "w") as f:
            f.write(f"// {said}\n{had}\n{code.format(coded)}")

    def edition(self, n, breaks=None):
        """Writes edition n, and tells the key and some pieces of its archive."""
        with open(self.entry, "w") as f:
            f.write(self.text + f"// edition {n} {os.urandom(8).hex()}\n")
            f.write("import './src/broken';\n" if breaks == "module" else "")
        with open(f"{self.app}/apps/mobile/src/broken.js", "w") as f:
            f.write("import './nowhere';\n")
        with open(f"{self.app}/package-lock.json", "w") as f:
            f.write(re.sub(r'"integrity": "[^"]*",', "", self.lock, 1) if breaks == "lock" else self.lock)

    def key(self, key_file):
        plain, sealed = f"{self.scratch}/plain", f"{self.scratch}/sealed"
        forms("pack", self.app, plain)
        key = forms("seal", key_file, plain, sealed).strip()
        with open(plain, "rb") as f:
            archive = f.read()
        with open(sealed, "rb") as f:
            name = hashlib.sha256(f.read()).hexdigest()
        at = [len(archive) * i // 5 for i in (1, 2, 3, 4)]
        return key, name, [archive[i:i + PIECE_BYTES] for i in at]


class Builds:
    def __init__(self, kit, source, home):
        self.kit, self.source, self.home = kit, source, home
        self.keys, self.pieces, self.jobs, self.killed = {}, {}, [], 0
        self.ends = {}
        self.slowest, self.seen = 0.0, 0

    def publish(self, platform, *options, breaks=None, same=False):
        if not same:
            self.source.edition(len(self.jobs), breaks)
        key, name, pieces = self.source.key(self.kit.key)
        done = self.kit.rota("publish", "--app", "marked", "--platform", platform, "--source", f"dir:{self.source.app}",
                             "--spec", json.dumps({"root": "apps/mobile"}), *options, env={"TMPDIR": f"{self.home}/tmp"})
        job = done.stdout.split()[0]
        check(self.kit.status(job)["source"] == f"upload:{name}", "the same archive is sealed to the same object")
        self.keys[f"key-{len(self.jobs)}"] = bytes.fromhex(key)
        self.pieces.update({f"archive-{len(self.jobs)}-{i}": p for i, p in enumerate(pieces)})
        self.jobs.append(job)
        return job

    def worker(self, slots=1):
        return self.kit.worker("--cache-dir", f"{self.home}/cache", slots=slots, name=f"w{len(self.jobs)}",
                               env={"TMPDIR": f"{self.home}/tmp", "HOME": f"{self.home}/home", "XDG_RUNTIME_DIR": ""})

    def ended(self, job, *states, seconds=400):
        self.kit.wait_state(job, *ENDED, seconds=seconds)
        s = self.kit.status(job)
        self.ends[s["state"]] = self.ends.get(s["state"], 0) + 1
        check(s["state"] in states, f"{job}: {s['state']}, not {states}: {s.get('error')}\n"
              f"{self.kit.rota('logs', job, ok=(0, 1, 69)).stdout[-1500:]}")
        return s

    def in_phase(self, job, *phases, seconds=300):
        self.kit.wait(f"{job} in {phases}", lambda: self.kit.status(job).get("phase") in phases or
                      self.kit.status(job)["state"] in ENDED, seconds)

    # ---- the ways to end ----

    def refused(self):
        return self.ended(self.publish("android", breaks="lock"), "failed")

    def out_of_time(self):
        return self.ended(self.publish("ios", "--timeout-ms", "1500"), "timed_out")

    def cancelled(self, phase):
        job = self.publish("android")
        self.in_phase(job, phase)
        self.kit.rota("cancel", job)
        return self.ended(job, "cancelled")

    def object_gone(self):
        """Taken away under a job that waits."""
        job = self.publish("ios", "--hold")
        stored = f"{self.kit.dir}/data/artifacts/source/local/{self.kit.status(job)['source'][7:]}"
        os.unlink(stored)
        self.kit.rota("release", job)
        s = self.ended(job, "failed")
        check(s["error"]["name"] == "SOURCE_GONE", str(s["error"]))

    def broken_module(self, platform):
        s = self.ended(self.publish(platform, breaks="module"), "failed")
        check("nowhere" in s["error"]["text"], str(s["error"]))

    def succeeds(self, platform):
        self.ended(self.publish(platform), "succeeded")

    def cut_down(self, rng, within_s):
        """Both slots busy, kill -9 at a random instant; the kernel takes everything that ran for them."""
        worker = self.worker(slots=2)
        jobs = [self.publish("android"), self.publish("ios", same=True)]
        self.kit.wait("both jobs leased", lambda: all(self.kit.status(j)["state"] != "ready" for j in jobs), 60)
        time.sleep(rng.random() * within_s)  # the random instant
        self.seen += sum(has_no_core(pid) for pid in builders())
        worker.send_signal(signal.SIGKILL)
        worker.wait()
        began = time.monotonic()
        self.kit.wait("the builds' processes to go", lambda: not builders(), GONE_S)
        self.slowest = max(self.slowest, time.monotonic() - began)
        for job in jobs:
            self.kit.rota("cancel", job, ok=(0, 1))
        for job in jobs:
            self.ended(job, *ENDED, seconds=60)
        self.killed += 2


def builders():
    """Processes that see a build's own tmpfs."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/mountinfo") as f:
                if os.readlink(f"/proc/{pid}/ns/mnt") != os.readlink("/proc/self/ns/mnt") and " rota-job " in f.read():
                    found.append(int(pid))
        except OSError:
            continue
    return [p for p in found if is_ours(p)]


def has_no_core(pid):
    """1 when the process is there; it may leave no core dump, neither in a file nor through a pipe."""
    try:
        with open(f"/proc/{pid}/limits") as f:
            limit = next(line.split() for line in f if line.startswith("Max core file size"))
    except (OSError, StopIteration):
        return 0
    check(limit[4:6] == ["1", "1"], f"core dumps of a build's process: {limit}")
    return 1


def is_ours(pid):
    """Started below this test: others on the machine have builds of their own."""
    while pid > 1:
        if pid == os.getpid():
            return True
        try:
            with open(f"/proc/{pid}/stat") as f:
                pid = int(f.read().rsplit(")", 1)[1].split()[1])
        except (OSError, ValueError):
            return False
    return False


# ---- looking ----

class Search:
    def __init__(self, folder, patterns):
        self.folder, self.files, self.bytes = folder, 0, 0
        with open(f"{folder}/patterns", "w") as f:
            for name, value in patterns.items():
                f.write(f"{name} {value.hex()}\n")

    def look(self, paths):
        with open(f"{self.folder}/paths", "w") as f:
            f.writelines(p + "\n" for p in paths)
        lines = forms("find", f"{self.folder}/patterns", f"{self.folder}/paths").splitlines()
        files, read = map(int, lines[-1].split())
        self.files, self.bytes = self.files + files, self.bytes + read
        return lines[:-1]


def files_of(top, since=None, without=()):
    for folder, names, files in os.walk(top):
        names[:] = [n for n in names if not any(os.path.join(folder, n).startswith(w) for w in without)]
        for name in files:
            path = os.path.join(folder, name)
            try:
                if "\n" not in path and (since is None or os.lstat(path).st_ctime >= since):
                    yield path
            except OSError:
                continue


def patterns_of(builds):
    found = {n: t.encode() for n, t in builds.source.marks.items()}
    found.update({f"{n}-wide": t.encode("utf-16-le")[:120] for n, t in builds.source.marks.items()})
    return {**found, **builds.keys, **builds.pieces}


def delivered(builds):
    """What the succeeded builds gave their owner."""
    top = f"{builds.kit.dir}/data/artifacts"
    for job in builds.jobs:
        for a in builds.kit.status(job).get("artifacts") or []:
            for kind in os.listdir(top):
                path = f"{top}/{kind}/local/{a['sha256']}"
                if os.path.exists(path):
                    yield path


def blank(path):
    """Over its own blocks, so that whatever else has its bytes stands out."""
    with open(path, "r+b") as f:
        f.write(bytes(os.path.getsize(path)))
        os.fsync(f.fileno())


def worker_root(worker):
    """The agent's own view of where builds live, after its builds."""
    top = f"/proc/{worker.pid}/root"
    places = [f"{top}/run/rota-worker", f"{top}/tmp/rota-worker-{os.geteuid()}"]
    return [p for place in places if os.path.isdir(place) for p in files_of(place)
            if os.lstat(p).st_dev == os.lstat(place).st_dev]


def planted(disk, search, value):
    """A file that was written and deleted, and one in a common place: the search must see both."""
    disk.mount()
    path = f"{disk.folder}/planted"
    with open(path, "wb") as f:
        f.write(b"x" * 5000 + value)
        os.fsync(f.fileno())
    os.unlink(path)
    disk.unmount()
    hits = int(bool(search.look([disk.image])))
    with tempfile.NamedTemporaryFile(dir="/dev/shm") as f:
        f.write(value)
        f.flush()
        hits += bool(search.look(files_of("/dev/shm", time.time() - 5)))
    return hits


def run(builds, disk, n):
    rng = random.Random(int.from_bytes(os.urandom(4), "big"))
    kit = builds.kit
    kit.start("--lease-ms", "15000")
    worker = builds.worker()
    if n > 8:
        builds.succeeds("android")
        builds.succeeds("ios")
        builds.broken_module("android")
        builds.broken_module("ios")
        builds.cancelled("bundle")
        builds.out_of_time()
    else:
        disk.write_through()
        builds.refused()
        builds.object_gone()
        builds.cancelled("install")
        builds.out_of_time()
    inside = Search(builds.source.scratch, patterns_of(builds)).look(worker_root(worker))
    check(not builders(), "processes of builds that have ended")
    worker.terminate()
    worker.wait(60)
    kit.stop()
    disk.write_through()
    kit.start("--lease-ms", "1500")
    while len(builds.jobs) < n:
        builds.cut_down(rng, 1.0 if n <= 8 else 6.0)
    return inside


def test():
    n = int(sys.argv[1]) if len(sys.argv) > 1 else 8
    started = time.time()
    disk = Disk()
    apart = tempfile.mkdtemp(prefix="rota-s2-source-", dir="/dev/shm")
    try:
        disk.make()
        tempfile.tempdir = disk.folder
        kit = Kit()
        tempfile.tempdir = None
        with kit:
            for name in ("tmp", "home", "cache"):
                os.mkdir(f"{disk.folder}/{name}")
            builds = Builds(kit, Source(apart), disk.folder)
            inside = run(builds, disk, n)
            check(not inside, f"left in the worker's own root: {inside}")
            shutil.copytree(f"{kit.dir}/data", f"{apart}/copy", ignore=shutil.ignore_patterns("artifacts"))
            search = Search(apart, patterns_of(builds))
            for path in set(delivered(builds)):
                blank(path)
            hits = search.look(files_of(disk.folder))
            hits += search.look(files_of(f"{apart}/copy"))
            for place in COMMON:
                hits += search.look(files_of(place, started, (disk.top, "/dev/shm/rota-s2-")))
            kit.stop()
            disk.unmount()
            hits += search.look([disk.image])
            disk.mount()
        files, size = search.files, search.bytes
        keys = [h for h in hits if h.startswith("key-")]
        disk.unmount()
        seen = planted(disk, search, next(iter(builds.source.marks.values())).encode())
        ends = ", ".join(f"{v} {k}" for k, v in sorted(builds.ends.items()))
        print(f"{len(builds.jobs)} builds ({builds.killed} killed), mark in {len(hits) - len(keys)} of {files} files "
              f"({size >> 20} MiB, deleted blocks too), key bytes in {len(keys)} places")
        print(f"ends: {ends}; {builds.seen} processes of killed workers' builds, gone in {builds.slowest:.2f} s; "
              f"{seen} of 2 planted marks found")
        check(builds.seen, "no build was running when its worker was killed")
        places = sorted({(h.split("-")[0], h.split(" ", 2)[2]) for h in hits})
        check(not hits, f"{len(hits)} hits: " + "; ".join(f"{what} in {path}" for what, path in places[:20]))
        check(seen == 2, "the search does not find what is there")
    finally:
        disk.remove()
        shutil.rmtree(apart, ignore_errors=True)


main(test)
