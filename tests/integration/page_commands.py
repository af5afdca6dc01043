#!/usr/bin/env python3
"""page_commands.py PAGE [--scopes SCOPES_DEF]: the commands that a page of docs/ shows do what it says.

All ```sh blocks of the page are one script, run from top to bottom at a fresh broker with an operator's key. A line that
ends in `# refused: NAME` must be refused with that error, every other one must end with 0. With --scopes, the page's
table of scopes must name those of the file, all of them and no others. Why it matters: people copy what they read.
"""
import argparse
import os
import re
import shlex
import sys
from pathlib import Path

from kit import BUILD, Kit, check

REFUSED = re.compile(r"^(.*\S)\s+# refused: ([A-Z_]+)$")
PRELUDE = r"""
set -euo pipefail
refused() {
  local name=$1 said; shift
  if said=$("$@" 2>&1); then echo "was let in: $*" >&2; exit 1; fi
  case $said in *"($name)"*) ;; *) echo "$*: $name is not in: $said" >&2; exit 1 ;; esac
}
trap 'echo "failed: $BASH_COMMAND" >&2' ERR
"""


def script_of(page):
    """The script, its commands and its refusals."""
    lines, commands, refusals = [PRELUDE], 0, 0
    for block in re.findall(r"^```sh\n(.*?)^```", page, re.S | re.M):
        for line in block.splitlines():
            commands += bool(re.search(r"(^|[ (;])rota ", line))
            m = REFUSED.match(line)
            if m:
                refusals += 1
                line = f"refused {m.group(2)} env {m.group(1)}"
            lines.append(line)
    return "\n".join(lines) + "\n", commands, refusals


def scope_faults(page, file):
    rows = set(re.findall(r"^\| `([a-z]+:[a-z]+)` \|", page, re.M))
    known = set(re.findall(r'^SCOPE\(\w+, "([a-z:]+)"', Path(file).read_text(), re.M))
    check(known, f"{file} has scopes")
    return sorted(rows ^ known)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("page")
    parser.add_argument("--scopes")
    args = parser.parse_args()
    page = Path(args.page).read_text()
    script, commands, refusals = script_of(page)
    check(commands, f"{args.page} has commands")
    if args.scopes:
        faults = scope_faults(page, args.scopes)
        check(not faults, f"the table of scopes differs in {faults}")
    with Kit() as kit:
        kit.start()
        paths = [f"{BUILD}/{part}" for part in ("admin", "broker", "worker")]
        env = {**os.environ, "PATH": os.pathsep.join(paths + [os.environ["PATH"]]), "ROTA_URL": kit.url,
               "ROTA_KEY_FILE": kit.key, "NO_COLOR": "1"}
        home = f"{kit.dir}/home"
        os.mkdir(home)
        kit.run(["bash", "-c", script, shlex.quote(args.page)], cwd=home, env=env)
    print(f"{Path(args.page).name}: {commands} commands ran, {refusals} of them were refused as the page says")


if __name__ == "__main__":
    sys.exit(main())
