#!/usr/bin/env python3
"""clang_tidy.py: clang-tidy over the sources, each again only when something it reads has changed.

    tests/lint/clang_tidy.py BUILD SOURCE...      BUILD: a meson folder configured and built with CC=clang

A source is clean as long as nothing that led to the verdict changes: its bytes, those of every header
that its compiler run read (ninja knows them, system headers included), the compile commands, .clang-tidy
and the version of clang-tidy. The digest of all that stands in .cache/clang-tidy.json once the run was
clean; a finding is never remembered, so it comes back until it is gone. One source a run, because a
fault in one then cannot hide another.
"""
import hashlib
import json
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
CACHE = TOP / ".cache/clang-tidy.json"


def run(*command):
    return subprocess.run(command, cwd=TOP, capture_output=True, text=True, check=True).stdout


def commands_of(build):
    """Source -> its compile commands, with the object each writes; a source may be built more than once."""
    commands = {}
    for row in json.loads((build / "compile_commands.json").read_text()):
        source = os.path.relpath(os.path.join(row["directory"], row["file"]), TOP)
        commands.setdefault(source, []).append((row["command"], row["output"]))
    return commands


def headers_of(build):
    """Object -> every file that its compiler run read."""
    headers, current = {}, None
    for line in run("ninja", "-C", str(build), "-t", "deps").splitlines():
        if line.startswith("    "):
            headers[current].append(os.path.join(build, line.strip()))
        elif ": #deps" in line:
            current = line.split(": #deps")[0]
            headers[current] = []
    return headers


def digests(build, sources):
    """Source -> digest of all that its verdict depends on. Exits when a source is in no compile command."""
    tool = run("clang-tidy", "--version") + (TOP / ".clang-tidy").read_text()
    commands, headers, seen = commands_of(build), headers_of(build), {}

    def digest_file(path):
        if path not in seen:
            seen[path] = hashlib.sha256(Path(path).read_bytes()).hexdigest()
        return seen[path]

    def digest_source(source):
        total = hashlib.sha256(tool.encode())
        for command, output in sorted(commands[source]):
            total.update(command.encode())
            for path in [str(TOP / source)] + sorted(headers[output]):
                total.update(f"{path} {digest_file(path)}\n".encode())
        return total.hexdigest()

    unknown = [s for s in sources if s not in commands
               or any(output not in headers for _, output in commands[s])]
    if unknown:
        sys.exit(f"clang-tidy: not built in {build}: {' '.join(unknown)}")
    return {s: digest_source(s) for s in sources}


def analyse(build, source):
    """0 when clean; prints the findings otherwise."""
    done = subprocess.run(["clang-tidy", "--quiet", "-p", str(build), source], cwd=TOP,
                          capture_output=True, text=True)
    if done.returncode:
        told = [line for line in done.stderr.splitlines() if "warnings generated" not in line]
        print(done.stdout + "\n".join(told), flush=True)
    return done.returncode


def main(build, sources):
    began = time.monotonic()
    wanted = digests(build, sources)
    known = json.loads(CACHE.read_text()) if CACHE.is_file() else {}
    due = [s for s in sources if known.get(s) != wanted[s]]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        verdicts = dict(zip(due, pool.map(lambda s: analyse(build, s), due)))
    dirty = [s for s in due if verdicts[s]]
    CACHE.parent.mkdir(exist_ok=True)
    fresh = CACHE.with_suffix(".new")
    fresh.write_text(json.dumps({s: wanted[s] for s in sources if s not in dirty}, indent=1))
    fresh.replace(CACHE)
    print(f"clang-tidy: {len(sources)} files, {len(due)} analysed, {len(sources) - len(due)} unchanged since "
          f"they were clean, {len(dirty)} with findings, {time.monotonic() - began:.0f} s")
    return 1 if dirty or not sources else 0


if len(sys.argv) < 3:
    sys.exit(__doc__)
sys.exit(main((TOP / sys.argv[1]).resolve(), sys.argv[2:]))
