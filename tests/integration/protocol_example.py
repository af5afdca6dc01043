#!/usr/bin/env python3
"""protocol_example.py: the program in docs/PROTOCOL.md does what the page says.

Why it matters: it is what somebody copies who has no librota. Taken out of the page as it stands there, it
publishes, is answered with the same job for the same key, waits for a broker that is down, and tells a refusal.
"""
import re
import socket
import subprocess
import sys
from pathlib import Path

from kit import Kit, check

PAGE = Path(__file__).resolve().parents[2] / "docs/PROTOCOL.md"


def example():
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.S)
    check(len(blocks) == 1, f"{len(blocks)} programs in the page")
    return blocks[0]


def key_file(kit, name, *lines):
    path = f"{kit.dir}/{name}"
    Path(path).write_text("\n".join(lines) + "\n")
    return path


def first_try_fails(kit, argv):
    """Starts the program at a socket that hangs up on it once; the broker comes after that."""
    with socket.socket(socket.AF_UNIX) as nobody:
        nobody.bind(f"{kit.dir}/sock")
        nobody.listen()
        nobody.settimeout(30)
        child = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)
        kit.children.append(child)
        nobody.accept()[0].close()
    return child


def main():
    counts = {"lines": 0, "published": 0, "replayed": 0, "refused": 0}
    with Kit() as kit:
        program = kit.script("publish.py", example())
        counts["lines"] = example().count("\n")
        run = [sys.executable, program, f"{kit.dir}/sock"]
        early = first_try_fails(kit, [*run, kit.key, "key-1"])
        kit.start()
        first = early.communicate(timeout=60)[0].split()
        check(early.returncode == 0 and first[1:] == ["new"], f"first publish: {early.returncode} {first}")
        again = kit.run([*run, kit.key, "key-1"]).stdout.split()
        check(again == [first[0], "again"], f"the same key gave {again}, not {first[0]}")
        other = kit.run([*run, kit.key, "key-2"]).stdout.split()
        check(other[1] == "new" and other[0] != first[0], f"another key gave {other}")
        job = kit.status(first[0])
        check((job["app"], job["class"], job["spec"]) == ("shop", "task", {"say": "hello"}), str(job))
        counts["published"], counts["replayed"] = len(kit.json("list")["jobs"]), 1
        check(counts["published"] == 2, f"{counts['published']} jobs stand in the queue")
        credential = Path(kit.key).read_text().split()[0]
        for name, file, key in (
                ("KEY_UNKNOWN", key_file(kit, "bad", "rota_test_none", "development"), "key-3"),
                ("WRONG_ENVIRONMENT", key_file(kit, "else", credential, "production"), "key-3"),
                ("FIELD_TOO_LONG", kit.key, "k" * 129)):
            said = kit.run([*run, file, key], ok=(1,)).stderr
            check(f"({name})" in said, f"{name} was expected: {said}")
            counts["refused"] += 1
    print(", ".join(f"{n} {what}" for what, n in counts.items()))


if __name__ == "__main__":
    main()
