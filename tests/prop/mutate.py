#!/usr/bin/env python3
"""Writes a copy of a source with one mistake in it, for tests of the tests.

mutate.py SOURCE COPY OLD NEW: OLD must stand in SOURCE exactly once, so that a mutation whose place
was rewritten is noticed and not silently lost.
"""
import sys


def main():
    source, copy, old, new = sys.argv[1:]
    with open(source, encoding="utf-8") as file:
        text = file.read()
    if text.count(old) != 1:
        print(f"{source}: {old!r} stands there {text.count(old)} times, must be once")
        return 1
    with open(copy, "w", encoding="utf-8") as file:
        file.write(f'#line 1 "{source}"\n' + text.replace(old, new))
    return 0


sys.exit(main())
