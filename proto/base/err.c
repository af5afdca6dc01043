/* err.c: the ring holds the path of one fault; a new birth starts it again. */
#include "base/err.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { ERR_HOPS_MAX = 12 };

static _Thread_local struct {
    int fault;
    unsigned hops;
    struct {
        const char *file;
        int line;
    } hop[ERR_HOPS_MAX];
} trace;

int err_note(int fault, const char *file, int line, int is_birth)
{
    assert(fault < 0);
    if (is_birth || trace.fault != fault) {
        trace.fault = fault;
        trace.hops = 0;
    }
    if (trace.hops < ERR_HOPS_MAX) {
        const char *base = strrchr(file, '/');
        trace.hop[trace.hops].file = base ? base + 1 : file;
        trace.hop[trace.hops].line = line;
        trace.hops++;
    }
    return fault;
}

const char *err_trace(char *buf, size_t n)
{
    if (!trace.fault) {
        snprintf(buf, n, "no fault");
        return buf;
    }
    const char *name = strerrorname_np(-trace.fault);
    int used = snprintf(buf, n, "%s", name ? name : "fault");
    for (unsigned i = 0; i < trace.hops && used > 0 && (size_t)used < n; i++)
        used += snprintf(buf + used, n - (size_t)used, " %s%s:%d", i ? "< " : "", trace.hop[i].file,
                         trace.hop[i].line);
    return buf;
}
