"""kit.py: real programs in a temporary folder. A test waits for readiness and for states, never for a fixed time.

    with Kit() as kit:
        kit.start()
        job = kit.publish(account="a")
        kit.wait_state(job, "succeeded")

ROTA_BUILD names the build directory (the meson test sets it). Only processes that the kit started are ended, by pid.
"""
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time

BUILD = os.environ["ROTA_BUILD"]
PROGRAMS = {"rotad": "broker/rotad", "rota": "admin/rota", "rota-worker": "worker/rota-worker"}


def program(name):
    return os.path.join(BUILD, PROGRAMS.get(name, name))


class Failed(Exception):
    pass


def check(condition, text):
    if not condition:
        raise Failed(text)


class Kit:
    def __init__(self, environment="development", seed=None):
        self.environment = environment
        self.random = random.Random(seed if seed is not None else 1)
        self.dir = tempfile.mkdtemp(prefix="rota-it-")
        self.url = f"ipc://{self.dir}/sock"
        self.key = f"{self.dir}/key"
        self.broker = None
        self.children = []
        self.extra = []

    def __enter__(self):
        self.run([program("rotad"), "init", "--data", f"{self.dir}/data", "--environment", self.environment,
                  "--key-file", self.key])
        return self

    def __exit__(self, kind, value, trace):
        for child in self.children + ([self.broker] if self.broker else []):
            if child.poll() is None:
                child.kill()
            child.wait()
        if kind and os.path.exists(f"{self.dir}/rotad.log"):
            with open(f"{self.dir}/rotad.log") as log:
                sys.stderr.write("".join(log.readlines()[-40:]))
        shutil.rmtree(self.dir, ignore_errors=True)

    # ---- processes ----

    def run(self, argv, ok=(0,), **more):
        done = subprocess.run(argv, capture_output=True, text=True, **more)
        check(done.returncode in ok, f"{' '.join(argv)}: exit {done.returncode}: {done.stderr.strip()}")
        return done

    def spawn(self, argv, log="children.log", **more):
        with open(f"{self.dir}/{log}", "ab") as out:
            child = subprocess.Popen(argv, stderr=out, **{"stdout": out, **more})
        self.children.append(child)
        return child

    def start(self, *options, wrap=(), env=None):
        """Starts rotad and returns when every listener answers."""
        ready, tell = os.pipe()
        argv = [*wrap, program("rotad"), "--data", f"{self.dir}/data", "--listen", self.url,
                "--ready-fd", str(tell), *self.extra, *options]
        with open(f"{self.dir}/rotad.log", "ab") as log:
            self.broker = subprocess.Popen(argv, stderr=log, stdout=log, pass_fds=[tell],
                                           env={**os.environ, **(env or {})})
        os.close(tell)
        line = os.read(ready, 16)
        os.close(ready)
        check(line == b"ready\n", f"rotad did not get ready: {self.broker.poll()}")
        return self.broker

    def kill(self):
        self.broker.kill()
        self.broker.wait()

    def stop(self):
        self.broker.terminate()
        return self.broker.wait(20)

    def restart(self):
        self.kill()
        return self.start()

    def worker(self, *options, name="w", slots=1, runner=None, boxed=False, env=None):
        """A worker; its runner sees this machine, so that a test's script can meet the test, or a sandbox."""
        argv = [program("rota-worker"), "--url", self.url, "--key-file", self.key, "--slots", str(slots),
                "--name", name]
        argv += ["--cache-dir", f"{self.dir}/cache"]
        argv += ["--runner", f"exec:{runner}"] if runner else []
        argv += ["--exec-host"] if runner and not boxed else []
        return self.spawn(argv + list(options), log=f"{name}.log", env={**os.environ, **(env or {})})

    def script(self, name, text):
        path = f"{self.dir}/{name}"
        with open(path, "w") as f:
            f.write(text)
        os.chmod(path, 0o755)
        return path

    # ---- the command ----

    def rota(self, *argv, ok=(0,), key=None, env=None):
        settings = {"ROTA_URL": self.url, "ROTA_KEY_FILE": key or self.key, "NO_COLOR": "1"}
        settings.update(env or {})
        return self.run([program("rota"), *argv], ok=ok, env={**os.environ, **settings})

    def json(self, *argv, **more):
        return json.loads(self.rota(*argv, "--json", **more).stdout)

    def events(self):
        out = self.rota("watch", "--all", "--from", "0", "--json").stdout
        return [json.loads(line) for line in out.splitlines()]

    def account(self, name, tier, *options):
        self.rota("account", "set", name, "--tier", tier, "--builds", "unlimited", *options)

    def publish(self, *options, account=None, app="app"):
        argv = ["publish", "--app", app, "--class", "task", *options]
        argv += ["--account", account] if account else []
        return self.rota(*argv).stdout.split()[0]

    def status(self, job):
        return self.json("status", job)

    def wait(self, what, truth, seconds=30):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            value = truth()
            if value:
                return value
            time.sleep(0.02)
        raise Failed(f"waited {seconds} s for {what}")

    def wait_state(self, job, *states, seconds=30):
        return self.wait(f"{job} {'/'.join(states)}", lambda: self.status(job)["state"] in states, seconds)

    def acknowledged(self, path):
        with open(path) as f:
            lines = f.read().split("\n")
        return dict(line.split(" ") for line in lines[:-1])  # a torn last line was not acknowledged


def best_of(n, measure, limit):
    """A promised limit decides by the best of n runs."""
    values = []
    for _ in range(n):
        values.append(measure())
        if values[-1] <= limit:
            break
    return min(values), values


def main(test):
    try:
        test()
    except Failed as e:
        print(f"FAILED: {e}")
        sys.exit(1)
