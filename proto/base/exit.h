/* exit.h: exit codes of every program, a part of the command contract. */
#pragma once

enum exit_code {
    EXIT_OK = 0,
    EXIT_JOB_FAILED = 1,
    EXIT_USAGE = 2,
    EXIT_UNAVAILABLE = 69,
    EXIT_IO = 74,
    EXIT_TRY_AGAIN = 75,
    EXIT_NOT_ALLOWED = 77,
    EXIT_CONFIG = 78,
    EXIT_TIMEOUT = 124,
    EXIT_INTERRUPTED = 130,
};
