"""What every attempt at the sandbox uses: the list that it enters, raw system calls, and the marks to look for. What is
to be found on the host stands in /w/app/params."""

import ctypes
import os
import signal
import stat
import time

P = dict(line.rstrip("\n").split("=", 1) for line in open("/w/app/params"))
CANARY = P["yranac"][::-1]  # backwards, so that this file is no find
libc = ctypes.CDLL(None, use_errno=True)
attempts = []


class Refused(Exception):
    pass


def attempt(name):
    def note(f):
        attempts.append((name, f))
        return f

    return note


def call(number, *args):
    """A raw system call: no library stands between."""
    ctypes.set_errno(0)
    r = libc.syscall(ctypes.c_long(number), *[ctypes.c_long(a) if isinstance(a, int) else a for a in args])
    if r == -1:
        e = ctypes.get_errno()
        raise OSError(e, os.strerror(e))
    return r


def has_canary(path, most=1 << 20):
    """A pipe would let us wait for ever, so only files are read."""
    if not stat.S_ISREG(os.stat(path).st_mode):
        raise Refused("no file")
    with open(path, "rb") as f:
        return CANARY.encode() in f.read(most)


def any_has_canary(paths):
    seen = 0
    for path in paths:
        try:
            if has_canary(path):
                return path
            seen += 1
        except (OSError, Refused):
            pass
    raise Refused(f"{seen} files, no canary")


def listing(path):
    names = os.listdir(path)
    if not names:
        raise Refused("empty")
    return str(names[:5])


def write_to(path):
    with open(path, "w") as f:
        f.write("x")
    return path


def make(name, f):
    word, why = "refused", ""
    try:
        got = f()
        why = str(got)
        if got is not False and got != []:
            word = "worked"
    except ZeroDivisionError:
        why = "nothing found"
    except (Refused, OSError, ValueError, OverflowError) as e:
        why = str(e)
    os.write(3, f"{word}\t{name}\t{why}".replace("\n", " ")[:400].encode() + b"\n")


def probe():
    """Each attempt in a process of its own: one that works may change or stop it."""
    for name, f in attempts:
        child = os.fork()
        if child == 0:
            make(name, f)
            os._exit(0)
        until = time.monotonic() + 8
        while os.waitpid(child, os.WNOHANG) == (0, 0):
            if time.monotonic() > until:
                os.write(3, f"refused\t{name}\tno answer\n".encode())
                os.kill(child, signal.SIGKILL)
                os.waitpid(child, 0)
                break
            time.sleep(0.001)
