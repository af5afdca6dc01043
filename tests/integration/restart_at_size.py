#!/usr/bin/env python3
"""Start-up and memory do not grow with the backlog.

rota-bench fills a queue over 1,000 accounts, kills the broker with -9 under publish load, starts it again and measures
from exec to a lease reply held by an already waiting client; every acknowledged job must be stored. argv: jobs.
Limits: anonymous memory under 64 MiB, first lease under 100 ms (best of 3), nothing lost.
"""
import json
import os
import shutil
import subprocess
import sys
import tempfile

from kit import check, main, program

ANON_KIB_MAX, FIRST_LEASE_MS_MAX = 64 * 1024, 100


def restart(jobs):
    folder = tempfile.mkdtemp(prefix="rota-it-", dir=os.environ.get("ROTA_BENCH_DIR", os.environ["ROTA_BUILD"]))
    try:
        done = subprocess.run([program("tests/bench/rota-bench"), "restart", "--rotad", program("rotad"), "--jobs", str(jobs),
                               "--accounts", "1000", "--json"], cwd=folder, capture_output=True, text=True)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    check(done.returncode == 0, f"rota-bench: {done.stdout}{done.stderr}")
    return json.loads(done.stdout)


def measure(jobs):
    best = None
    for _ in range(3):
        got = restart(jobs)
        check(got["lost"] == 0, f"{got['lost']} acknowledged jobs lost")
        check(got["anon_full_kib"] < ANON_KIB_MAX, f"RssAnon {got['anon_full_kib']} KiB with {jobs} jobs")
        if best is None or got["first_lease_ms"] < best["first_lease_ms"]:
            best = got
        if best["first_lease_ms"] < FIRST_LEASE_MS_MAX:
            break
    check(best["first_lease_ms"] < FIRST_LEASE_MS_MAX, f"first lease after {best['first_lease_ms']} ms with {jobs} jobs")
    print(f"{jobs} jobs, 1,000 accounts: RssAnon {best['anon_empty_kib'] / 1024:.1f} MiB empty, "
          f"{best['anon_full_kib'] / 1024:.1f} MiB full, {best['anon_after_kib'] / 1024:.1f} MiB after the restart; "
          f"first lease {best['first_lease_ms']:.1f} ms after exec; {best['acknowledged']} acknowledged, 0 lost")


def test():
    measure(1000)
    measure(int(sys.argv[1]))


main(test)
