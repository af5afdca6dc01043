#!/usr/bin/env python3
"""tidy.py: the rules of this tree that no compiler checks.

Includes follow the layers; every source is built and every header used; no banned call; every log id is
documented; nothing unfinished, no path of a machine. Prints what it saw; exits 1 with each finding.
"""
import re
import subprocess
import sys
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]

# Folder -> folders whose headers it may include. base is everybody's.
LAYERS = {
    "proto/base": {"proto/base"},
    "proto": {"proto/base", "proto"},
    "broker/sched": {"proto/base", "broker/sched"},
    "broker/store": {"proto/base", "proto", "broker/store"},
    "broker/net": {"proto/base", "proto", "broker/net"},
    # The engine knows the shape of a request (net/inbox.h) and nothing else of net.
    "broker/engine": {"proto/base", "proto", "broker/sched", "broker/store", "broker/engine"},
    "broker/edge": {"proto/base", "proto", "broker/net", "broker/engine", "broker/store",
                    "broker/edge", "broker/sched"},
    "worker": {"proto/base", "proto", "worker"},
    "worker/box": {"proto/base", "proto", "worker/box"},
    "worker/sandbox": {"proto/base", "proto", "worker", "worker/sandbox"},
    "worker/cache": {"proto/base", "proto", "worker", "worker/cache"},
    "worker/bundle": {"proto/base", "proto", "worker", "worker/sandbox", "worker/cache", "worker/bundle"},
    "worker/exec": {"proto/base", "proto", "worker", "worker/sandbox", "worker/bundle", "worker/exec"},
    "admin": {"proto/base", "proto", "admin", "admin/cli", "admin/tui"},
    "admin/cli": {"proto/base", "proto", "admin", "admin/cli", "admin/tui"},
    "admin/tui": {"proto/base", "proto", "admin", "admin/tui"},
}
ALSO = {("broker/engine", "broker/net/inbox.h"), ("worker/box", "worker/bundle/engines.h"),
        ("admin/cli", "worker/box/registries.h")}
ROOTS = {"proto": ["proto"], "broker": ["broker", "proto"], "worker": ["worker", "proto"],
         "admin": ["admin", "proto", "worker/box"]}
BANNED = re.compile(r"(?<![\w.>])(strcpy|strcat|sprintf|vsprintf|gets|atoi|atol|atof|strtok|sleep|usleep"
                    r"|system|popen|mktemp|tmpnam|alloca)\s*\(")
UNFINISHED = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")
# The id, or the two that a condition chooses from.
LOG = re.compile(r"\b(?:log_(?:error|warn|info|debug)\(|endpoint_note\(e,)\s*(?:[^\";]*\? )?"
                 r"\"([a-z0-9_.]+)\"(?: : \"([a-z0-9_.]+)\")?")
found = []


def say(path, line, what):
    found.append(f"{path}:{line}: {what}")


def tracked(*patterns):
    out = subprocess.run(["git", "ls-files", "-co", "--exclude-standard", *patterns], cwd=TOP,
                         capture_output=True, text=True, check=True).stdout
    return [p for p in out.splitlines() if (TOP / p).is_file()]


def layer_of(path):
    folder = str(Path(path).parent)
    while folder not in LAYERS and folder not in (".", ""):
        folder = str(Path(folder).parent)
    return folder if folder in LAYERS else None


def resolve(path, name):
    """The tree's file that `#include "name"` in `path` means, or None."""
    beside = Path(path).parent / name
    candidates = [beside] + [Path(r) / name for r in ROOTS.get(Path(path).parts[0], [])]
    for c in candidates:
        if (TOP / c).is_file():
            return str(c)
    return None


def code_only(text):
    """Comments and string literals blanked, line numbers kept."""
    blank = lambda m: re.sub(r"[^\n]", " ", m.group(0))
    return re.sub(r"/\*.*?\*/|//[^\n]*|\"(?:\\.|[^\"\\\n])*\"", blank, text, flags=re.S)


