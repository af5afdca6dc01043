"""Tries to reach what an install may not: directly, and through the proxy that it does have. Each attempt is a line on
fd 3, "worked NAME why" or "refused NAME why", by tabs. What is there to be reached stands in /w/app/params: `port`, a
listener of the host that nobody may reach; `allowed`, the one that is on the proxy's list; `named`, a port of the host
whose name (localhost) is on the list, but leads to a private address."""

import array
import glob
import os
import socket

P = dict(line.rstrip("\n").split("=", 1) for line in open("/w/app/params"))
PORT, ALLOWED, NAMED = P["port"], P["allowed"], P["named"]
attempts = []


def attempt(name):
    def note(f):
        attempts.append((name, f))
        return f

    return note


def direct(host, port, family=socket.AF_INET, kind=socket.SOCK_STREAM):
    s = socket.socket(family, kind)
    s.settimeout(2)
    s.connect((host, int(port)))
    return f"connected to {host}:{port}"


def proxy():
    s = socket.socket()
    s.settimeout(4)
    s.connect(("127.0.0.1", 3128))
    return s


def answer(request):
    s = proxy()
    s.sendall(request)
    return s, s.recv(4096).decode("latin-1")


def through(target, more=""):
    """A tunnel, or the proxy's refusal as an error. Whoever is not refused must be heard from."""
    s, said = answer(f"CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n{more}\r\n".encode())
    if " 200 " not in said.split("\r\n")[0]:
        raise OSError(said.split("\r\n")[0])
    return s


def tunnel(name, target):
    @attempt(name)
    def _():
        through(target)
        return f"a tunnel to {target}"


# ---- without the proxy ----


@attempt("install: connects to the host's loopback")
def _():
    return direct("127.0.0.1", PORT)


@attempt("install: connects to the registry itself")
def _():
    return direct("127.0.0.1", ALLOWED)


@attempt("install: connects to the host by another loopback address")
def _():
    return direct("127.9.9.9", PORT)


@attempt("install: connects to an address outside")
def _():
    return direct("192.0.2.1", 443)


@attempt("install: connects to a private network")
def _():
    return direct("10.0.0.1", 80)


@attempt("install: connects to a metadata address")
def _():
    return direct("169.254.169.254", 80)


@attempt("install: connects by IPv6")
def _():
    return direct("2001:db8::1", 443, socket.AF_INET6)


@attempt("install: sends a datagram to a name server")
def _():
    return socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"x", ("192.0.2.53", 53))


@attempt("install: resolves a name")
def _():
    return socket.getaddrinfo("example.com", 443)


@attempt("install: reads the host's resolver settings")
def _():
    return [p for p in ("/etc/resolv.conf", "/etc/hosts", "/etc/nsswitch.conf") if os.path.exists(p)] or 1 / 0


@attempt("install: has another interface than loopback")
def _():
    return [n for _, n in socket.if_nameindex() if n != "lo"] or 1 / 0


@attempt("install: connects to an abstract socket of the host")
def _():
    s = socket.socket(socket.AF_UNIX)
    s.connect("\0" + P["abstract"])
    return "connected"


@attempt("install: opens a vsock to the machine's host")
def _():
    return str(socket.socket(40, socket.SOCK_STREAM))


@attempt("install: sees a process of the proxy")
def _():
    lines = [open(p, "rb").read() for p in glob.glob("/proc/[0-9]*/cmdline")]
    return [line for line in lines if b"proxy.mjs" in line] or 1 / 0


@attempt("install: writes to /net")
def _():
    open("/net/pried", "w")
    return "wrote"


@attempt("install: replaces the proxy's socket")
def _():
    os.unlink("/net/proxy.sock")
    return "gone"


@attempt("install: finds another build's /net")
def _():
    return [p for p in glob.glob("/net/../net-*") + glob.glob("/run/rota-worker/*") + glob.glob("/proc/1/root/run/*")] or 1 / 0


# ---- through the proxy ----

tunnel("proxy: the host's loopback", f"127.0.0.1:{PORT}")
tunnel("proxy: another port of an allowed host", "127.0.0.1:22")
tunnel("proxy: an allowed name that leads to the host itself", f"localhost:{NAMED}")
tunnel("proxy: a listed address that is public only", f"127.0.0.2:{NAMED}")
tunnel("proxy: a listed private address", "10.0.0.1:443")
tunnel("proxy: a listed metadata address", "169.254.169.254:80")
tunnel("proxy: a host that is not on the list", "evil.example:443")
tunnel("proxy: a subdomain of one that is", f"x.localhost:{NAMED}")
tunnel("proxy: the name in capitals", f"LOCALHOST:{NAMED}")
tunnel("proxy: the name with a dot behind", f"localhost.:{NAMED}")
tunnel("proxy: all addresses of the host", f"0.0.0.0:{PORT}")
tunnel("proxy: loopback by IPv6", f"[::1]:{PORT}")
tunnel("proxy: loopback by mapped IPv6", f"[::ffff:127.0.0.1]:{PORT}")
tunnel("proxy: loopback in short", f"127.1:{PORT}")
tunnel("proxy: loopback in hexadecimal", f"0x7f000001:{PORT}")
tunnel("proxy: loopback as a number", f"2130706433:{PORT}")
tunnel("proxy: loopback in octal", f"0177.0.0.1:{PORT}")
tunnel("proxy: a user part", f"127.0.0.1:{ALLOWED}@127.0.0.1:{PORT}")
tunnel("proxy: a path", f"127.0.0.1:{PORT}/127.0.0.1:{ALLOWED}")
tunnel("proxy: a port with zeros", f"127.0.0.1:0{PORT}")
tunnel("proxy: no port", "127.0.0.1")
tunnel("proxy: nothing", "")


