"""Guard: namespaces. Processes, networks and shared memory of others."""

import ctypes
import glob
import os
import signal
import socket
import struct
import time

from rig import P, Refused, attempt, call, has_canary

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


# ---- memory shared with others ----


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
