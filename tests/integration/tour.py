"""tour.py runs docs/TOUR.md: every command of its console blocks, in order, in one shell beside a real broker and
worker, and compares what is printed with what the tour shows. It matters because the tour is the first thing people
try, and a rule that nobody can reach by a command might as well not be there.

In a block, a line that begins with "$ " is a command, "> " carries it on, and the rest is what it prints. There "…"
stands for anything within a line, a line of only "…" for any lines, and blanks count as one blank. People pause
between two commands and a test does not, so a command that only reads is asked again until its answer fits.

    tour.py TOUR.md            compare
    tour.py TOUR.md --write    put in what is printed now, ids and times masked; read the difference before you keep it
"""
import os
import queue
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

from kit import Failed, check, main, program

READS = re.compile(r"rota (why|next|what-if|status|stats|list|find|usage|\w+ list|\w+ show|key usage|logs|trail)\b")
PATIENCE_S = 20
SHELL = r'''while IFS= read -r -d "" command <&9; do eval "$command" </dev/null; printf '\n%s\n' "$END"; done'''
MASKS = [  # and where in a column the rest stands
    (r"job_[0-9a-z]{26}", "job_…", str.ljust),
    (r"(rota_(?:test|live)_)[\w-]{2,}…?", r"\1…", str.ljust),
    (r"(20\d\d-)\d\d-\d\dT[\d:.]+Z", r"\1…Z", str.ljust),
    (r"^(20\d\d-)\d\d ", r"\1… ", str.ljust),
    (r"\b\d+(\.\d+)?( ?)ms\b", r"…\2ms", str.rjust),
]


class Step:
    """One command, the lines it is shown to print, and where they stand in the file."""

    def __init__(self, line, command):
        self.line, self.command, self.expected = line, command, []

    def fits(self, printed):
        pattern = "".join(r"(?:.*\n)*?" if line.strip() == "…" else line_pattern(line) + r" *\n" for line in self.expected)
        return re.fullmatch(pattern, "".join(line + "\n" for line in printed)) is not None


def line_pattern(line):
    text = re.escape(" ".join(line.split())).replace(r"\ ", " +").replace("…", ".*")
    return " *" + re.sub(r"\b20\d\d\\-", r"20\\d\\d\\-", text)  # a year that is shown stands for any


def steps_of(lines):
    steps, inside = [], False
    for number, line in enumerate(lines, 1):
        if line.startswith("```"):
            inside = not inside and line.strip() == "```console"
        elif inside and line.startswith("$ "):
            steps.append(Step(number, line[2:]))
        elif inside and line.startswith("> ") and steps and not steps[-1].expected:
            steps[-1].command += "\n" + line[2:]
        elif inside:
            steps[-1].expected.append(line)
    return steps


class Shell:
    """A bash that takes one command at a time, as a person at a terminal would type them."""

    def __init__(self, folder):
        self.end = "end-of-" + os.urandom(8).hex()
        taken, self.commands = os.pipe()
        paths = [os.path.dirname(program(name)) for name in ("rotad", "rota-worker", "rota")]
        env = {name: value for name, value in os.environ.items() if not name.startswith("ROTA_")}
        env.update({"PATH": ":".join(paths + [os.environ["PATH"]]), "TMPDIR": folder, "NO_COLOR": "1", "END": self.end})
        self.process = subprocess.Popen(["bash", "-c", f"exec 9<&{taken}; {SHELL}"], cwd=folder, env=env,
                                        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                                        pass_fds=[taken], start_new_session=True)
        os.close(taken)
        self.lines = queue.SimpleQueue()
        threading.Thread(target=self.listen, daemon=True).start()

    def listen(self):
        for line in self.process.stdout:
            self.lines.put(line.rstrip("\n"))

    def run(self, command):
        os.write(self.commands, command.encode() + b"\0")
        printed, end = [], time.monotonic() + PATIENCE_S
        while not printed or printed[-1] != self.end:
            try:
                printed.append(self.lines.get(timeout=max(0, end - time.monotonic())))
            except queue.Empty:
                raise Failed(f"no end of `{command}` within {PATIENCE_S} s: {printed}") from None
        printed.pop()
        return printed[:-1] if printed and not printed[-1] else printed

    def close(self):
        """Ends the shell's own session: what it started and nothing else. Returns when all of it is gone."""
        os.close(self.commands)
        end = time.monotonic() + PATIENCE_S
        try:
            while time.monotonic() < end:
                os.killpg(self.process.pid, signal.SIGKILL)
                self.process.poll()
                time.sleep(0.01)
        except ProcessLookupError:
            pass


def take(shell, step):
    """Runs a step. A read is asked again while its answer does not fit yet."""
    end = time.monotonic() + PATIENCE_S
    printed = shell.run(step.command)
    while not step.fits(printed) and READS.match(step.command) and time.monotonic() < end:
        time.sleep(0.1)
        printed = shell.run(step.command)
    return printed


def masked(printed):
    """What is printed now, without what the next run prints otherwise. Columns stay where they are."""
    is_table = any(re.match(r"[A-Z#][A-Z-]* +[A-Z]{2}", line) for line in printed)

    def put(match, mask, just):
        text = match.expand(mask)
        return just(text, len(match.group())) if is_table else text

    for pattern, mask, just in MASKS:
        printed = [re.sub(pattern, lambda m: put(m, mask, just), line) for line in printed]
    return [line.rstrip() for line in printed]


def write(path, lines, shell, steps):
    """Puts what is printed now in place of what does not fit."""
    out, at = [], 0
    for step in steps:
        start = step.line + step.command.count("\n")
        out += lines[at:start]
        at = start + len(step.expected)
        printed = shell.run(step.command) if not step.expected else take(shell, step)
        out += step.expected if step.expected and step.fits(printed) else masked(printed)
    with open(path, "w") as f:
        f.write("\n".join(out + lines[at:]) + "\n")


def compare(path, shell, steps):
    for step in steps:
        printed = take(shell, step)
        check(step.fits(printed), f"{path}:{step.line}: $ {step.command}\n--- the tour shows\n" +
              "\n".join(step.expected) + "\n--- it prints\n" + "\n".join(printed))


def test():
    path = sys.argv[1]
    with open(path) as f:
        lines = f.read().splitlines()
    steps = steps_of(lines)
    check(len(steps) > 0, f"{path} has no commands")
    folder = tempfile.mkdtemp(prefix="rota-it-")
    shell = Shell(folder)
    try:
        if "--write" in sys.argv[2:]:
            write(path, lines, shell, steps)
        else:
            compare(path, shell, steps)
    finally:
        shell.close()
        shutil.rmtree(folder, ignore_errors=True)
    shown = sum(len(step.expected) for step in steps)
    print(f"{len(steps)} commands of the tour ran, {shown} lines of output compared")


main(test)
