"""Tries to get out of the sandbox. Mode "probe" makes every quiet attempt and reports each as a line on fd 3, "worked
NAME why" or "refused NAME why"; every other mode is one bomb. What to look for on the host stands in /w/app/params."""

import ctypes
import fcntl
import glob
import mmap
import os
import pty
import resource
import signal
import socket
import stat
import struct
import subprocess
import sys
import threading
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


# ---- processes of others ----


@attempt("sees processes of the host")
def _():
    n = len([p for p in os.listdir("/proc") if p.isdigit()])
    return n if n > 6 else 1 / 0


@attempt("kills a process of the host")
def _():
    pid = int(P["host_pid"])
    os.kill(pid, signal.SIGKILL)
    return pid


@attempt("signals every number there is")
def _():
    inside = {int(p) for p in os.listdir("/proc") if p.isdigit()}
    inside |= {int(t.split("/")[-1]) for t in glob.glob("/proc/[0-9]*/task/*")}
    hit = []
    for pid in range(1, 70000):
        if pid not in inside:
            try:
                os.kill(pid, 0)
                hit.append(pid)
            except OSError:
                pass
    return hit or 1 / 0


@attempt("traces a process")
def _():
    child = os.fork()
    if child == 0:
        time.sleep(1)
        os._exit(0)
    return call(101, 16, child, 0, 0) == 0


@attempt("asks to be traced")
def _():
    return call(101, 0, 0, 0, 0) == 0


@attempt("reads a process's memory")
def _():
    b = ctypes.create_string_buffer(16)
    vec = (ctypes.c_size_t * 2)(ctypes.addressof(b), 16)
    return call(310, os.getpid(), vec, 1, vec, 1, 0)


@attempt("reads init's memory by /proc")
def _():
    return open("/proc/1/mem", "rb").read(1)


@attempt("takes a descriptor out of a process")
def _():
    pidfd = call(434, os.getppid(), 0)
    return call(438, pidfd, 0, 0)


# ---- the network ----


def tcp(host, port):
    s = socket.socket()
    s.settimeout(2)
    s.connect((host, port))
    return True


@attempt("connects to the host's loopback")
def _():
    return tcp("127.0.0.1", int(P["port"]))


@attempt("connects to the host by another loopback address")
def _():
    return tcp("127.9.9.9", int(P["port"]))


@attempt("connects to an address outside")
def _():
    return tcp("192.0.2.1", 443)


@attempt("connects to a metadata address")
def _():
    return tcp("169.254.169.254", 80)


@attempt("resolves a name")
def _():
    return socket.getaddrinfo("example.com", 80)


@attempt("sends a datagram outside")
def _():
    return socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"x", ("192.0.2.1", 53))


@attempt("connects by IPv6")
def _():
    s = socket.socket(socket.AF_INET6)
    s.settimeout(2)
    s.connect(("2001:db8::1", 443))
    return True


@attempt("connects to an abstract socket of the host")
def _():
    s = socket.socket(socket.AF_UNIX)
    s.connect("\0" + P["abstract"])
    return True


@attempt("connects to a socket file of the host")
def _():
    s = socket.socket(socket.AF_UNIX)
    s.connect(P["socket_file"])
    return True


@attempt("opens a raw or packet socket")
def _():
    for family, kind, proto in ((socket.AF_INET, socket.SOCK_RAW, 1), (17, socket.SOCK_RAW, 0x300)):
        try:
            return str(socket.socket(family, kind, proto))
        except OSError:
            pass
    raise Refused("neither")


@attempt("opens a vsock to the machine's host")
def _():
    return str(socket.socket(40, socket.SOCK_STREAM))


@attempt("opens a kernel crypto socket")
def _():
    return str(socket.socket(38, socket.SOCK_SEQPACKET))


@attempt("makes a network interface")
def _():
    s = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)
    name = b"pried\0"
    attr = struct.pack("=HH", 4 + len(name), 3) + name + b"\0\0"
    kind = struct.pack("=HH", 9, 1) + b"dummy\0\0\0"
    attr += struct.pack("=HH", 4 + len(kind), 18) + kind
    body = struct.pack("=BBHiII", 0, 0, 0, 0, 0, 0) + attr
    s.send(struct.pack("=IHHII", 16 + len(body), 16, 0x605, 1, 0) + body)
    error = struct.unpack("=i", s.recv(4096)[16:20])[0]
    if error:
        raise OSError(-error, os.strerror(-error))
    return True


# ---- mounts, namespaces, rights ----


@attempt("mounts a tmpfs")
def _():
    return call(165, b"none", b"/w/tmp", b"tmpfs", 0, 0) == 0


@attempt("mounts through the new calls")
def _():
    return call(430, b"tmpfs", 0)


@attempt("makes /usr writable")
def _():
    return call(165, b"none", b"/usr", 0, 32 | 4096, 0) == 0


@attempt("unmounts /usr/local")
def _():
    return call(166, b"/usr/local", 2) == 0


@attempt("changes the root")
def _():
    return call(161, b"/w/tmp") == 0


@attempt("pivots the root")
def _():
    return call(155, b"/w/tmp", b"/w/tmp") == 0


@attempt("makes a user namespace by unshare")
def _():
    return call(272, 0x10000000) == 0