def check_includes(path, text, used):
    layer = layer_of(path)
    for number, line in enumerate(text.splitlines(), 1):
        m = re.match(r"\s*#\s*include\s+[\"<]([^\">]+)[\">]", line)
        if not m:
            continue
        target = resolve(path, m.group(1))
        if not target and m.group(1).startswith("base/"):
            target = "proto/" + m.group(1)
        if not target:
            used.add(Path(m.group(1)).name)
            continue
        used.add(target)
        of = layer_of(target)
        if layer and of and of not in LAYERS[layer] and (layer, target) not in ALSO:
            say(path, number, f"{layer} must not know {target}")


def check_text(path, text, is_code):
    source = code_only(text) if is_code else text
    for number, line in enumerate(source.splitlines(), 1):
        m = BANNED.search(line) if is_code else None
        if m:
            say(path, number, f"banned call: {m.group(1)}")
    for number, line in enumerate(text.splitlines(), 1):
        if UNFINISHED.search(line):
            say(path, number, "unfinished")


def check_built(sources):
    listed = "\n".join((TOP / p).read_text() for p in tracked("*meson.build"))
    for path in sources:
        name = Path(path).name
        words = Path(path).stem.split("_")  # 'test_@0@.c'.format('ring') builds test_ring.c
        stems = ["_".join(words[i:]) for i in range(len(words))]
        if name not in listed and not any(f"'{stem}'" in listed for stem in stems):
            say(path, 1, "no meson.build builds it")


def check_log_ids(ids, sources):
    """Both ways: an id without its entry, and an entry whose id no source says any more."""
    doc = TOP / "docs/log-ids.md"
    text = doc.read_text() if doc.is_file() else ""
    code = "\n".join((TOP / p).read_text() for p in sources)
    for number, line in enumerate(text.splitlines(), 1):
        m = re.match(r"\| `([a-z0-9_.]+)` \|", line)
        if m and f'"{m.group(1)}"' not in code:
            say("docs/log-ids.md", number, f"no source says {m.group(1)}")
    for name, place in sorted(ids.items()):
        if f"`{name}`" not in text:
            say(place, 1, f"log id {name} is not in docs/log-ids.md")
    for number, line in enumerate(text.splitlines(), 1):
        m = re.match(r"\| `([a-z0-9_.]+)` \|", line)
        if m and m.group(1) not in ids:
            say("docs/log-ids.md", number, f"no code writes log id {m.group(1)}")


def self_test():
    """The lint must see what it is there for: each planted fault is found, clean text is not."""
    planted = [
        ("broker/sched/planted.c", '#include "store/store.h"\n', "must not know"),
        ("broker/engine/planted.c", '#include "net/endpoint.h"\n', "must not know"),
        ("proto/planted.c", '#include "base/err.h"\nint f(void) { return atoi("1"); }\n', "banned"),
        ("admin/planted.c", "/* TO" + "DO: later */\n", "unfinished"),
        ("broker/engine/planted.c", '#include "net/inbox.h"\n/* sleep() is banned */\n', None),
    ]
    for path, text, expected in planted:
        found.clear()
        check_includes(path, text, set())
        check_text(path, text, True)
        if (expected is None) != (not found) or (expected and expected not in found[0]):
            print(f"self-test: {path} with {text!r}: {found}")
            return 1
    found.clear()
    print(f"self-test: {len(planted)} planted texts judged rightly")
    return 0


def main():
    if self_test():
        return 1
    sources, headers = tracked("*.c"), tracked("*.h")
    used, ids = set(), {}
    for path in sources + headers:
        text = (TOP / path).read_text()
        check_includes(path, text, used)
        check_text(path, text, True)
        for names in LOG.findall(re.sub(r"/\*.*?\*/", "", text, flags=re.S)):
            for name in filter(None, names):
                ids.setdefault(name, path)
    for path in headers:
        if path not in used and Path(path).name not in used:
            say(path, 1, "no file includes it")
    check_built(sources)
    check_log_ids(ids, sources)
    for line in found:
        print(line)
    print(f"tidy: {len(sources)} sources, {len(headers)} headers, {len(ids)} log ids, {len(found)} findings")
    return 1 if found or not sources else 0


sys.exit(main())
