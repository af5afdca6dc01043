"""fsck.py: rotad fsck finds nothing in a database that has seen work and a kill -9, refuses one that is open, and finds
one flipped byte wherever it lands in a row.

Jobs in every place (ready, delayed, held, leased, ended, waiting for another), then the broker is killed. After that
one byte of the file is changed, many times over, each time on a fresh copy: fsck must say so or, when the byte belongs
to no row, find what it found before."""
import os
import random
import shutil

from kit import Kit, check, main, program

FLIPS = 300
ENOUGH = 10


def fsck(kit, folder, ok):
    return kit.run([program("rotad"), "fsck", "--data", folder], ok=ok)


def fill(kit):
    kit.account("acme", "pro")
    kit.worker(runner=kit.script("ok", "#!/bin/sh\ncat >/dev/null\n"), name="quick")
    for _ in range(20):
        last = kit.publish(account="acme")
    kit.wait_state(last, "succeeded")
    kit.publish("--delay", "1h", account="acme")
    kit.publish("--hold", account="acme")
    held = kit.publish("--hold", account="acme")
    kit.publish("--after", held, account="acme")
    kit.rota("pause", "pool", "task", "--reason", "to keep some ready")
    for _ in range(20):
        kit.publish(account="acme")


def flip(path, at):
    with open(path, "r+b") as f:
        f.seek(at)
        byte = f.read(1)
        f.seek(at)
        f.write(bytes([byte[0] ^ 0x10]))


def flipped(kit, clean):
    """How many single changed bytes were noticed."""
    source, dice, seen = f"{kit.dir}/data", random.Random(7), 0
    with open(f"{source}/data.mdb", "rb") as f:
        content = f.read()
    spots = [i for i in range(len(content)) if content[i:i + 4] == b"acme"]
    check(len(spots) > 20, "the account's name stands nowhere in the file")
    for n in range(FLIPS):
        if seen == ENOUGH:
            break
        folder = f"{kit.dir}/copy{n}"
        os.makedirs(folder, mode=0o700)
        shutil.copy(f"{source}/data.mdb", folder)
        flip(f"{folder}/data.mdb", dice.choice(spots))
        done = fsck(kit, folder, (0, 1, 74, 78))
        seen += done.returncode != 0
        check(done.returncode != 0 or done.stdout == clean, f"flip {n}: other rows, and no fault")
        shutil.rmtree(folder)
    return seen, n


def test():
    with Kit() as kit:
        kit.start()
        fill(kit)
        check("Stop it first" in fsck(kit, f"{kit.dir}/data", (75,)).stderr, "an open database was not refused")
        kit.kill()
        clean = fsck(kit, f"{kit.dir}/data", (0,)).stdout
        check(" 0 faults" in clean and "44 jobs" in clean, f"after kill -9: {clean}")
        seen, tried = flipped(kit, clean)
        check(seen == ENOUGH, f"only {seen} of {tried} flips were seen")
        print(f"{clean.splitlines()[-1]}; {seen} of {tried} flipped bytes found, the others in pages that no row uses")


main(test)