@attempt("makes a user namespace by clone")
def _():
    r = call(56, 0x10000000 | 17, 0, 0, 0, 0)
    if r == 0:
        os._exit(0)
    return r


@attempt("makes a user namespace by clone3")
def _():
    args = (ctypes.c_uint64 * 8)(0x10000000, 0, 0, 0, 17, 0, 0, 0)
    r = call(435, args, 64)
    if r == 0:
        os._exit(0)
    return r


@attempt("enters the namespaces of init")
def _():
    return call(308, os.open("/proc/1/ns/mnt", os.O_RDONLY), 0) == 0


@attempt("becomes root")
def _():
    os.setuid(0)
    return os.getuid()


@attempt("has capabilities")
def _():
    status = open("/proc/self/status").read()
    caps = [line for line in status.splitlines() if line.startswith("Cap")]
    return [c for c in caps if int(c.split()[1], 16)] or 1 / 0


@attempt("gains by a setuid program")
def _():
    return "NoNewPrivs:\t1" not in open("/proc/self/status").read() or 1 / 0


@attempt("runs a setuid program of its own")
def _():
    os.system("cp /usr/bin/id /w/tmp/id && chmod 6755 /w/tmp/id")
    said = subprocess.run(["/w/tmp/id"], capture_output=True, text=True).stdout
    return said if "euid=" in said or "uid=0" in said else 1 / 0


@attempt("runs without a filter")
def _():
    return "Seccomp:\t2" not in open("/proc/self/status").read() or 1 / 0


# ---- devices, keys, the kernel ----


@attempt("makes a device")
def _():
    os.mknod("/w/tmp/kmsg", stat.S_IFCHR | 0o666, os.makedev(1, 11))
    return True


@attempt("opens a device of the machine")
def _():
    for p in ("/dev/mem", "/dev/kmsg", "/dev/sda", "/dev/vda", "/dev/fuse", "/dev/kvm", "/dev/loop0", "/dev/net/tun"):
        if os.path.exists(p):
            return p
    raise Refused("none there")


@attempt("pushes keys into a terminal")
def _():
    master, slave = pty.openpty()
    fcntl.ioctl(slave, 0x5412, b"x")
    return True


@attempt("pushes keys into a terminal with high bits")
def _():
    _, slave = pty.openpty()
    return call(16, slave, (1 << 32) | 0x5412, b"x") == 0


@attempt("adds a key")
def _():
    return call(248, b"user", b"pried", b"x", 1, -3)


@attempt("reads the keyrings")
def _():
    return call(250, 0, -4, 1)


@attempt("loads a bpf program")
def _():
    return call(321, 0, ctypes.create_string_buffer(128), 128)


@attempt("opens a perf event")
def _():
    return call(298, ctypes.create_string_buffer(struct.pack("=II", 1, 112) + b"\0" * 104), 0, -1, -1, 0)


@attempt("opens an io_uring")
def _():
    return call(425, 4, ctypes.create_string_buffer(120))


@attempt("opens a userfaultfd")
def _():
    return call(323, 1)


@attempt("loads a module")
def _():
    return call(175, b"", 0, b"") == 0


@attempt("reboots")
def _():
    return call(169, 0xFEE1DEAD, 672274793, 0, 0) == 0


@attempt("loads a kernel")
def _():
    return call(246, 0, 0, 0, 0) == 0


@attempt("turns swap on")
def _():
    return call(167, b"/w/tmp/x", 0) == 0


@attempt("reads the kernel's log")
def _():
    return call(103, 3, ctypes.create_string_buffer(4096), 4096)


@attempt("changes its personality")
def _():
    return call(135, 0x0040000) >= 0


@attempt("renames the machine")
def _():
    return call(170, b"pried", 5) == 0


@attempt("sets the clock")
def _():
    return call(227, 0, (ctypes.c_long * 2)(0, 0)) == 0


# ---- memory shared with others, and limits ----


@attempt("attaches the host's SysV memory")
def _():
    return call(29, int(P["shm_key"]), 0, 0)


@attempt("makes SysV memory")
def _():
    return call(29, 0, 4096, 0o1600)


@attempt("opens the host's POSIX memory")
def _():
    return has_canary(P["posix_shm"])


@attempt("hides memory in a memfd")
def _():
    return call(319, b"x", 0)


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


modes = {
    "probe": probe,
    "memory": memory,
    "memory_in_many": memory_in_many,
    "memory_shared": memory_shared,
    "forks": forks,
    "threads": threads,
    "disk": disk,
    "disk_everywhere": disk_everywhere,
    "inodes": inodes,
    "folders": folders,
    "one_file": one_file,
    "descriptors": descriptors,
    "log_flood": log_flood,
    "line_flood": line_flood,
    "long_line": long_line,
    "terminal": terminal,
    "endless": endless,
    "daemons_stay": lambda: daemons(lambda: sys.exit(0)),
    "daemons_wait": lambda: daemons(lambda: time.sleep(600)),
    "stopped": stopped,
    "links": links,
}

if __name__ == "__main__":
    try:
        modes[sys.argv[1]]()
    except MemoryError:
        sys.exit(137)
    except OSError as e:
        print(e.strerror, e.errno, flush=True)
        sys.exit(70)
