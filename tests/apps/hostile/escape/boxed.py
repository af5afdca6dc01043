#!/usr/bin/python3
"""A runner that tries to get out of its sandbox: escape.py's quiet attempts, and those at what only runners of any
program have. Each is a line of its log. What to look for on the host stands in the job's spec."""

import ctypes
import glob
import json
import os
import signal
import socket
import sys
import time

PARAMS = json.load(sys.stdin)
if "bait" in PARAMS:  # another job of the same worker: its workspace must stay its own
    with open("/w/app/canary", "w") as f:
        f.write(PARAMS["bait"])
    os.chmod("/w/app/canary", 0o644)
    print("laid", flush=True)
    time.sleep(600)
with open("/w/app/params", "w") as f:
    f.writelines(f"{name}={value}\n" for name, value in PARAMS.items())
sys.dont_write_bytecode = True
sys.path.insert(0, "/in")
import escape  # noqa: E402, F401  (its attempts enter the list)
import rig  # noqa: E402  (reads the params)

OWN = {"ROTA_JOB_ID", "ROTA_ACCOUNT", "ROTA_TIER", "ROTA_ATTEMPT", "TOKEN", "PATH", "HOME", "TMPDIR", "LANG", "CI",
       "NO_COLOR", "PWD", "LC_CTYPE"}
# Whose answer is another one here than in a build.
OTHER = {"finds a secret in its environment", "inherits a descriptor"}
rig.attempts[:] = [(name, f) for name, f in rig.attempts if name not in OTHER]
attempt = rig.attempt


@attempt("finds more than its own variables")
def _():
    return set(os.environ) - OWN or 1 / 0


@attempt("finds another account's variable")
def _():
    return [v for v in os.environ.values() if rig.CANARY in v] or 1 / 0


@attempt("inherits a descriptor")
def _():
    targets = []
    for fd in glob.glob("/proc/self/fd/*"):
        try:
            targets.append(os.readlink(fd))
        except OSError:
            pass
    plain = ("/dev/null", "pipe:", "/memfd:stdin", "/proc/", "/rota/run", "/in/")
    return [t for t in targets if not t.startswith(plain)] or 1 / 0


@attempt("finds its variables in a process before it")
def _():
    seen = []
    for name in ("cmdline", "environ"):
        with open(f"/proc/1/{name}", "rb") as f:
            seen.append(b"TOKEN" in f.read())
    return any(seen) or 1 / 0


@attempt("changes its own program")
def _():
    return rig.write_to("/rota/run")


@attempt("replaces its own program")
def _():
    with open("/w/tmp/other", "w") as f:
        f.write("#!/bin/sh\n")
    os.rename("/w/tmp/other", "/rota/run")
    return True


@attempt("removes its own program")
def _():
    os.unlink("/rota/run")
    return True


@attempt("makes its program setuid")
def _():
    os.chmod("/rota/run", 0o6755)
    return True


@attempt("changes what it may read")
def _():
    return rig.write_to("/in/escape.py")


@attempt("puts a file beside what it may read")
def _():
    return rig.write_to("/in/more.py")


@attempt("climbs out of what it may read")
def _():
    return rig.any_has_canary([f"/in/..{PARAMS['host_file']}", f"/in/escape.py/..{PARAMS['host_file']}"])


@attempt("lays a hard link to what it may read among its outputs")
def _():
    os.link("/in/escape.py", "/w/out/hard")
    return True


@attempt("lays a hard link to a file of the system among its outputs")
def _():
    os.link("/usr/bin/python3", "/w/out/hard")
    return True


@attempt("lays a hard link through a descriptor")
def _():
    fd = os.open("/etc/passwd", os.O_RDONLY)
    os.link(f"/proc/self/fd/{fd}", "/w/out/hard", follow_symlinks=True)
    return True


@attempt("moves a mount away")
def _():
    os.rename("/w/out", "/w/other")
    return True


@attempt("signals the agent")
def _():
    os.kill(int(PARAMS["agent_pid"]), signal.SIGTERM)
    return True


@attempt("finds the agent among the processes")
def _():
    return rig.call(62, int(PARAMS["agent_pid"]), 0) == 0


@attempt("reads the agent's key")
def _():
    return len(open(PARAMS["key_file"]).read())


@attempt("reads the agent's cache")
def _():
    return rig.listing(PARAMS["cache"])


@attempt("connects to the broker")
def _():
    s = socket.socket(socket.AF_UNIX)
    s.connect(PARAMS["broker"])
    return True


@attempt("reads the broker's database")
def _():
    return len(open(PARAMS["database"], "rb").read(16))


@attempt("writes the artifacts' folder")
def _():
    return rig.write_to(PARAMS["artifacts"] + "/pried")


@attempt("opens a terminal of the agent")
def _():
    return os.open("/dev/tty", os.O_RDWR)


@attempt("leaves its process group for the agent's session")
def _():
    os.setpgid(0, os.getsid(int(PARAMS["agent_pid"])))
    return True


@attempt("makes its limits those of root")
def _():
    ctypes.set_errno(0)
    return rig.call(302, 0, 7, ctypes.create_string_buffer(b"\xff" * 16), 0) == 0


def main():
    os.dup2(1, 3)  # where attempts report
    rig.probe()
    print(f"attempts {len(rig.attempts)}", flush=True)


main()
