#!/usr/bin/env python3
"""heat.py: from no workers to warm ones and back. A publish with nobody there runs the wake command, which starts a worker;
the job says WORKER_STARTING since when, runs, and the worker leaves when it is idle. A command that fails is tried less
and less often. Heat builds the canonical app for both platforms, keeps workers for as long as was asked, and lets them go.

Why it matters: with scale to zero a queue without this waits for ever, and heat that ends early or never costs money.
"""
import os
import re
import signal
import time

from kit import Kit, check, main, program

IDLE_S, EVERY_S, HEAT_S = 1, 1, 6

WORKER = r"""#!/bin/sh
env | grep ^ROTA_ >"{dir}/told.$$"; mv "{dir}/told.$$" "{dir}/told"
while [ -e "{dir}/stop" ]; do sleep 0.05; done
classes="--class $ROTA_POOL"
[ "$ROTA_POOL" = bundle ] && classes="--class bundle --class heat"
"{worker}" --url "{url}" --key-file "{key}" --environment development --slots 2 --name "for-$ROTA_POOL" \
    --runner "exec:{dir}/job" --exec-host --pool "$ROTA_POOL" $classes --idle-exit {idle} \
    >>"{dir}/workers.log" 2>&1 </dev/null &
echo $! >>"{dir}/pids"
"""


def pids(kit):
    path = f"{kit.dir}/pids"
    if not os.path.exists(path):
        return []
    with open(path) as f:
        return [int(line) for line in f.read().split()]


def is_there(pid):
    """A worker, and no zombie."""
    try:
        with open(f"/proc/{pid}/stat") as f:
            return f.read().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def log_times(kit, event):
    with open(f"{kit.dir}/rotad.log") as f:
        found = re.findall(rf"^(\S+)Z \w+ rotad {re.escape(event)} (.*)$", f.read(), re.M)
    return [(time.mktime(time.strptime(at[:19], "%Y-%m-%dT%H:%M:%S")) + float(at[19:]), rest) for at, rest in found]


def told(kit):
    with open(f"{kit.dir}/told") as f:
        return dict(line.split("=", 1) for line in f.read().split())


def from_none_to_one_and_back(kit):
    open(f"{kit.dir}/stop", "w").close()
    began = time.monotonic()
    job = kit.publish()
    kit.wait("the wake command", lambda: os.path.exists(f"{kit.dir}/told"), 10)
    waked = time.monotonic() - began
    check(told(kit).get("ROTA_POOL") == "task" and told(kit)["ROTA_BACKLOG"] == told(kit)["ROTA_SLOTS_WANTED"] == "1" and
          told(kit)["ROTA_SLOTS_NOW"] == "0", f"it was told {told(kit)}")
    status, why = kit.status(job), kit.json("why", job)
    check(status["reason"] == "WORKER_STARTING" and abs(status["since_ms"] - status["published_ms"]) < 1000,
          f"status: {status}")
    check(why["reason"] == "WORKER_STARTING" and "was sent for" in why["text"], f"why: {why}")
    os.unlink(f"{kit.dir}/stop")
    kit.wait_state(job, "succeeded", seconds=20)
    ran = time.monotonic() - began
    kit.wait("the worker to leave", lambda: not any(is_there(p) for p in pids(kit)), 20)
    runs = len(log_times(kit, "wake.started"))
    check(runs == 1, f"the command was run {runs} times for one job")
    print(f"0 workers: the command ran after {waked * 1000:.0f} ms, the job had ended after {ran:.1f} s, "
          f"the worker left by itself; {runs} run")


def heat_is_kept_for_its_time(kit):
    done = kit.rota("heat", "--slots", "2", "--for", f"{HEAT_S}s", "--wait")
    until = time.time() + HEAT_S
    check(len(re.findall(r"^(android|ios) +succeeded in ", done.stdout, re.M)) == 2, f"heat --wait: {done.stdout}")
    built = [j for j in kit.json("list", "--account", "local", "--state", "succeeded")["jobs"] if j["class"] == "heat"]
    check(sorted(j["platform"] for j in built) == ["android", "ios"] and {j["app"] for j in built} == {"heat"} and
          {j["priority"] for j in built} == {1} and {j["pool"] for j in built} == {"bundle"}, f"the builds: {built}")
    warm = next(p for p in kit.json("heat", "show")["pools"] if p["pool"] == "bundle")
    check(warm["wanted"] == 2 and warm["warm"] == 2 and warm["workers"] == 1, f"heat show: {warm}")
    until = warm["until_ms"] / 1000
    pid = pids(kit)[-1]
    kit.wait("the worker to leave after the heat", lambda: not is_there(pid), HEAT_S + 20)
    left = time.time() - until
    check(left >= IDLE_S - 0.2, f"the worker left {left:.1f} s after the heat's end, of {IDLE_S} s idle")
    runs = [rest for _, rest in log_times(kit, "wake.started") if "pool=bundle" in rest]
    check(len(runs) == 1 and "slots_wanted=2" in runs[0], f"runs for the heat: {runs}")
    print(f"heat of {HEAT_S} s: both builds ended in class heat, 2 of 2 slots warm, the worker left {left:.1f} s after it")


def a_failing_command_is_tried_less_and_less_often(kit):
    kit.stop()
    kit.start("--wake-command", kit.script("fails", "#!/bin/sh\nexit 3\n"), "--wake-every", str(EVERY_S))
    before = len(log_times(kit, "wake.failed"))
    job = kit.publish()
    at = kit.wait("three failures", lambda: (lambda all: all if len(all) >= before + 3 else None)(
        log_times(kit, "wake.failed")), 20)[before:]
    gaps = [b[0] - a[0] for a, b in zip(at, at[1:])]
    check(gaps[0] >= EVERY_S - 0.3 and gaps[1] >= 2 * EVERY_S - 0.3 and "ended with 3" in at[0][1],
          f"failures {gaps} s apart: {at}")
    check(kit.status(job).get("reason", "") != "WORKER_STARTING" or "expected back" in kit.json("why", job)["text"],
          "a command that failed brings nobody")
    print("a command that fails was tried again after " + " and ".join(f"{gap:.1f} s" for gap in gaps[:2]))
    kit.stop()


def wrong_commands_are_refused(kit):
    for wrong in ("wake", f"{kit.dir}/nothing", kit.dir):
        done = kit.run([program("rotad"), "--data", f"{kit.dir}/data", "--listen", kit.url, "--wake-command", wrong],
                       ok=(78,), timeout=20)
        check("--wake-command is no program" in done.stderr, f"{wrong}: {done.stderr}")
    print("3 commands that are none refused at the start")


def test():
    with Kit() as kit:
        kit.script("job", "#!/bin/sh\necho done\n")
        wake = kit.script("wake", WORKER.format(dir=kit.dir, worker=program("rota-worker"), url=kit.url, key=kit.key,
                                                idle=IDLE_S))
        try:
            wrong_commands_are_refused(kit)
            kit.start("--wake-command", wake, "--wake-every", str(EVERY_S * 10))
            from_none_to_one_and_back(kit)
            heat_is_kept_for_its_time(kit)
            a_failing_command_is_tried_less_and_less_often(kit)
        finally:
            for pid in filter(is_there, pids(kit)):
                os.kill(pid, signal.SIGKILL)


if __name__ == "__main__":
    main(test)
