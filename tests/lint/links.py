#!/usr/bin/env python3
"""links.py: what the documents point at is there.

Every relative link of a Markdown file and every file named in `code` must exist, every #anchor must be a heading,
every script or test that prose names is in the tree. In pages of the manual too. Prints what it saw; exits 1 with
each finding. Links to the web are not followed.
"""
import re
import subprocess
import sys
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
CODE = re.compile(r"`([^`\n]+)`")
# A path of this tree, as prose names it: begins with one of the tree's folders and has no blank in it.
PATH = re.compile(r"(?:broker|worker|admin|proto|tests|scripts|docs)/[\w./*{},-]*")
FENCE = re.compile(r"^```.*?^```", re.S | re.M)


def tracked(*patterns):
    out = subprocess.run(["git", "ls-files", "-co", "--exclude-standard", *patterns], cwd=TOP,
                         capture_output=True, text=True, check=True).stdout
    return [p for p in out.splitlines() if (TOP / p).is_file()]


def blank(m):
    return re.sub(r"[^\n]", " ", m.group(0))


def anchors(text):
    """The anchors of a page's headings, as code forges make them."""
    made = set()
    for heading in re.findall(r"^#+ (.*)$", FENCE.sub(blank, text), re.M):
        words = re.sub(r"[^\w\- ]", "", heading.lower())
        made.add(words.strip().replace(" ", "-"))
    return made


def braces(path):
    """a/{b,c}.h -> a/b.h, a/c.h"""
    m = re.search(r"\{([^{}]*)\}", path)
    if not m:
        return [path]
    return [p for part in m.group(1).split(",") for p in braces(path[:m.start()] + part + path[m.end():])]


def exists(path):
    path = path.rstrip(".,")
    return any(TOP.glob(path.rstrip("/"))) if "*" in path else (TOP / path).exists()


def link_faults(page, text):
    """(line, what) of each link that leads nowhere."""
    for number, line in enumerate(FENCE.sub(blank, text).splitlines(), 1):
        for target in LINK.findall(line):
            if re.match(r"[a-z]+:", target):
                continue
            file, _, anchor = target.partition("#")
            to = (TOP / page).parent / file if file else TOP / page
            if not to.exists():
                yield number, f"{target} leads nowhere"
            elif anchor and to.suffix == ".md" and anchor not in anchors(to.read_text()):
                yield number, f"{target}: no such heading"


def path_faults(text, is_manual):
    """(line, what) of each file of the tree that is named and is not there."""
    for number, line in enumerate(text.splitlines(), 1):
        for code in [line] if is_manual else CODE.findall(line):
            for m in PATH.finditer(code):
                whole = m.start() == 0 or code[m.start() - 1] in " `(*"
                if whole and not all(exists(p) for p in braces(m.group(0))):
                    yield number, f"{m.group(0)} is not in the tree"


def self_test():
    planted = [
        ("[x](no-such-page.md)\n", 1), ("[x](README.md)\n", 0), ("[x](README.md#no-such-heading)\n", 1),
        ("see `broker/engine/no_such.c`\n", 1), ("see `broker/engine/{turn,no_such}.c`\n", 1),
        ("see `broker/engine/turn.c` and `build/broker/rotad`\n", 0), ("[x](https://example.org)\n", 0),
    ]
    for text, expected in planted:
        n = len(list(link_faults("page.md", text))) + len(list(path_faults(text, False)))
        if n != expected:
            print(f"self-test: {text!r} has {n} faults, not {expected}")
            return 1
    print(f"self-test: {len(planted)} planted texts judged rightly")
    return 0


def main():
    if self_test():
        return 1
    found, links, paths = [], 0, 0
    pages = tracked("*.md", "*.scd")
    for page in pages:
        text = (TOP / page).read_text()
        is_manual = page.endswith(".scd")
        links += len(LINK.findall(text))
        paths += len(PATH.findall(text))
        faults = [] if is_manual else list(link_faults(page, text))
        found += [f"{page}:{n}: {what}" for n, what in faults + list(path_faults(text, is_manual))]
    print("\n".join(found))
    print(f"links: {len(pages)} pages, {links} links, {paths} paths, {len(found)} findings")
    return 1 if found or not links else 0


if __name__ == "__main__":
    sys.exit(main())
