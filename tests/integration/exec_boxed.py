#!/usr/bin/env python3
"""A runner of any program in its sandbox: it gets its job and nothing else, holds to its limits, and each way to end is
told by its name.
"""
import os
import socket
import time

from kit import Kit, check, main

SCRIPT = """#!/bin/sh
spec=$(cat)
run=${spec#*'"run":"'}
run=${run%'"'*}
case $run in
facts) echo "job $ROTA_JOB_ID account $ROTA_ACCOUNT tier $ROTA_TIER attempt $ROTA_ATTEMPT"; pwd; id -u; env ;;
files) for f in @SECRET@ /etc/shadow /root /home /run /var @DIR@/data; do [ -e $f ] && echo "sees $f"; done
       ls /; for d in / /usr /rota /etc /dev; do touch $d/x 2>/dev/null && echo "writes $d"; done; cat /in/read.txt ;;
net) ls /sys/class/net 2>/dev/null; cat /proc/net/dev | grep -c :
     python3 -c 'import socket; socket.create_connection(("127.0.0.1", @PORT@), 2)' 2>&1 | tail -1 ;;
memory) python3 -c 'x = [bytearray(1 << 26) for i in range(200)]; print(len(x))' ;;
forks) python3 -c '
import os, time
try:
    for i in range(500):
        if os.fork() == 0: time.sleep(20); os._exit(0)
except OSError:
    time.sleep(20)' ;;
disk) cat /dev/zero > /w/app/zeros ;;
escapes) printf 'plain \\033[31mred\\033[0m \\033]0;title\\007end \\302\\233bad \\377\\n' ;;
fault) exit 75 ;;
seven) exit 7 ;;
signal) kill -9 $$ ;;
secret) [ "$TOKEN" = hidden-in-memory ] && echo "has it"; sleep 3 ;;
sleep) (sleep 300 & sleep 300) ;;
leave) echo "$ROTA_JOB_ID" > /w/app/mark; echo mark > /w/tmp/mark ;;
look) ls -A /w/app /w/tmp /w/home /w/out; ls /proc | grep -c '^[0-9]' ;;
esac
"""


def setup(kit):
    """The listener is what a sandboxed program must not reach."""
    server = socket.create_server(("127.0.0.1", 0))
    os.chmod(kit.dir, 0o755)
    for name in ("secret", "read"):
        with open(f"{kit.dir}/{name}.txt", "w") as f:
            f.write(f"the {name} file\n")
    text = SCRIPT
    for word, value in (("@SECRET@", f"{kit.dir}/secret.txt"), ("@DIR@", kit.dir),
                        ("@PORT@", str(server.getsockname()[1]))):
        text = text.replace(word, value)
    runner = kit.script("run", text)
    kit.account("a", "free", "--running", "4")
    kit.worker("--exec-read", f"{kit.dir}/read.txt", "--workspace-bytes", str(64 << 20), runner=runner, slots=2,
               boxed=True)
    return server


def run(kit, what, *options, account="a"):
    return kit.publish("--spec", '{"run":"%s"}' % what, *options, account=account)


def ended(kit, job, state, error=None):
    kit.wait_state(job, "succeeded", "failed", "dead", "timed_out", "cancelled", seconds=60)
    s = kit.status(job)
    name = s.get("error", {}).get("name")
    log = kit.rota("logs", job).stdout
    check(s["state"] == state and name == error, f"{job}: {s['state']}, {s.get('error')}, not {state}, {error}\n{log}")
    return log


def sees_its_job_alone(kit):
    job = run(kit, "facts")
    log = ended(kit, job, "succeeded")
    check(f"job {job} account a tier P3 attempt 1\n/w/app\n65534\n" in log, log)
    names = {line.split("=")[0] for line in log.splitlines() if "=" in line}
    known = {"PATH", "HOME", "TMPDIR", "LANG", "CI", "NO_COLOR", "PWD", "ROTA_JOB_ID", "ROTA_ACCOUNT", "ROTA_TIER",
             "ROTA_ATTEMPT", "SHLVL", "_"}
    check(names <= known, f"its environment has {names - known}")
    log = ended(kit, run(kit, "files"), "succeeded")
    check("sees" not in log and "writes" not in log and "the read file" in log, log)
    log = ended(kit, run(kit, "net"), "succeeded")
    check("Connection refused" in log and "\n1\n" in f"\n{log}", log)  # lo alone
    ended(kit, run(kit, "leave"), "succeeded")
    log = ended(kit, run(kit, "look"), "succeeded")
    check("mark" not in log, log)


def ends_by_its_name(kit):
    ways = [("memory", "failed", "OUT_OF_MEMORY"), ("forks", "failed", "PIDS_LIMIT"),
            ("disk", "failed", "WORKSPACE_FULL"), ("seven", "failed", "RUNNER_FAILED"),
            ("signal", "failed", "RUNNER_FAILED")]
    for what, state, error in ways:
        ended(kit, run(kit, what), state, error)
    kit.wait("free slots", lambda: kit.json("stats")["tiers"][3]["leased"] == 0)
    ended(kit, run(kit, "sleep", "--timeout-ms", "2000"), "timed_out", "TIMED_OUT")
    job = run(kit, "fault")
    kit.wait("the second attempt", lambda: kit.status(job)["attempt"] >= 1 and kit.status(job)["state"] == "delayed")
    kit.rota("cancel", job)
    return len(ways) + 2


def leaves_nothing(kit):
    """A cancel ends all that the program started, within 2 s (best of 3)."""
    best = 99
    for _ in range(3):
        job = run(kit, "sleep")
        kit.wait("the sleeper", lambda: sleepers() > 0)
        kit.rota("cancel", job)
        began = time.monotonic()
        kit.wait("no sleeper", lambda: sleepers() == 0, 10)
        best = min(best, time.monotonic() - began)
        kit.wait_state(job, "cancelled")
    check(best < 2, f"{best:.2f} s")
    return best


def commands():
    """The command lines of this machine's processes."""
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as f:
                yield f.read()
        except OSError:
            pass


def sleepers():
    return sum(c == b"sleep\x00300\x00" for c in commands())


def secrets_stay_secret(kit):
    kit.rota("app", "create", "app", "--account", "a", ok=(0, 1))
    secret = f"{kit.dir}/token"
    with open(secret, "w") as f:
        f.write("hidden-in-memory")
    kit.rota("var", "set", "TOKEN", "--app", "app", "--secret", "--value-file", secret, "--account", "a")
    job = run(kit, "secret")
    kit.wait_state(job, "leased")
    seen = 0
    while kit.status(job)["state"] == "leased":
        seen += sum(b"hidden-in-memory" in c for c in commands())
    check("has it" in ended(kit, job, "succeeded"), "the program has its secret")
    check(seen == 0, f"the secret stood in {seen} command lines")


def test():
    with Kit() as kit:
        kit.start()
        server = setup(kit)
        sees_its_job_alone(kit)
        log = ended(kit, run(kit, "escapes"), "succeeded")
        check(log == "plain red end  bad ?\n" or ("\x1b" not in log and "\x07" not in log and "\x9b" not in log), repr(log))
        ways = ends_by_its_name(kit)
        best = leaves_nothing(kit)
        secrets_stay_secret(kit)
        server.close()
        print(f"{ways} ways to end told apart; a cancel leaves nothing after {best * 1000:.0f} ms; no secret on a command line")


if __name__ == "__main__":
    main(test)
