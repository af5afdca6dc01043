"""bundle_same.py shows that the same source gives the same bytes: three builds in a row, by two workers whose workspaces
lie at different places, the second of them out of the caches that the first one filled. It matters because a bundle
that nobody can build again proves nothing about its source, and because a cache must not be seen in what it speeds up.
Needs the package registry (npm ci of the sample app).
"""
import os
import shutil

from kit import Kit, check, main, program

APP = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "apps", "hello")
KINDS = ("bundle", "assets", "map")

# Root's workspaces lie below /run; where that folder is somebody else's, below XDG_RUNTIME_DIR.
ELSEWHERE = ["unshare", "--mount", "sh", "-c", 'mkdir -p /run/rota-worker &&'
             ' mount -t tmpfs -o uid=1 none /run/rota-worker && exec "$@"', "sh"]


def start(kit, name):
    runtime = f"{kit.dir}/{name}"
    os.mkdir(runtime, 0o700)
    wrap = ELSEWHERE if os.geteuid() == 0 and name == "second" else []
    worker = kit.spawn([*wrap, program("rota-worker"), "--url", kit.url, "--key-file", kit.key, "--slots", "1",
                        "--name", name, "--cache-dir", f"{kit.dir}/cache-{name}"], log=f"{name}.log",
                       env={**os.environ, "XDG_RUNTIME_DIR": runtime})
    place = kit.wait(f"{name} says where it works", lambda: root_of(f"{kit.dir}/{name}.log"))
    return worker, place


def root_of(log):
    with open(log) as f:
        words = f.read().split()
    return next((w[3:].rstrip('"') for w in words if w.startswith("at=/")), None)


def build(kit, app):
    job = kit.rota("publish", "--app", "hello", "--platform", "android", "--source", f"dir:{app}").stdout.split()[0]
    kit.wait_state(job, "succeeded", "failed", "dead", seconds=400)
    status = kit.status(job)
    check(status["state"] == "succeeded", f"{status.get('error')}: {kit.rota('logs', job).stdout[-2000:]}")
    hashes = {a["kind"]: a["sha256"] for a in status["artifacts"]}
    check(all(kind in hashes for kind in KINDS), f"artifacts: {status['artifacts']}")
    times = {p["phase"]: p["ms"] for p in status["phase_times"]}
    return {kind: hashes[kind] for kind in KINDS}, times


def test():
    with Kit() as kit:
        kit.start()
        app = f"{kit.dir}/app"
        shutil.copytree(APP, app, ignore=shutil.ignore_patterns("node_modules"))
        worker, first_place = start(kit, "first")
        builds = [build(kit, app), build(kit, app)]
        worker.terminate()
        worker.wait(60)
        _, second_place = start(kit, "second")
        check(first_place != second_place, f"both workers work at {first_place}")
        builds.append(build(kit, app))
        for (hashes, times), place in zip(builds, (first_place, first_place, second_place)):
            print(f"at {place}:", *(f"{kind} {hashes[kind]}" for kind in KINDS))
            print("  ", *(f"{name}={ms}" for name, ms in times.items()))
        check(builds[0][0] == builds[1][0] == builds[2][0], "the builds differ")
        print("three builds, two workers, two places: the same bytes")


main(test)
