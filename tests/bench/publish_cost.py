#!/usr/bin/env python3
"""publish_cost.py PROGRAM [--no-instructions]: what a publish costs the turn.

Prints dirty pages a publish at 1 and at 1,000 accounts and, where valgrind is at hand, instructions, and holds both to
about twice of what they are today. Why it matters: a publish is the broker's most frequent request, and neither a rule
nor an index may make it dear unseen. A warm start is not counted: each figure is the difference of two runs.
"""
import argparse
import re
import shutil
import subprocess
import sys

PER_TURN = 100
PAGES_MAX = {1: 0.5, 1000: 2.0}
INSTRUCTIONS_MAX = {1: 55_000, 1000: 75_000}


def output(*command):
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)} ended with {done.returncode}: {done.stderr}")
    return done.stdout + done.stderr


def number(pattern, text):
    found = re.search(pattern, text)
    if not found:
        sys.exit(f"no {pattern} in: {text}")
    return float(found.group(1).replace(",", ""))


def pages(program, accounts, publishes):
    return publishes * number(r"([\d.]+) dirty pages a publish", output(program, str(accounts), str(publishes),
                                                                        str(PER_TURN)))


def instructions(program, accounts, publishes):
    return number(r"Collected : (\d+)", output("valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null",
                                               "--toggle-collect=engine_turn", program, str(accounts),
                                               str(publishes), str(PER_TURN)))


def a_publish(measure, program, accounts, publishes):
    return (measure(program, accounts, 2 * publishes) - measure(program, accounts, publishes)) / publishes


def held(what, figures, bounds, form):
    print(f"{what} per publish: " + ", ".join(
        f"{format(figures[n], form)} at {n:,} account{'s' if n > 1 else ''}" for n in figures)
        + "; at most " + ", ".join(format(bounds[n], form) for n in figures))
    return all(0 < figures[n] <= bounds[n] for n in figures)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("--no-instructions", action="store_true")
    args = parser.parse_args()
    good = held("dirty pages", {n: a_publish(pages, args.program, n, 20000) for n in PAGES_MAX}, PAGES_MAX, ".2f")
    if args.no_instructions or not shutil.which("valgrind"):
        print("instructions per publish: not counted (valgrind, and a build without sanitizers, are needed)")
    else:
        counted = {n: a_publish(instructions, args.program, n, 4000) for n in INSTRUCTIONS_MAX}
        good = held("instructions", counted, INSTRUCTIONS_MAX, ",.0f") and good
    sys.exit(0 if good else "a publish has become dear")


if __name__ == "__main__":
    main()
