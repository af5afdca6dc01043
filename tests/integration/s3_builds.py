"""s3_builds.py: a whole build with its objects in a real bucket, seen from another host: broker, worker and command speak
over the machine's own network address, so no file:// URL would be of any use to them. The service is killed and comes
back in the middle; what is downloaded verifies; what nobody needs any more goes from the bucket, over a kill -9 of the
broker; a one-off output goes when it was fetched.
Needs the package registry (npm ci of the sample app) and scripts/setup --s3.
"""
import os
import re
import socket
import subprocess
import tempfile
import threading
import time

from kit import BUILD, Kit, check, main
from s3_presign import Signer, send
from s3_server import Gateway, free_port

APP = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "apps", "hello")
RUNNER = """#!/bin/sh
spec=$(cat)
case $spec in
*output*) echo "built for $ROTA_ACCOUNT" > /w/out/image.txt; echo second > /w/out/second.txt ;;
*) echo done ;;
esac
"""


def own_address():
    """The address this machine would use to talk to others; loopback where it has none."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        try:
            s.connect(("192.0.2.99", 9))
            return s.getsockname()[0]
        except OSError:
            return "127.0.0.1"


def names(sign, prefix=""):
    url = sign("GET", "/rota-test", query=["list-type=2", f"prefix=prod/{prefix}"])
    return re.findall(r"<Key>prod/([^<]*)</Key>", send("GET", url)[1].decode())


def begin(kit, s3, sign):
    check(send("PUT", sign("PUT", "/rota-test"))[0] == 200, "make a bucket")
    kit.extra = ["--artifacts", "s3://rota-test/prod", "--s3-endpoint", s3.url, "--s3-credentials",
                 s3.credentials(f"{kit.dir}/credentials"), "--allow-plain-tcp",
                 "--listen", f"tcp://{own_address()}:{free_port()}"]
    kit.start()
    kit.local, kit.url = kit.url, kit.extra[-1]


def log_of(kit, name="rotad.log"):
    with open(f"{kit.dir}/{name}") as f:
        return f.read()


def another_environment(kit, s3):
    """A broker of another environment never gets to write into the bucket."""
    with tempfile.TemporaryDirectory() as top:
        kit.run([f"{BUILD}/broker/rotad", "init", "--data", f"{top}/data", "--environment", "staging", "--key-file",
                 f"{top}/key"])
        done = subprocess.run([f"{BUILD}/broker/rotad", "--data", f"{top}/data", "--listen", f"ipc://{top}/sock",
                               *kit.extra[:6]], capture_output=True, text=True, timeout=60)
    check(done.returncode == 78 and "ENVIRONMENT_MISMATCH" in done.stderr and "belong to environment development"
          in done.stderr, f"another environment's broker: {done.returncode}, {done.stderr}")
    secret = [line for line in done.stderr.splitlines() if s3.secret in line]
    check(not secret, "the secret is in the log")


def cut_off(kit, s3, job):
    """Kills the service while the app is bundled, and starts it again once the worker wants to upload."""
    seen = {}

    def watch():
        while not seen.get("end"):
            state = kit.status(job)
            phase = state.get("phase")
            if phase == "bundle" and "killed" not in seen:
                s3.stop_gateway()
                seen["killed"] = time.monotonic()
            if "killed" in seen and "back" not in seen and phase in ("upload", "attest"):
                time.sleep(2)  # the first tries fail
                s3.start_gateway()
                seen["back"] = time.monotonic()
            if state["state"] not in ("ready", "leased", "delayed"):
                seen["end"] = state["state"]
            time.sleep(0.05)

    thread = threading.Thread(target=watch)
    thread.start()
    kit.wait_state(job, "succeeded", "failed", "dead", "timed_out", seconds=400)
    thread.join()
    check("back" in seen, f"the service was not cut off: {seen}")
    return seen["back"] - seen["killed"]


def build(kit, s3, sign):
    kit.worker(name="builder")
    job = kit.rota("publish", "--app", "hello", "--platform", "android", "--source", f"dir:{APP}").stdout.split()[0]
    check(len(names(sign, "source/local/")) == 1, f"the source is in the bucket: {names(sign)}")
    away_s = cut_off(kit, s3, job)
    state = kit.status(job)
    check(state["state"] == "succeeded" and state["attempt"] == 1, f"{state.get('error')} in attempt {state['attempt']}\n"
          f"{kit.rota('logs', job).stdout[-2000:]}\n{log_of(kit, 'builder.log')[-2000:]}")
    out, key = f"{kit.dir}/out", f"{kit.dir}/data/keys/sign.pub"
    kit.rota("download", job, "--out", out)
    verified = kit.rota("verify", out, "--public-key", key).stdout
    check("signature ok" in verified, f"verify says {verified!r}")
    check("phase" in kit.rota("logs", job).stdout or kit.rota("logs", job).stdout, "the log comes from the bucket")
    stored = {n for n in names(sign) if not n.startswith("source/")}
    want = {f"{'log' if a['kind'] == 'build_log' else a['kind']}/local/{a['sha256']}" for a in state["artifacts"]}
    check(stored - {"rota-environment"} == want, f"the bucket holds {stored}, the job {want}")
    kit.wait("the source to go", lambda: not names(sign, "source/"))
    usage = kit.json("usage")
    check(usage["storage_bytes"] == sum(a["size"] for a in state["artifacts"]), f"usage: {usage}")
    print(f"build: over {kit.url.split(':')[0]} from {own_address()}, service away for {away_s:.1f} s in the middle, "
          f"{len(want)} artifacts in the bucket, {usage['storage_bytes']} bytes, verified; the source is gone")
    return job


def left_by_a_kill(kit, s3, sign):
    """The source of a job that was cancelled is to go; the service is away, and then the broker is killed."""
    with open(f"{kit.dir}/upload.tar.gz", "wb") as f:
        f.write(os.urandom(2000))
    job = kit.rota("publish", "--app", "hello", "--platform", "ios", "--source", f"upload:{kit.dir}/upload.tar.gz",
                   "--delay", "1h").stdout.split()[0]
    check(len(names(sign, "source/")) == 1, "its source is in the bucket")
    s3.stop_gateway()
    kit.rota("cancel", job)
    kit.wait_state(job, "cancelled")
    kit.wait("the broker to try", lambda: "method=DELETE" in log_of(kit))
    kit.kill()
    s3.start_gateway()
    check(len(names(sign, "source/")) == 1, "the source is still in the bucket")
    kit.url, kit.extra[-1] = kit.local, f"tcp://{own_address()}:{free_port()}"  # dead lines hold the old port
    kit.start()
    kit.url = kit.extra[-1]
    begun = time.monotonic()
    kit.wait("the source to go", lambda: not names(sign, "source/"))
    print(f"kill -9 between row and object: gone {time.monotonic() - begun:.1f} s after the next start")
    return job


def outputs(kit, sign):
    os.chmod(kit.dir, 0o755)
    kit.worker(name="boxed", runner=kit.script("run", RUNNER), boxed=True)
    job = kit.publish("--spec", '{"what":"output"}')
    kit.wait_state(job, "succeeded", "failed", "dead", seconds=60)
    state = kit.status(job)
    check(state["state"] == "succeeded", f"{state.get('error')}")
    check(len(names(sign, "output/")) == 2, f"the bucket holds {names(sign)}")
    kit.rota("download", job, "--out", f"{kit.dir}/output")
    with open(f"{kit.dir}/output/image.txt") as f, open(f"{kit.dir}/output/second.txt") as g:
        check((f.read(), g.read()) == ("built for local\n", "second\n"), "the outputs")
    kit.wait("the outputs to go", lambda: not names(sign, "output/"))
    again = kit.rota("download", job, "--out", f"{kit.dir}/again", ok=(1, 69, 77, 78))
    check("OBJECT_MISSING" in again.stderr, f"a second download: {again.stderr}")
    print("outputs: 2 fetched, then gone from the bucket; a second download says OBJECT_MISSING")


def store_away(kit, s3, sign):
    """Nothing but the objects' own work waits for a store that is away."""
    s3.stop_gateway()
    with open(f"{kit.dir}/upload.tar.gz", "wb") as f:
        f.write(os.urandom(2000))
    begun = time.monotonic()
    refused = kit.rota("publish", "--app", "hello", "--platform", "ios", "--source", f"upload:{kit.dir}/upload.tar.gz",
                       ok=(69, 75))
    took = time.monotonic() - begun
    check("STORE_UNAVAILABLE" in refused.stderr, f"publish says {refused.stderr!r}")
    job = kit.publish("--delay", "1h")
    begun = time.monotonic()
    kit.status(job)
    quick = time.monotonic() - begun
    s3.start_gateway()
    later = kit.rota("publish", "--app", "hello", "--platform", "ios", "--source", f"upload:{kit.dir}/upload.tar.gz",
                     "--delay", "1h").stdout.split()[0]
    check(len(names(sign, "source/")) == 1, "the source is in the bucket")
    kit.rota("cancel", later)
    kit.wait("the source to go", lambda: not names(sign, "source/"))
    print(f"away: a source is refused by name after {took:.1f} s of tries, a job without one is published and looked at "
          f"({quick * 1000:.0f} ms); with the service back the source goes through")


def test():
    with Gateway() as s3, Kit() as kit:
        sign = Signer(s3)
        begin(kit, s3, sign)
        another_environment(kit, s3)
        store_away(kit, s3, sign)
        outputs(kit, sign)
        build(kit, s3, sign)
        left_by_a_kill(kit, s3, sign)
        check(s3.secret not in log_of(kit), "the secret is in the broker's log")


if __name__ == "__main__":
    main(test)
