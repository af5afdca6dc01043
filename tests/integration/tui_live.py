"""tui_live.py shows the screen of `rota` in a real terminal (tmux) at a real broker: true depths while jobs run, heat by key,
resizes, a broker that is killed and comes back, and a terminal that is whole again afterwards. It matters because all
of that is exactly what a unit test of the view cannot show.
"""
import json
import os
import re
import subprocess
import time

from kit import Kit, check, main, program

RUNNER = """#!/bin/sh
cat >/dev/null
echo '{"phase":"bundle","percent":40}' >&3
while [ ! -e DIR/go ]; do sleep 0.05; done
"""
ACCOUNTS = [("local", "enterprise", 6), ("acme", "pro", 5), ("globex", "starter", 4), ("hobby", "free", 3)]


class Terminal:
    def __init__(self, kit, width, height):
        self.kit = kit
        self.tmux = ["tmux", "-f", "/dev/null", "-S", f"{kit.dir}/tmux"]
        env = {"ROTA_URL": kit.url, "ROTA_KEY_FILE": kit.key, "LC_ALL": "C.UTF-8", "PS1": "shell> ", "TERM": "screen-256color"}
        self.do("new-session", "-d", "-x", str(width), "-y", str(height), "env", *[f"{k}={v}" for k, v in env.items()],
                "bash", "--norc", "--noprofile")

    def do(self, *argv):
        return subprocess.run([*self.tmux, *argv], capture_output=True, text=True, check=True).stdout

    def type(self, *keys):
        self.do("send-keys", *keys)

    def screen(self):
        return self.do("capture-pane", "-p")

    def until(self, what, truth, seconds=20):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            text = self.screen()
            if truth(text):
                return text
            time.sleep(0.05)
        check(False, f"{what} was not seen in {seconds} s:\n{self.screen()}")

    def close(self):
        subprocess.run([*self.tmux, "kill-server"], capture_output=True)


def rows(text):
    """tier -> (ready, delayed, held, leased), from the screen."""
    found = {}
    for line in text.split("\n"):
        m = re.match(r" P(\d) (?:[a-z]+)? *([\d,]+) +([\d,]+) +([\d,]+) +([\d,]+)\b", line)
        if m:
            found[f"P{m[1]}"] = tuple(int(v.replace(",", "")) for v in m.groups()[1:])
    return found


def truth(kit):
    return {t["tier"]: (t["ready"], t["delayed"], t["held"], t["leased"]) for t in kit.json("stats")["tiers"]}


def shows_the_truth(kit, terminal, what):
    want = truth(kit)
    terminal.until(what, lambda text: rows(text) == want)
    return want


def pool(kit, name):
    return next(p for p in kit.json("stats")["pools"] if p["pool"] == name)


def depths_and_progress(kit, terminal):
    want = shows_the_truth(kit, terminal, "the true depths")
    check(sum(w[3] for w in want.values()) == 2, f"two jobs run: {want}")
    text = terminal.until("progress", lambda text: text.count(" 40%") == 2)
    check("NEXT IN task" in text and "build-1" in text and "live" in text, f"the page:\n{text}")
    shown = re.findall(r"^ +(\d+) (P\d)  (\w+)", text, re.M)
    ahead = [(j["tier"], j["account"]) for j in kit.json("next", "--pool", "task")["jobs"]]
    check(len(shown) >= 3 and [(t, a) for _, t, a in shown] == ahead[:len(shown)], f"next: {shown} {ahead}")
    return want


def heats_up(kit, terminal):
    terminal.type("H")
    terminal.until("the form", lambda text: "Heat up" in text)
    terminal.type("BSpace", "5", "Tab", "BSpace", "BSpace", "BSpace", "2", "h", "Enter")
    terminal.until("what came of it", lambda text: "task: 5 slots stay warm until" in text)
    heat = pool(kit, "task")
    check(heat["heat_slots"] == 5 and 7_100_000 < heat["heat_until_ms"] - time.time() * 1000 <= 7_200_000, f"heat: {heat}")
    terminal.until("the heat", lambda text: "heat 5, 1h 59m" in text)


