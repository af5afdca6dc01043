#!/usr/bin/env python3
"""store_health.py: what operators see of the artifact store, in `rota stats` as text and as JSON, while a real broker
has a bucket that answers, goes away, comes back, refuses, cannot be reached at the start, and turns out to be another
environment's. And one object whose requests hang holds back only who wants that object.

    store_health.py          what is seen
    store_health.py hang     what hangs
"""
import os
import sys
import threading
import time

from kit import Kit, check, main, program
from s3_fake import Fake

QUICK_S = 2  # what does not hang is answered within; a hanging request has five seconds and three tries


def settings(kit, s3, port=None):
    path = f"{kit.dir}/credentials"
    with open(os.open(path, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "w") as f:
        f.write("AKIDTEST\nsecret-of-a-test\n")
    return ["--artifacts", "s3://rota-test/prod", "--s3-endpoint", f"http://127.0.0.1:{port or s3.port}",
            "--s3-credentials", f"file:{path}"]


def store(kit):
    return kit.json("stats")["artifact_store"]


def source(kit, name, size=2000):
    path = f"{kit.dir}/{name}.tar.gz"
    with open(path, "wb") as f:
        f.write(os.urandom(size))
    return path


def publish(kit, path, ok=range(128)):
    return kit.rota("publish", "--app", "hello", "--platform", "ios", "--source", f"upload:{path}", "--delay", "1h",
                    "--timeout", "30", ok=ok)


def wait_store(kit, state, seconds=40):
    return kit.wait(f"the store to be {state}", lambda: (lambda s: s["state"] == state and s)(store(kit)), seconds)


def away_and_back(kit, s3):
    now = store(kit)
    check(now == {"kind": "bucket", "state": "ok", "breaker": "closed", "faults": 0}, now)
    check("ARTIFACTS" not in kit.rota("stats").stdout, "a store that is well is no news")
    path = source(kit, "first")
    publish(kit, path, ok=(0,))
    jobs = [publish(kit, source(kit, f"gone{i}"), ok=(0,)).stdout.split()[0] for i in range(4)]
    s3.down()
    begun = time.time()
    for job in jobs:
        kit.rota("cancel", job)  # its source is to go: the broker asks a service that is not there
    now = wait_store(kit, "away")
    check(now["error"] == "STORE_UNAVAILABLE" and now["faults"] >= 8 and "onnect" in now["text"], now)
    check(now["since_ms"] / 1000 >= begun - 1 and now["breaker"] in ("open", "half-open"), now)
    text = kit.rota("stats").stdout
    check("ARTIFACTS" in text and "away" in text and "(STORE_UNAVAILABLE)" in text, text)
    s3.up()
    kit.wait("a publish", lambda: publish(kit, path).returncode == 0, 40)
    check(wait_store(kit, "ok")["breaker"] == "closed", "the breaker stays open")
    return f"away after {now['faults']} faults ({now['text']}), back"


def refused(kit, s3):
    job = publish(kit, source(kit, "third"), ok=(0,)).stdout.split()[0]
    s3.refuses = True
    kit.rota("cancel", job)
    now = wait_store(kit, "refused")
    check("403" in now["text"] and now["breaker"] == "closed" and now["error"] == "STORE_UNAVAILABLE", now)
    s3.refuses = False
    publish(kit, source(kit, "fourth"), ok=(0,))
    wait_store(kit, "ok")
    return f"refused: {now['text']}"


def foreign(kit, s3):
    """The marker is read when something first needs the store."""
    s3.down()
    kit.stop()
    kit.start(*settings(kit, s3))
    now = store(kit)
    check(now["state"] in ("unreached", "away") and now["error"] == "STORE_UNAVAILABLE", now)
    s3.objects["rota-test/prod/rota-environment"] = (b"staging\n", time.time())
    s3.up()
    path = source(kit, "fifth")
    kit.wait("the marker", lambda: publish(kit, path) and store(kit)["state"] == "foreign", 60)
    now = store(kit)
    whose = "it belongs to environment staging, not to development"
    check(now["error"] == "ENVIRONMENT_MISMATCH" and now["text"] == whose, now)
    text = kit.rota("stats").stdout
    check("foreign" in text and f"{whose} (ENVIRONMENT_MISMATCH)" in text, text)
    begun = time.monotonic()
    said = publish(kit, source(kit, "sixth"))
    check(said.returncode == 1 and f"the artifact store: {whose} (ENVIRONMENT_MISMATCH)" in said.stderr and
          "--artifacts" in said.stderr, f"{said.returncode} {said.stderr}")
    check(time.monotonic() - begun < QUICK_S, "it is tried again, which helps nobody")
    stored = [name.split("/")[-1] for name in s3.objects if "/source/" in name][0]
    named = kit.run([program("tests/integration/publisher"), kit.url, kit.key, "hello", f"upload:{stored}", "once"]).stdout
    check(named.startswith(f"ENVIRONMENT_MISMATCH: the artifact store: {whose}"), f"a source that is named: {named!r}")
    return f"foreign: {said.stderr.splitlines()[0]}"


def seen():
    with Fake() as s3, Kit() as kit:
        kit.start(*settings(kit, s3))
        print(away_and_back(kit, s3))
        print(refused(kit, s3))
        print(foreign(kit, s3))


def hang():
    with Fake() as s3, Kit() as kit:
        kit.start(*settings(kit, s3))
        s3.stuck = "HEAD rota-test/prod/source/"
        done = []
        thread = threading.Thread(target=lambda: done.append(publish(kit, source(kit, "stuck"))))
        thread.start()
        kit.wait("the hanging request", lambda: s3.held, 20)
        s3.stuck = s3.held[0]
        took = []
        for i in range(5):
            begun = time.monotonic()
            publish(kit, source(kit, f"quick{i}"), ok=(0,))
            took.append(time.monotonic() - begun)
        check(not done, "what hangs was answered")
        s3.stuck = None
        s3.go.set()
        thread.join()
        check(max(took) < QUICK_S, f"one hanging request kept others waiting: {max(took):.1f} s")
        print(f"one object hangs ({len(s3.held)} tries): 5 other sources published in {max(took) * 1000:.0f} ms at most")


if __name__ == "__main__":
    main(hang if sys.argv[1:] == ["hang"] else seen)
