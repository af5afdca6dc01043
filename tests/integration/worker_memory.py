"""worker_memory.py shows that the agent itself stays small while it builds real apps: whatever is large (sources,
node_modules, bundles, maps) lies in the builds' own tmpfs or passes in pieces. Two slots, both platforms, once with an
empty cache and once with a filled one; then the peak of the agent's resident memory, as the kernel counted it.
Needs the package registry (npm ci of the sample app).
"""
import os

from kit import Kit, check, main

APP = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "apps", "hello")
PEAK_KIB_MAX = 16 * 1024


def peak_kib(pid):
    with open(f"/proc/{pid}/status") as f:
        return next(int(line.split()[1]) for line in f if line.startswith("VmHWM:"))


def built(kit, round_):
    jobs = [kit.rota("publish", "--app", "hello", "--platform", platform, "--source", f"dir:{APP}",
                     "--idempotency-key", f"{platform}-{round_}").stdout.split()[0] for platform in ("android", "ios")]
    for job in jobs:
        kit.wait_state(job, "succeeded", seconds=240)
    return len(jobs)


def test():
    with Kit() as kit:
        kit.start()
        worker = kit.worker(slots=2)
        builds = built(kit, 1) + built(kit, 2)
        kib = peak_kib(worker.pid)
    check(kib < PEAK_KIB_MAX, f"the agent's peak is {kib} KiB, at most {PEAK_KIB_MAX}")
    print(f"{builds} builds in two slots: the agent's peak resident memory is {kib} KiB, "
          f"{PEAK_KIB_MAX} are allowed")


main(test)
