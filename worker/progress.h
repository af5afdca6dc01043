/* progress.h: progress lines of a runner on fd 3: {"phase": "…", "percent": 0-100, "message": "…"}.
 *
 * Every member may be missing: what was said before stays. Other members are ignored. A line that
 * is no such object is noted in the job's log once and then ignored. At most 100 lines a second are
 * read; a flood costs the agent nothing and the newest line of the next second counts. One thread.
 */
#pragma once

#include "build.h"
#include "child.h"

struct progress {
    struct build *build;
    char phase[BUILD_PHASE_MAX + 1];
    uint32_t percent;
    uint64_t window_ms; /* start of the running second */
    uint32_t in_window;
    uint64_t bad;
    char waiting[CHILD_LINE_MAX + 1]; /* the newest line that was put off */
    size_t waiting_n;
};

/* `now_ms`: clock_boot_ms(). */
void progress_line(struct progress *p, const char *line, size_t n, bool is_cut, uint64_t now_ms);

/* The run is over: reads what was put off. */
void progress_end(struct progress *p);