def resizes(kit, terminal):
    want = truth(kit)
    for width, height in ((60, 15), (140, 40), (40, 10), (20, 5), (80, 24)):
        terminal.do("resize-window", "-x", str(width), "-y", str(height))
        ok = (lambda text: "rota needs 40 x 9" in text) if width < 40 else \
            (lambda text: rows(text) == want and "quit" in text)
        terminal.until(f"{width}x{height}", ok)


def survives_a_restart(kit, terminal):
    want = truth(kit)
    kit.kill()
    text = terminal.until("reconnecting", lambda text: "reconnecting" in text)
    check(rows(text) == want and "ago" in text, f"the last picture stays:\n{text}")
    kit.start()
    terminal.until("the broker again", lambda text: "live" in text.split("\n")[0] and "reconnecting" not in text)
    shows_the_truth(kit, terminal, "the depths after the restart")
    check(pool(kit, "task")["heat_slots"] == 5, "heat is durable")
    terminal.until("the heat", lambda text: "heat 5" in text)


def restores(terminal, leave, code):
    """Leaves, and checks that the shell has a whole terminal: its old screen, echo and canonical mode."""
    leave()
    terminal.until(f"exit {code}", lambda text: f"left={code}" in text)
    check("TIER" not in terminal.screen(), f"the old screen is back:\n{terminal.screen()}")
    terminal.type("clear; stty -a | tr ' ;' '\\n\\n' | grep -cxE 'icanon|echo|isig|icrnl|opost'", "Enter")
    terminal.until("a sane terminal", lambda text: "\n5\n" in f"\n{text}")


def opened(kit, terminal):
    terminal.type(f"clear; {program('rota')}; echo left=$?", "Enter")
    terminal.until("the screen", lambda text: "TIER" in text and "live" in text)


def child_of(kit, terminal):
    shell = terminal.do("display-message", "-p", "#{pane_pid}").strip()
    pids = open(f"/proc/{shell}/task/{shell}/children").read().split()
    check(len(pids) == 1, f"one rota runs: {pids}")
    return int(pids[0])


def empties(kit, terminal):
    open(f"{kit.dir}/go", "w").close()
    terminal.until("an empty queue", lambda text: rows(text) == {f"P{t}": (0, 0, 0, 0) for t in range(4)}, 60)
    check(truth(kit) == {f"P{t}": (0, 0, 0, 0) for t in range(4)}, "and the broker says so")


def refused(kit, terminal):
    key = f"{kit.dir}/task.key"
    kit.rota("key", "create", "--role", "account", "--account", "acme", "--out", key)
    terminal.type(f"clear; ROTA_KEY_FILE={key} {program('rota')}; echo left=$?", "Enter")
    terminal.until("the refusal", lambda text: "NOT_ALLOWED" in text)
    restores(terminal, lambda: terminal.type("q"), 0)


def test():
    with Kit() as kit:
        kit.start()
        for name, tier, jobs in ACCOUNTS:
            kit.account(name, tier)
            for _ in range(jobs):
                kit.publish(account=name)
        kit.worker(runner=kit.script("runner", RUNNER.replace("DIR", kit.dir)), slots=2, name="build-1")
        terminal = Terminal(kit, 80, 24)
        try:
            opened(kit, terminal)
            want = depths_and_progress(kit, terminal)
            heats_up(kit, terminal)
            resizes(kit, terminal)
            survives_a_restart(kit, terminal)
            restores(terminal, lambda: terminal.type("q"), 0)
            opened(kit, terminal)
            restores(terminal, lambda: os.kill(child_of(kit, terminal), 15), 143)
            opened(kit, terminal)
            empties(kit, terminal)
            restores(terminal, lambda: terminal.type("C-c"), 130)
            refused(kit, terminal)
        finally:
            terminal.close()
    print(f"true depths {json.dumps(want)}, heat by key, 5 sizes, 1 restart, the terminal restored 4 of 4 times")


main(test)
