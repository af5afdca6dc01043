"""worker_memory.py shows that the agent itself stays small while it builds real apps: whatever is large (sources,
package managers, node_modules, bundles, maps, logs) lies in the builds' own memory or passes in pieces. Two slots, both
platforms at once: a source of 20 MB with an empty cache, then with a filled one under a bundler that prints 20 MB; then
over tcp with the objects in a bucket behind TLS, where two slots read the machine's authorities at once. What the
kernel counted at most (VmHWM) decides, from the agent's first line on; what each phase had is printed.

The authority of the bucket is trusted in a namespace of mounts of the test's own: needs root, and the package registry
(npm ci of the sample app).
"""
import json
import os
import shutil
import socket
import subprocess
import sys
import threading
import time

import s3_fake
from authority import MACHINE, Authority
from kit import Kit, check, main
from tls_front import Front

APP = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "apps", "hello")
PEAK_KIB_MAX = 16 * 1024
SOURCE_MIB, MANAGER_MIB, PRINTED_BYTES_MIN = 20, 24, 2 << 20
PRINTS = "\nfor (let i = 0; i < 200000; i++) console.log(String(i).padStart(100, '.'));\n"
ENDS = ("succeeded", "failed", "dead", "timed_out", "cancelled")


class Meter(threading.Thread):
    """Looks at the agent a hundred times a second. The kernel's own peak counts; the rest says where it was."""

    def __init__(self, kit, name, **more):
        super().__init__(daemon=True)
        self.pid = kit.worker(name=name, slots=2, **more).pid
        self.most, self.phases, self.by_phase, self.is_over = 0, (), {}, False

    def look(self):
        """0: it has ended."""
        try:
            with open(f"/proc/{self.pid}/status") as f:
                row = {line.split(":")[0]: int(line.split()[1]) for line in f if line.startswith(("VmHWM", "VmRSS"))}
        except OSError:
            return 0
        self.most = max(self.most, *row.values(), 0)  # the kernel brings its peak up to date when pages go
        return row.get("VmRSS", 0)

    def run(self):
        while not self.is_over and (kib := self.look()):
            for phase in self.phases:
                self.by_phase[phase] = max(self.by_phase.get(phase, 0), kib)
            time.sleep(0.01)

    def end(self):
        self.is_over = True
        self.join()
        check(self.look(), "the agent has ended before its time")


def hold(meter, what):
    said = f"{what}: the agent's peak is {meter.most} KiB, less than {PEAK_KIB_MAX} are allowed"
    check(meter.most < PEAK_KIB_MAX, said)
    print(said, flush=True)


def build(kit, meter, what, source):
    """An Android and an iOS build at once."""
    jobs = [kit.rota("publish", "--app", "hello", "--platform", platform, "--source", f"dir:{source}",
                     "--idempotency-key", f"{platform} {what}").stdout.split()[0] for platform in ("android", "ios")]
    end = time.monotonic() + 400
    rows = []
    while time.monotonic() < end and not (rows and all(row["state"] in ENDS for row in rows)):
        rows = [kit.status(job) for job in jobs]
        meter.phases = {row.get("phase") or "between" for row in rows}
        time.sleep(0.5)
    for row in rows:
        check(row["state"] == "succeeded", f"{what}: {row['state']}: {row.get('error')}")
    hold(meter, what)
    return jobs


def started(kit, meter, name):
    def line():
        with open(f"{kit.dir}/{name}.log") as f:
            text = f.read()
        return text if "worker.start" in text else None
    text = kit.wait("the worker to start", line)
    check("yarn-4.99.0" in text, f"the large package manager was not looked at:\n{text}")
    meter.start()
    print(f"{name}: {meter.look()} KiB when idle")
    hold(meter, "the start")


def managers(kit):
    """A package manager that is larger than the agent may be: it is hashed at the start, and here never run."""
    package = f"{kit.dir}/managers/yarn-4/node_modules/@yarnpkg/cli-dist"
    os.makedirs(f"{package}/bin")
    with open(f"{package}/package.json", "w") as f:
        json.dump({"name": "@yarnpkg/cli-dist", "version": "4.99.0"}, f)
    with open(f"{package}/bin/yarn.js", "wb") as f:
        f.write(os.urandom(MANAGER_MIB << 20))
    return f"{kit.dir}/managers"


def large(kit):
    shutil.copytree(APP, f"{kit.dir}/large", ignore=shutil.ignore_patterns("node_modules"))
    with open(f"{kit.dir}/large/data.bin", "wb") as f:
        f.write(os.urandom(SOURCE_MIB << 20))
    return f"{kit.dir}/large"


def chatty(kit):
    shutil.copytree(APP, f"{kit.dir}/chatty", ignore=shutil.ignore_patterns("node_modules"))
    with open(f"{kit.dir}/chatty/metro.config.js", "a") as f:
        f.write(PRINTS)
    return f"{kit.dir}/chatty"


def judge(meter, where):
    meter.end()
    phases = ", ".join(f"{phase} {kib}" for phase, kib in sorted(meter.by_phase.items(), key=lambda row: -row[1]))
    print(f"{where}, by phase, in KiB: {phases}")
    hold(meter, where)


def in_folders():
    with Kit() as kit:
        kit.start()
        meter = Meter(kit, "folders", env={"ROTA_MANAGERS": managers(kit)})
        started(kit, meter, "folders")
        build(kit, meter, f"source of {SOURCE_MIB} MiB, empty cache", large(kit))
        job = build(kit, meter, "filled cache, chatty bundler", chatty(kit))[0]
        printed = len(kit.rota("logs", job).stdout)
        check(printed > PRINTED_BYTES_MIN, f"the bundler was to print much, the log has {printed} bytes")
        judge(meter, "ipc, objects in folders")


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def in_bucket():
    with Kit() as kit, s3_fake.Fake() as s3:
        own = Authority(kit.dir, "own-ca")
        subprocess.run(["mount", "--bind", own.trusted_by_machine(f"{kit.dir}/trusted"), MACHINE], check=True)
        with open(f"{kit.dir}/credentials", "w") as f:
            os.fchmod(f.fileno(), 0o600)
            f.write("test\nnothing-that-is-checked\n")
        with Front(*own.issue("server"), port=s3.port) as front:
            kit.extra = ["--artifacts", "s3://rota-test/memory", "--s3-endpoint", front.url, "--s3-credentials",
                         f"{kit.dir}/credentials", "--listen", f"tcp://127.0.0.1:{free_port()}"]
            kit.start()
            kit.url = kit.extra[-1]
            meter = Meter(kit, "bucket", env={"ROTA_MANAGERS": managers(kit)})
            started(kit, meter, "bucket")
            build(kit, meter, f"source of {SOURCE_MIB} MiB from a bucket", large(kit))
            check(front.opened > 8, f"only {front.opened} connections went over TLS")
            judge(meter, "tcp, objects behind TLS")


def test():
    in_folders()
    in_bucket()


if __name__ == "__main__":
    if sys.argv[1:] != ["inside"]:
        os.execvp("unshare", ["unshare", "--mount", "--propagation", "private", sys.executable, __file__, "inside"])
    main(test)
