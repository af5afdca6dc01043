#!/usr/bin/env python3
"""protocol_example.py: the programs in docs/PROTOCOL.md do what the page says.

Why it matters: they are what somebody copies who has no librota. Taken out of the page as it stands there, the first
publishes, is answered with the same job for the same key, waits for a broker that is down, and tells a refusal; what
the second seals is byte for byte what rota seals with the same secret, and opens with the key that it prints.
"""
import os
import re
import socket
import subprocess
import sys
from pathlib import Path

from kit import BUILD, Kit, check

PAGE = Path(__file__).resolve().parents[2] / "docs/PROTOCOL.md"


FORMS = f"{BUILD}/tests/integration/source_forms"


def example(name):
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.S)
    check(len(blocks) == 2, f"{len(blocks)} programs in the page")
    found = [b for b in blocks if b.startswith(f"# {name}:")]
    check(len(found) == 1, f"{len(found)} programs {name} in the page")
    return found[0]


def sealed(kit):
    """Archives of several sizes, none and whole chunks among them."""
    program, sizes = kit.script("seal.py", example("seal.py")), (0, 1, 65535, 65536, 65537, 200000)
    for n in sizes:
        archive, theirs, ours, back = (f"{kit.dir}/{x}" for x in ("archive", "theirs", "ours", "back"))
        Path(archive).write_bytes(os.urandom(n))
        Path(f"{kit.dir}/secret").write_text(Path(kit.key).read_text().split()[0])
        source, key = kit.run([sys.executable, program, f"{kit.dir}/secret", archive, theirs]).stdout.split()
        check(kit.run([FORMS, "seal", f"{kit.dir}/secret", archive, ours]).stdout.strip() == key, "another key")
        check(Path(ours).read_bytes() == Path(theirs).read_bytes(), f"{n} bytes are sealed in another way")
        kit.run([FORMS, "open", key, theirs, back])
        check(Path(back).read_bytes() == Path(archive).read_bytes(), f"{n} bytes came back otherwise")
        kit.run([FORMS, "open", "00" * 32, theirs, back], ok=(1,))
    return len(sizes)


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
    counts = {"lines": 0, "published": 0, "replayed": 0, "refused": 0, "sealed": 0}
    with Kit() as kit:
        program = kit.script("publish.py", example("publish.py"))
        counts["lines"] = example("publish.py").count("\n")
        counts["sealed"] = sealed(kit)
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
