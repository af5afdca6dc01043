#!/usr/bin/env python3
"""swap_refused.py: a worker does not start where memory of builds could reach a swap area in the clear, whichever runner
it has; one that runs a program on the host (--exec-host) makes no such promise, and starts.

Why it matters: a page of a source that was swapped out stays on the disk when the build and its tmpfs are long gone.
What the kernel says of its swap areas is laid over /proc/swaps in a mount namespace, so that no machine needs to swap.
"""
import os
import subprocess
import sys

from kit import Failed, Kit, check, main, program

HEAD = "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n"


def argv_of(kit, swaps, *options):
    path = f"{kit.dir}/swaps"
    with open(path, "w") as f:
        f.write(HEAD + swaps)
    worker = [program("rota-worker"), "--url", kit.url, "--key-file", kit.key, "--cache-dir", "none", *options]
    shell = 'mount --bind "$0" /proc/swaps && exec "$@"'
    return ["unshare", "--mount", "--propagation", "private", "sh", "-c", shell, path, *worker]


def refused(kit, swaps, name, *options):
    try:
        done = subprocess.run(argv_of(kit, swaps, *options), capture_output=True, text=True, timeout=30)
    except subprocess.TimeoutExpired as e:
        raise Failed(f"{swaps!r} {options}: it started: {(e.stderr or b'').decode()}")
    check(done.returncode == 78 and f"swap on {name}" in done.stderr and "--allow-swap" in done.stderr,
          f"{swaps!r} {options}: exit {done.returncode}: {done.stderr}")
    check("--exec-host" not in done.stderr, f"it calls the host's file system a way out: {done.stderr}")


def starts(kit, name, swaps, *options):
    child = kit.spawn(argv_of(kit, swaps, *options), log=f"{name}.log")
    log = f"{kit.dir}/{name}.log"
    kit.wait(f"the worker {name} to start", lambda: "worker.start" in open(log).read() or child.poll() is not None, 60)
    check(child.poll() is None, open(log).read())
    child.terminate()
    child.wait(60)


def test():
    with Kit() as kit:
        kit.start()
        probe = subprocess.run(argv_of(kit, "")[:4] + ["true"], capture_output=True)
        if probe.returncode or os.geteuid():
            print("no mount namespace here: 0 workers tried")
            sys.exit(77)
        os.chmod(kit.dir, 0o755)
        boxed = ("--runner", f"exec:{kit.script('run', '#!/bin/sh')}")
        disk, zram = "/dev/sda2\tpartition\t1000\t0\t-2\n", "/dev/zram97\tpartition\t1000\t0\t100\n"
        for runner in ((), boxed):
            refused(kit, disk, "/dev/sda2", *runner)
            refused(kit, "/swapfile\tfile\t1000\t0\t-2\n", "/swapfile", *runner)
            name = "boxed-" if runner else ""
            starts(kit, f"{name}none", "", *runner)
            starts(kit, f"{name}zram", zram, *runner)
            starts(kit, f"{name}allowed", disk, *runner, "--allow-swap")
        starts(kit, "host", disk, *boxed, "--exec-host")
    print("4 of 4 workers refused, 6 of 6 started without swap, on zram, and by --allow-swap; builds and exec alike")


main(test)
