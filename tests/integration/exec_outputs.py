#!/usr/bin/env python3
"""What a sandboxed runner leaves in /w/out is the job's output: private, fetched once, then gone. And the example of
docs/examples/rootfs, run as its page says.

    exec_outputs.py          outputs
    exec_outputs.py rootfs   the example (needs apt's sources)
"""
import hashlib
import os
import shutil
import sys
import tarfile

from kit import Kit, check, main

TOP = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
EXAMPLE = os.path.join(TOP, "docs", "examples", "rootfs")
SCRIPT = """#!/bin/sh
case $(cat) in
*two*) echo first > /w/out/one.txt; head -c 100000 /dev/urandom > /w/out/two.bin; sha256sum /w/out/two.bin ;;
*link*) ln -s /etc/passwd /w/out/passwd ;;
*folder*) mkdir /w/out/folder ;;
*pipe*) mkfifo /w/out/pipe ;;
*many*) for i in 1 2 3 4 5; do echo $i > /w/out/$i; done ;;
*name*) echo x > "/w/out/a b" ;;
*failed*) echo x > /w/out/x; exit 1 ;;
esac
"""


def ended(kit, job, seconds=60):
    kit.wait_state(job, "succeeded", "failed", "dead", seconds=seconds)
    return kit.status(job)


def run(kit, what, account="a"):
    return ended(kit, kit.publish("--spec", '{"do":"%s"}' % what, account=account))


def stored(kit):
    return [f for _, _, files in os.walk(f"{kit.dir}/data/artifacts/output") for f in files]


def delivered(kit):
    s = run(kit, "two")
    check(s["state"] == "succeeded", s.get("error"))
    check([a["name"] for a in s["artifacts"]] == ["one.txt", "two.bin"], s["artifacts"])
    check(all(a["kind"] == "output" for a in s["artifacts"]), s["artifacts"])
    log = kit.rota("logs", s["job"]).stdout
    check(len(stored(kit)) == 2, stored(kit))
    out = f"{kit.dir}/fetched"
    kit.rota("download", s["job"], "--out", out)
    with open(f"{out}/two.bin", "rb") as f:
        digest = hashlib.sha256(f.read()).hexdigest()
    check(digest in log, f"{digest} is not what the runner made: {log}")
    check(open(f"{out}/one.txt").read() == "first\n", "one.txt")
    kit.wait("the outputs to go", lambda: not stored(kit))
    again = kit.rota("download", s["job"], "--out", f"{kit.dir}/again", ok=range(1, 128))
    check("OBJECT" in again.stderr, again.stderr)


def refused(kit):
    bad = ("link", "folder", "pipe", "many", "name")
    for what in bad:
        s = run(kit, what)
        check(s["state"] == "failed" and s["error"]["name"] == "OUTPUTS_INVALID", f"{what}: {s}")
    s = run(kit, "failed")
    check(s["state"] == "failed" and not s.get("artifacts"), f"a failed job has no outputs: {s}")
    check(not stored(kit), stored(kit))
    return len(bad)


def foreign(kit):
    """Another account's key gets none of it."""
    s = run(kit, "two")
    kit.rota("key", "create", "--role", "account", "--account", "b", "--name", "b", "--out", f"{kit.dir}/b.key")
    done = kit.rota("download", s["job"], "--out", f"{kit.dir}/foreign", key=f"{kit.dir}/b.key", ok=range(1, 128))
    check(not os.path.exists(f"{kit.dir}/foreign/one.txt"), done.stderr)
    check(len(stored(kit)) == 2, stored(kit))


def outputs():
    with Kit() as kit:
        kit.start()
        os.chmod(kit.dir, 0o755)
        kit.account("a", "enterprise")
        kit.account("b", "enterprise")
        kit.worker("--workspace-bytes", str(64 << 20), runner=kit.script("run", SCRIPT), boxed=True)
        n = refused(kit)
        delivered(kit)
        foreign(kit)
        print(f"2 outputs fetched once and gone; {n} of {n} bad ones refused; another account gets none")


def rootfs():
    with Kit() as kit:
        kit.start()
        os.chmod(kit.dir, 0o755)
        runner = shutil.copy(f"{EXAMPLE}/rootfs", f"{kit.dir}/rootfs")
        os.chmod(runner, 0o755)
        kit.run([f"{EXAMPLE}/mirror.sh", f"{kit.dir}/mirror", "base-files", "busybox-static"])
        kit.worker("--exec-read", f"{kit.dir}/mirror", runner=runner, boxed=True)
        spec = '{"distro":"bookworm","packages":["base-files","busybox-static"]}'
        digests = set()
        for i in range(2):
            s = ended(kit, kit.publish("--spec", spec), seconds=240)
            check(s["state"] == "succeeded", f"{s.get('error')}: {kit.rota('logs', s['job']).stdout}")
            kit.rota("download", s["job"], "--out", f"{kit.dir}/fs{i}")
            digests.add(s["artifacts"][0]["sha256"])
        check(len(digests) == 1, "the same packages give the same bytes")
        names = tarfile.open(f"{kit.dir}/fs0/rootfs.tar.gz").getnames()
        for name in ("./usr/bin/busybox", "./etc/debian_version", "./bin"):
            check(name in names, f"{name} is missing")
        for bad in ('{"distro":"sid","packages":["x"]}', '{"distro":"bookworm","packages":["no-such"]}',
                    '{"distro":"bookworm","packages":["../etc"]}', "{}"):
            s = ended(kit, kit.publish("--spec", bad))
            check(s["state"] == "failed" and s["error"]["name"] == "RUNNER_FAILED", f"{bad}: {s}")
        print(f"a root file system of {len(names)} files twice, byte for byte; 4 of 4 bad specs refused")


if __name__ == "__main__":
    main(rootfs if sys.argv[1:] == ["rootfs"] else outputs)
