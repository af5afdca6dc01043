"""Guard: no rights, and a filter of system calls. Mounts, namespaces, devices, keys, the kernel itself."""

import ctypes
import fcntl
import os
import pty
import stat
import struct
import subprocess

from rig import Refused, attempt, call

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
