#!/usr/bin/env python3
"""A worker that no root started: one job of an exec runner in its sandbox, made by a user without any rights (uid 65534)
through the user namespaces of the kernel. And a worker that may not make a sandbox says what to do, and takes no job.
"""
import os
import shutil

from kit import Kit, check, main, program

NOBODY = 65534
SCRIPT = """#!/bin/sh
id -u; cat /in/read.txt; ls /root /home @DIR@ 2>/dev/null; grep CapEff /proc/self/status
echo made > /w/out/made.txt
"""
DROP = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]


def own(kit, name, mode, text=None):
    """A file or folder of nobody's."""
    path = f"{kit.dir}/{name}"
    if text is None:
        os.mkdir(path)
    else:
        with open(path, "w") as f:
            f.write(text)
    os.chmod(path, mode)
    os.chown(path, NOBODY, NOBODY)
    return path


def argv(kit, key, name, *options):
    return [program("rota-worker"), "--url", kit.url, "--key-file", key, "--name", name, "--slots", "1", *options]


def environment(kit):
    return {"PATH": os.environ["PATH"], "HOME": f"{kit.dir}/home", "XDG_RUNTIME_DIR": f"{kit.dir}/runtime"}


def one_job(kit, key, runner):
    options = ("--runner", f"exec:{runner}", "--exec-read", f"{kit.dir}/read.txt", "--workspace-bytes", str(64 << 20))
    worker = kit.spawn(DROP + argv(kit, key, "nobody", *options), log="nobody.log", env=environment(kit))
    said = lambda: open(f"{kit.dir}/nobody.log").read()
    kit.wait("the worker's start", lambda: "worker.start" in said() or worker.poll() is not None)
    check(worker.poll() is None, f"uid {NOBODY} may make no sandbox here (user namespaces must be allowed for users: "
          f"sysctl user.max_user_namespaces, kernel.unprivileged_userns_clone, kernel.apparmor_restrict_unprivileged_userns): "
          f"{said()}")
    check("sandbox=yes" in said() and "user-namespace=own" in said(), said())
    with open(f"/proc/{worker.pid}/status") as f:
        uids = next(line for line in f if line.startswith("Uid:")).split()[1:]
    check(set(uids) == {str(NOBODY)}, f"the worker runs as {uids}")
    job = kit.publish("--class", "task", account="a")
    kit.wait_state(job, "succeeded", "failed", "dead")
    s = kit.status(job)
    log = kit.rota("logs", job).stdout
    check(s["state"] == "succeeded", f"{s.get('error')}: {log}")
    check(log == f"{NOBODY}\nfor all\nCapEff:\t0000000000000000\n".replace("\t", " "), repr(log))
    kit.rota("download", job, "--out", f"{kit.dir}/fetched")
    check(open(f"{kit.dir}/fetched/made.txt").read() == "made\n", "its output")
    worker.terminate()
    check(worker.wait(20) == 0, said())
    check("workspace.left" not in said(), said())


def refusals(kit, key, runner):
    """No bubblewrap, or one that cannot: each runner names what to do, and --exec-host is told where it would help."""
    bad = own(kit, "bad", 0o755)
    with open(f"{bad}/bwrap", "w") as f:
        f.write("#!/bin/sh\necho 'bwrap: No permissions to create a new namespace' >&2; exit 1\n")
    os.chmod(f"{bad}/bwrap", 0o755)
    none = own(kit, "none", 0o755)
    rows = [(f"exec:{runner}", none, ("install bubblewrap", "--exec-host")),
            (f"exec:{runner}", bad, ("No permissions to create a new namespace", "allow user namespaces", "--exec-host")),
            ("bundle", bad, ("No permissions to create a new namespace", "allow user namespaces"))]
    for name, path, words in rows:
        path = f"{bad}:{os.environ['PATH']}" if path == bad else none
        done = kit.run([shutil.which("setpriv"), *DROP[1:], *argv(kit, key, "refused", "--runner", name)], ok=(78,),
                       timeout=60, env={**environment(kit), "PATH": path})
        check(all(word in done.stderr for word in words), f"{name}, {path}: {done.stderr}")
        check(("--exec-host" in done.stderr) == ("--exec-host" in words), f"no build runs without a sandbox: {done.stderr}")
        check("worker.start" not in done.stderr, done.stderr)
    return len(rows)


def test():
    check(os.geteuid() == 0, "this test gives up root's rights, so it must start with them")
    with Kit() as kit:
        os.chmod(kit.dir, 0o755)
        kit.start()
        kit.account("a", "free")
        os.chmod(f"{kit.dir}/sock", 0o666)
        for folder in ("data", "data/artifacts"):
            os.chmod(f"{kit.dir}/{folder}", 0o711)
        os.chown(f"{kit.dir}/data/artifacts/incoming", -1, NOBODY)  # uploads come by its group
        os.chmod(f"{kit.dir}/data/artifacts/incoming", 0o2710)
        for name in ("home", "runtime"):
            own(kit, name, 0o700)
        key = own(kit, "nobody.key", 0o600, open(kit.key).read())
        own(kit, "read.txt", 0o644, "for all\n")
        runner = kit.script("run", SCRIPT.replace("@DIR@", kit.dir))
        n = refusals(kit, key, runner)
        one_job(kit, key, runner)
        print(f"uid {NOBODY}: {n} of {n} refusals say what to do; one job in a sandbox, with its output")


if __name__ == "__main__":
    main(test)
