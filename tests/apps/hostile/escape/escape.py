"""Tries to get out of the sandbox. Mode "probe" makes every quiet attempt and reports each as a line on fd 3, "worked
NAME why" or "refused NAME why"; every other mode is one bomb. The attempts stand in a file for each kind of guard."""

import sys
import time

sys.dont_write_bytecode = True  # the folder stays as it is
import by_mounts  # noqa: E402, F401
import by_namespaces  # noqa: E402, F401
import by_filter  # noqa: E402, F401
import by_limits as bombs  # noqa: E402
import rig  # noqa: E402

modes = {
    "probe": rig.probe,
    "memory": bombs.memory,
    "memory_in_many": bombs.memory_in_many,
    "memory_shared": bombs.memory_shared,
    "forks": bombs.forks,
    "threads": bombs.threads,
    "dead_worker": bombs.dead_worker,
    "dead_worker_and_on": bombs.dead_worker_and_on,
    "burn": bombs.burn,
    "disk": bombs.disk,
    "disk_everywhere": bombs.disk_everywhere,
    "inodes": bombs.inodes,
    "folders": bombs.folders,
    "one_file": bombs.one_file,
    "descriptors": bombs.descriptors,
    "log_flood": bombs.log_flood,
    "line_flood": bombs.line_flood,
    "long_line": bombs.long_line,
    "terminal": bombs.terminal,
    "endless": bombs.endless,
    "daemons_stay": lambda: bombs.daemons(lambda: sys.exit(0)),
    "daemons_wait": lambda: bombs.daemons(lambda: time.sleep(600)),
    "stopped": bombs.stopped,
    "links": bombs.links,
}

if __name__ == "__main__":
    try:
        modes[sys.argv[1]]()
    except MemoryError:
        sys.exit(137)
    except OSError as e:
        print(e.strerror, e.errno, flush=True)
        sys.exit(70)
