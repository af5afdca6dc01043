/* private.h: the agent's memory is nobody else's: it holds the worker's key, the keys of sources
 * and pieces of what they open. Main thread, at start. */
#pragma once

#include <base/err.h>

/* From here on neither the agent nor anything that it starts leaves a core dump, neither in a file
 * nor with a program that the kernel pipes it to. */
MUST_USE int private_no_core(void);

/* Nor can another process of the same user look into the agent (ptrace, /proc/PID/mem). For the
 * agent alone: a program that is executed decides for itself. After the runner has entered its
 * namespaces, since the kernel then gives the files of /proc/PID to root. */
MUST_USE int private_no_look(void);
