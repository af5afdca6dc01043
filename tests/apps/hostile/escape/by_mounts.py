"""Guard: what is mounted, and how. Files of the host, of other jobs and of the system, and secrets that lie about."""

import ctypes
import glob
import os
import struct

from rig import CANARY, P, Refused, any_has_canary, attempt, call, has_canary, listing, write_to

# ---- files of the host ----


@attempt("reads a file of the host")
def _():
    return has_canary(P["host_file"])


@attempt("reads /etc/shadow")
def _():
    return len(open("/etc/shadow").read())


@attempt("lists root's home")
def _():
    return listing("/root")


@attempt("lists /home, /var, /run, /srv, /opt, /mnt")
def _():
    return [p for p in ("/home", "/var", "/run", "/srv", "/opt", "/mnt") if os.path.exists(p)] or 1 / 0


@attempt("climbs out with ..")
def _():
    return has_canary("/w/app/" + "../" * 40 + P["host_file"].lstrip("/"))


@attempt("climbs out through /proc/1/root")
def _():
    return any_has_canary([f"/proc/{p}/root{P['host_file']}" for p in os.listdir("/proc") if p.isdigit()])


@attempt("climbs out through a descriptor of a process")
def _():
    return any_has_canary(glob.glob("/proc/[0-9]*/fd/*"))


@attempt("climbs out through a working folder of a process")
def _():
    return any_has_canary(glob.glob("/proc/[0-9]*/cwd/*") + glob.glob("/proc/[0-9]*/cwd/app/*canary*"))


@attempt("reads another job's workspace")
def _():
    return any_has_canary([P["other_job"]] + glob.glob("/run/rota-worker/*/app/*") + glob.glob("/w/../slot-*/app/*"))


@attempt("reads the install's folders")
def _():
    return [p for p in ("/w/install", "/w/npm", "/net") if os.path.exists(p)] or 1 / 0


@attempt("reads /usr/local, /usr/src, /usr/etc")
def _():
    return [listing(p) for p in ("/usr/local", "/usr/src", "/usr/etc") if os.path.isdir(p)]


@attempt("opens a file by its handle")
def _():
    return call(304, -100, ctypes.create_string_buffer(struct.pack("=Ii", 8, 1) + b"\0" * 64), os.O_RDONLY)


@attempt("writes /usr")
def _():
    return write_to("/usr/pried")


@attempt("writes /etc")
def _():
    return write_to("/etc/passwd")


@attempt("writes the tools")
def _():
    return [write_to(p) for p in ("/rota/js/metro.mjs", "/rota/box", "/rota/node")]


@attempt("writes / and /w")
def _():
    for p in ("/pried", "/w/pried"):
        try:
            return write_to(p)
        except OSError:
            pass
    raise Refused("both read-only")


@attempt("writes /dev and /dev/shm")
def _():
    for p in ("/dev/pried", "/dev/shm/pried"):
        try:
            return write_to(p)
        except OSError:
            pass
    raise Refused("both read-only")


@attempt("sees /sys or a cgroup")
def _():
    return listing("/sys")


@attempt("sets core_pattern")
def _():
    return write_to("/proc/sys/kernel/core_pattern")


@attempt("pulls sysrq")
def _():
    return write_to("/proc/sysrq-trigger")


# ---- secrets ----


@attempt("finds a secret in its environment")
def _():
    foreign = set(os.environ) - {"PATH", "HOME", "TMPDIR", "LANG", "CI", "NO_COLOR", "NODE_ENV", "PWD", "LC_CTYPE"}
    foreign |= {v for v in os.environ.values() if CANARY in v}
    return foreign or 1 / 0


@attempt("finds a secret in an environment of others")
def _():
    return any_has_canary(glob.glob("/proc/[0-9]*/environ"))


@attempt("finds a secret in arguments of others")
def _():
    return any_has_canary(glob.glob("/proc/[0-9]*/cmdline"))


@attempt("inherits a descriptor")
def _():
    targets = []
    for fd in glob.glob("/proc/[0-9]*/fd/*"):
        try:
            targets.append(os.readlink(fd))
        except OSError:
            pass
    targets = [t for t in targets if not t.startswith("/memfd:stdin")]  # empty and sealed
    return [t for t in targets if "memfd" in t or "canary" in t or t.startswith(("/tmp", "/run"))] or 1 / 0


@attempt("finds bubblewrap's status descriptor")
def _():
    pipes = [fd for fd in glob.glob("/proc/self/fd/[4-9]*") if "pipe:" in os.readlink(fd)]
    return pipes or 1 / 0
