#!/usr/bin/env python3
"""A job that says too much, or things that are meant for a terminal: with an exec runner in its sandbox and on the
host. What the worker sends is counted on its own connection; what people see is what `rota` prints.
"""
import os
import socket
import struct
import threading
import time

from kit import Kit, check, main

FLOOD_S = 3
SENDS_A_SECOND = 5
# Besides the heartbeats: leases, a start, a finish, one heartbeat that is under way at each end.
OTHERS_MAX = 12
HOSTILE = (b"\x1b[31mred\x1b[0m \x1b[2J\x1b[1A\x1b]0;title\x07\x1b]52;c;eA==\x1b\\\x1bP+q1\x1b\\\x1bc\x1b[6n \xc2\x9b31m "
           b"\xc2\x9d0;t\xc2\x9c \x9b31m \x9d0;t\x9c \x07\x08\x0e\x7f old\rnew \xe2\x80\xaecod.exe \xe2\x81\xa6x\xe2\x81\xa9 "
           b"\xe2\x80\x8f\xd8\x9c\xe2\x80\xa8 \xc0\x9b[31m \x1b]2;without end")
SCRIPT = r"""#!/usr/bin/python3
import json, os, sys, time
spec = json.load(sys.stdin)
hostile = bytes.fromhex(spec.get("hex", ""))
if spec["do"] == "progress":
    end, n = time.monotonic() + spec["seconds"], 0
    while time.monotonic() < end:
        lines = b"".join(b'{"phase":"p%d","percent":%d,"message":"m"}\n' % (n + i, (n + i) % 100) for i in range(100))
        os.write(3, lines)
        n += 100
    os.write(3, b'{"phase":"last","percent":99}\n')
    print(n)
elif spec["do"] == "say":
    sys.stdout.buffer.write(b"begin " + hostile + b" end\n" + b"long " + (b"y" * 900 + hostile) * 1000)
    sys.stdout.buffer.write(b"\nnext\n")
    sys.stdout.flush()
    text = hostile.decode("utf-8", "replace")
    os.write(3, json.dumps({"phase": text, "percent": 7, "message": text}, ensure_ascii=spec["ascii"]).encode() + b"\n")
    time.sleep(0.5 if spec["ascii"] else 0)
    sys.exit(1)
"""


class Relay:
    """Between a worker and the broker; counts the worker's messages and their bytes."""

    def __init__(self, path, to):
        self.messages = self.bytes = 0
        self.server = socket.socket(socket.AF_UNIX)
        self.server.bind(path)
        self.server.listen(8)
        self.to = to
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            here, _ = self.server.accept()
            there = socket.socket(socket.AF_UNIX)
            there.connect(self.to)
            threading.Thread(target=self.copy, args=(there, here), daemon=True).start()
            threading.Thread(target=self.count, args=(here, there), daemon=True).start()

    @staticmethod
    def copy(a, b):
        while part := a.recv(65536):
            b.sendall(part)
        b.close()

    def count(self, a, b):
        """SP over ipc: 8 bytes of greeting, then messages: 1, the length in 8 bytes, the body."""
        head, left = b"", 8
        while part := a.recv(65536):
            b.sendall(part)
            while part:
                if left:
                    left, part = left - min(left, len(part)), part[left:]
                    continue
                take = 9 - len(head)
                head, part = head + part[:take], part[take:]
                if len(head) == 9:
                    left = struct.unpack(">Q", head[1:])[0]
                    self.messages, self.bytes, head = self.messages + 1, self.bytes + left, b""
        b.close()


def is_harmless(text, where):
    """Nothing that a terminal obeys, and nothing that turns the direction of writing."""
    for c in text:
        n = ord(c)
        bad = (n < 0x20 and c not in "\n\t") or 0x7F <= n < 0xA0 or n in (0x61C, 0x200E, 0x200F, 0x2028, 0x2029)
        check(not bad and not 0x202A <= n <= 0x202E and not 0x2066 <= n <= 0x2069, f"{where}: U+{n:04X} in {text[:200]!r}")


def publish(kit, class_, spec):
    return kit.publish("--class", class_, "--spec", spec, account="a")


def progress_flood(kit, relay, class_):
    kit.wait("a quiet worker", lambda: kit.json("stats")["tiers"][0]["leased"] == 0)
    before, from_s = relay.messages, time.monotonic()
    job = publish(kit, class_, '{"do":"progress","seconds":%d}' % FLOOD_S)
    kit.wait_state(job, "succeeded", "failed", "dead")
    seconds, sent = time.monotonic() - from_s, relay.messages - before
    s = kit.status(job)
    check(s["state"] == "succeeded", s.get("error"))
    lines = int(kit.rota("logs", job).stdout)
    check(lines > 10000, f"only {lines} lines: that is no flood")
    most = SENDS_A_SECOND * seconds + OTHERS_MAX
    check(SENDS_A_SECOND < sent <= most, f"{sent} messages in {seconds:.1f} s, not up to {most:.0f}")
    return f"{class_}: {lines} progress lines in {seconds:.1f} s, {sent} messages"


def hostile_words(kit, class_):
    shown = 0
    for is_ascii in ("false", "true"):
        spec = '{"do":"say","hex":"%s","ascii":%s}' % (HOSTILE.hex(), is_ascii)
        job = publish(kit, class_, spec)
        while kit.status(job)["state"] not in ("failed", "dead", "succeeded"):
            is_harmless(kit.rota("status", job).stdout, f"{class_}, status")
            is_harmless(kit.rota("list", ok=range(128)).stdout, f"{class_}, list")
            shown += 2
        for words in (("status", job), ("status", job, "--json"), ("logs", job), ("watch", "--all", "--from", "0"),
                      ("watch", "--all", "--from", "0", "--json"), ("why", job)):
            done = kit.rota(*words, ok=range(128))
            is_harmless(done.stdout, f"{class_}, {words}")
            is_harmless(done.stderr, f"{class_}, {words}")
            shown += 1
        check("next\n" in kit.rota("logs", job).stdout, "what comes after a sequence without end is there")
    return f"{class_}: {shown} answers about hostile words, none of them obeyed by a terminal"


def test():
    with Kit() as kit:
        os.chmod(kit.dir, 0o755)
        kit.start()
        kit.account("a", "enterprise")
        relay = Relay(f"{kit.dir}/relay", f"{kit.dir}/sock")
        url, kit.url = kit.url, f"ipc://{kit.dir}/relay"
        runner = kit.script("say", SCRIPT)
        small = ("--workspace-bytes", str(64 << 20))
        for class_, is_boxed in (("boxed", True), ("host", False)):
            kit.worker("--class", class_, *small, name=class_, runner=runner, boxed=is_boxed)
        kit.url = url
        for class_ in ("boxed", "host"):
            print(progress_flood(kit, relay, class_))
            print(hostile_words(kit, class_))


if __name__ == "__main__":
    main(test)
