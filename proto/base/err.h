/* err.h: how a function says what went wrong.
 *
 *    0   done
 *   <0   a fault: -errno, forwarded unread until the edge, which drops the session, refuses the
 *        request or stops the process
 *   >0   an outcome: a word of the callee's own enum, answered by the direct caller
 *
 * A fault is born at err_raise() and climbs through err_pass(); both note file and line in a small
 * ring of the calling thread, so that the edge can print the path that it took. Any thread. */
#pragma once

#include <stddef.h>

#define MUST_USE __attribute__((warn_unused_result))

/* Notes the birth of a fault and returns it. `fault` is below 0. */
#define err_raise(fault) err_below_0(err_note((fault), __FILE__, __LINE__, 1))

/* Notes that a fault passed through here and returns it. */
#define err_pass(fault) err_below_0(err_note((fault), __FILE__, __LINE__, 0))

int err_note(int fault, const char *file, int line, int is_birth);

/* Tells compilers and analyzers in every file what err_note() asserts in its own: a fault is never
 * taken for "done", so what comes after `if (r < 0) return r` may rely on it. */
static inline int err_below_0(int fault)
{
    if (fault >= 0)
        __builtin_unreachable();
    return fault;
}

/* Writes the calling thread's last fault as "ENOSPC lmdb.c:120 < turn.c:88" into `buf`. */
const char *err_trace(char *buf, size_t n);
