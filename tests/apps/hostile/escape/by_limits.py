"""Guard: limits. Attempts to raise them, and bombs: each a mode of escape.py that takes whatever it gets."""

import glob
import mmap
import os
import resource
import signal
import socket
import subprocess
import threading
import time

from rig import P, Refused, attempt

# ---- limits that are raised ----


@attempt("raises its limits")
def _():
    for which in (resource.RLIMIT_NPROC, resource.RLIMIT_NOFILE, resource.RLIMIT_CORE, resource.RLIMIT_FSIZE):
        try:
            soft, hard = resource.getrlimit(which)
            resource.setrlimit(which, (hard + 1, hard + 1))
            return which
        except (OSError, ValueError):
            pass
    raise Refused("none")


@attempt("dumps a core")
def _():
    os.chdir("/w/tmp")
    status = subprocess.run(["/bin/sh", "-c", "kill -SEGV $$"]).returncode
    cores = glob.glob("/w/tmp/*core*") + glob.glob("/w/app/*core*")
    # A limit of 1 is no room for a core, and tells the kernel to run no helper for it either.
    return cores or resource.getrlimit(resource.RLIMIT_CORE)[1] > 1 or 1 / (status + 11)


@attempt("takes the processor for itself")
def _():
    os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(50))
    return True


@attempt("goes before others")
def _():
    return os.nice(-5)


@attempt("locks memory without end")
def _():
    resource.setrlimit(resource.RLIMIT_MEMLOCK, (1 << 40, 1 << 40))
    return True


# ---- bombs ----


def memory():
    held = []
    while True:
        held.append(b"x" * (16 << 20))


def memory_in_many():
    for _ in range(8):
        if os.fork() == 0:
            held = []
            for _ in range(8):
                held.append(b"x" * (8 << 20))
            time.sleep(60)
    time.sleep(60)


def memory_shared():
    m = mmap.mmap(-1, 1 << 30)
    for at in range(0, 1 << 30, 4096):
        m[at] = 1
    time.sleep(60)


def forks():
    while True:
        try:
            os.fork()
        except OSError:
            pass


def dead_worker():
    """A tool that loses a worker for want of memory, and ends well all the same."""
    if os.fork() == 0:
        memory()
    os.wait()
    os.write(1, b"ended well\n")


def dead_worker_and_on():
    os.write(1, b"begins\n")
    dead_worker()
    endless()


def burn():
    """As many as may burn, on as many processors as they can get."""
    os.write(1, b"burns\n")
    began = time.monotonic()
    try:
        os.sched_setaffinity(0, range(os.cpu_count()))
    except OSError:
        pass
    for _ in range(8):
        if os.fork() == 0:
            while time.monotonic() < began + 3:
                pass
            os._exit(0)
    for _ in range(8):
        os.wait()
    used = os.times()
    os.write(1, b"used %d ms in %d ms on %d\n" % (
        (used.children_user + used.children_system) * 1000, (time.monotonic() - began) * 1000,
        len(os.sched_getaffinity(0))))


def threads():
    for _ in range(1000):
        try:
            threading.Thread(target=time.sleep, args=(60,)).start()
        except RuntimeError:
            time.sleep(0.01)
    time.sleep(60)


def disk():
    with open("/w/tmp/big", "wb") as f:
        while True:
            f.write(b"x" * (1 << 20))


def disk_everywhere():
    worst = None
    for folder in ("/w/app", "/w/out", "/w/home", "/w/tmp"):
        try:
            with open(folder + "/big", "wb") as f:
                while True:
                    f.write(b"x" * (1 << 20))
        except OSError as e:
            worst = e
    raise worst


def inodes():
    n = 0
    while True:
        open(f"/w/tmp/{n}", "w").close()
        n += 1


def folders():
    os.chdir("/w/tmp")
    while True:
        os.mkdir("d")
        os.chdir("d")


def one_file():
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    with open("/w/tmp/big", "wb") as f:
        f.seek(P["fsize"] and int(P["fsize"]) - 4096)
        while True:
            f.write(b"x" * 4096)
            f.flush()


def descriptors():
    held = []
    while True:
        held.append(os.open("/dev/null", os.O_RDONLY))


def log_flood():
    while True:
        os.write(1, b"y\n" * 30000)


def line_flood():
    while True:
        os.write(3, b'{"type":"progress","share":0.5}\n' * 500)


def long_line():
    while True:
        os.write(3, b"x" * 60000)


def terminal():
    os.write(1, b"\x1b]0;pried\x07\x1b[2J\x1b[31mred\x1b[0m\xc2\x9b31m\x1b]52;c;cHJpZWQ=\x07\r\nplain\n")


def endless():
    for s in range(1, 32):
        try:
            signal.signal(s, signal.SIG_IGN)
        except OSError:
            pass
    while True:
        pass


def daemons(then):
    for _ in range(5):
        if os.fork() == 0:
            os.setsid()
            if os.fork() == 0:
                for s in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
                    signal.signal(s, signal.SIG_IGN)
                time.sleep(600)
            os._exit(0)
    time.sleep(0.2)
    then()


def stopped():
    if os.fork() == 0:
        os.kill(os.getpid(), signal.SIGSTOP)
    time.sleep(600)


def links():
    os.symlink(P["host_file"], "/w/out/link")
    os.symlink("/", "/w/out/root")
    os.mkfifo("/w/out/fifo")
    os.mkdir("/w/out/folder")
    s = socket.socket(socket.AF_UNIX)
    s.bind("/w/out/socket")
    open("/w/out/plain", "w").write("plain")