@attempt("proxy: says another host in the header")
def _():
    _, said = answer(f"CONNECT 127.0.0.1:{PORT} HTTP/1.1\r\nHost: 127.0.0.1:{ALLOWED}\r\n\r\n".encode())
    if " 200 " not in said:
        raise OSError(said.split("\r\n")[0])
    return said


@attempt("proxy: http in absolute form to the host")
def _():
    _, said = answer(f"GET http://127.0.0.1:{PORT}/ HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    if " 403 " in said:  # any other answer means that it went there
        raise OSError(said.split("\r\n")[0])
    return said


@attempt("proxy: http in absolute form where TLS is allowed")
def _():
    _, said = answer(f"GET http://127.0.0.1:{ALLOWED}/ HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    if " 403 " in said:  # any other answer means that it went there
        raise OSError(said.split("\r\n")[0])
    return said


@attempt("proxy: its own pages")
def _():
    _, said = answer(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
    if " 200 " not in said:
        raise OSError(said.split("\r\n")[0])
    return said


@attempt("proxy: a second request behind a refused one")
def _():
    s, said = answer(f"CONNECT evil.example:443 HTTP/1.1\r\n\r\nCONNECT 127.0.0.1:{PORT} HTTP/1.1\r\n\r\n".encode())
    more = b""
    try:
        while got := s.recv(4096):
            more += got
    except OSError:
        pass
    if " 200 " not in said + more.decode("latin-1"):
        raise OSError(said.split("\r\n")[0])
    return said


@attempt("proxy: straight to its socket")
def _():
    s = socket.socket(socket.AF_UNIX)
    s.settimeout(4)
    s.connect("/net/proxy.sock")
    s.sendall(f"CONNECT 127.0.0.1:{PORT} HTTP/1.1\r\n\r\n".encode())
    said = s.recv(4096).decode("latin-1")
    if " 200 " not in said:
        raise OSError(said.split("\r\n")[0])
    return said


@attempt("proxy: hands it a descriptor to keep")
def _():
    s = socket.socket(socket.AF_UNIX)
    s.settimeout(4)
    s.connect("/net/proxy.sock")
    fd = os.open("/w/app/params", os.O_RDONLY)
    s.sendmsg([f"CONNECT 127.0.0.1:{PORT} HTTP/1.1\r\n\r\n".encode()],
              [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [fd]))])
    said = s.recv(4096).decode("latin-1")
    if " 200 " not in said:
        raise OSError(said.split("\r\n")[0])
    return said


@attempt("proxy: is kept from the host that is allowed")
def _():
    s = through(f"127.0.0.1:{ALLOWED}")
    s.sendall(b"ping")
    if s.recv(4) == b"ping":
        raise OSError("reached, as it should be")
    return "no answer"


@attempt("proxy: opens tunnels without end")
def _():
    held = []
    try:
        for _ in range(600):
            s = through(f"127.0.0.1:{ALLOWED}")
            held.append(s)
    except OSError as e:
        if len(held) > 128:
            return f"{len(held)} at once"
        raise OSError(f"{len(held)} at once, then: {e}")
    return f"{len(held)} at once"


@attempt("proxy: carries away more than it may")
def _():
    s = through(f"127.0.0.1:{ALLOWED}")
    s.settimeout(20)
    piece, sent = b"x" * (1 << 20), 0
    while sent < 200 << 20:
        try:
            s.sendall(piece)
        except OSError as e:
            raise OSError(f"{sent >> 20} MiB, then: {e}")
        sent += len(piece)
    return f"{sent >> 20} MiB"


@attempt("proxy: goes on after that")
def _():
    through(f"127.0.0.1:{ALLOWED}")
    return "a tunnel"


def make(name, f):
    word, why = "refused", ""
    try:
        why, word = str(f()), "worked"
    except ZeroDivisionError:
        why = "nothing found"
    except (OSError, ValueError) as e:
        why = str(e)
    os.write(3, f"{word}\t{name}\t{why}".replace("\n", " ")[:400].encode() + b"\n")


for name, f in attempts:
    if os.fork() == 0:
        make(name, f)
        os._exit(0)
    os.wait()
