#!/usr/bin/env python3
"""The disk of the artifacts becomes as full as --artifacts-full-percent: the broker says so once, and what nobody has
named for an hour goes then instead of after a day. What a job has named stays, and so does what may still be named;
workers go on all the while. A broker that starts on such a disk sees it at its first sweep. The disk is a small tmpfs
of its own.
"""
import hashlib
import os
import time

from full_disk import Disk, job_of, objects, succeeded
from kit import Kit, check, main

MIB = 1 << 20
DISK_MIB, PERCENT = 24, 80
HOUR, LOOK = 3600, 75  # a broker looks once a minute, however much there is to do
RUNNER = """#!/bin/sh
cat > /dev/null; echo made > /w/out/made.txt
"""


def lay(path, name, age_h):
    """An object that no job names, as old as that: what somebody uploaded, and never published."""
    body = name.encode()
    os.makedirs(path, exist_ok=True)
    at = f"{path}/{hashlib.sha256(body).hexdigest()}"
    with open(at, "wb") as f:
        f.write(body)
    os.utime(at, times=(time.time() - age_h * HOUR,) * 2)
    return at


def publish(kit, n):
    """A held job with a source of its own; where that lies."""
    with open(f"{kit.dir}/upload{n}", "wb") as f:
        f.write(os.urandom(1000))
    before = set(objects(f"{kit.store}/source"))
    kit.rota("publish", "--app", "app", "--platform", "ios", "--account", "a", "--source", f"upload:{kit.dir}/upload{n}",
             "--hold")
    (name,) = set(objects(f"{kit.store}/source")) - before
    return f"{kit.store}/source/a/{name}"


def warnings(kit):
    with open(f"{kit.dir}/rotad.log") as log:
        return [line.split(" artifacts.disk_full ")[1].strip() for line in log if " artifacts.disk_full " in line]


def there(paths):
    return [os.path.exists(path) for path in paths]


def begin(kit):
    """The first sweep, with room: only what is older than a day goes."""
    kit.start(*kit.options)
    kit.account("a", "enterprise")
    named = publish(kit, 1)
    os.utime(named, times=(time.time() - 30 * HOUR,) * 2)
    unnamed = f"{kit.store}/source/a"
    days = lay(unnamed, "days", 25)
    hours, minutes = lay(unnamed, "hours", 2), lay(unnamed, "minutes", 0.5)
    kit.wait("the first sweep", lambda: not os.path.exists(days), 30)
    check(there([named, hours, minutes]) == [True] * 3, "with room, what is younger than a day stays")
    check(not warnings(kit), warnings(kit))
    return named, hours, minutes


def cross(kit, disk):
    """Fills the disk beyond the mark, but not so far that anything is refused; the broker sees it in its own time."""
    disk.fill(leave=DISK_MIB * MIB * (100 - PERCENT) // 200)
    begun = time.monotonic()
    uploads = [2]

    def is_seen():  # the broker has new sources to look at all the while
        if time.monotonic() - begun > 2 * len(uploads):
            uploads.append(uploads[-1] + 1)
            publish(kit, uploads[-1])
        return len(warnings(kit)) == 1

    kit.wait("the mark to be seen", is_seen, LOOK)
    return time.monotonic() - begun


def run_one(kit):
    job = job_of(kit.rota("publish", "--app", "app", "--class", "task", "--account", "a"))
    succeeded(kit, job)


def test():
    with Kit() as kit, Disk(f"{kit.dir}/store", DISK_MIB) as disk:
        os.chmod(kit.dir, 0o711)
        kit.store = disk.path
        kit.options = ("--artifacts", kit.store, "--artifacts-full-percent", str(PERCENT))
        named, hours, minutes = begin(kit)
        kit.worker("--workspace-bytes", str(64 * MIB), runner=kit.script("run", RUNNER), boxed=True)
        first = cross(kit, disk)
        kit.wait("what nobody named to go", lambda: not os.path.exists(hours), 10)
        check(there([named, minutes]) == [True, True], "what is named, and what may be, stays")
        run_one(kit)
        more = publish(kit, 2)
        check(len(warnings(kit)) == 1, "it is said once")
        check(kit.stop() == 0, "the broker died")
        late = lay(os.path.dirname(named), "late", 2)
        kit.start(*kit.options)
        kit.wait("the mark to be seen anew", lambda: len(warnings(kit)) == 2, 20)
        kit.wait("it to go now", lambda: not os.path.exists(late), 10)
        check(there([named, more, minutes]) == [True] * 3, "what is named stays")
        run_one(kit)
        check(kit.stop() == 0, "the broker died")
        print(f"mark of {PERCENT} %: seen after {first:.1f} s ({warnings(kit)[0]}) and by a start ({warnings(kit)[1]}); each "
              f"time what nobody had named for an hour went, and a job ran")


if __name__ == "__main__":
    main(test)
