/* lmdb_fault.c: one counter over all call sites. The Nth call fails, whatever it is; a walk over N
 * = 1.. until the scenario passes therefore visits every call that the scenario makes. */
#include "fault/lmdb_fault.h"

#include <errno.h>
#include <lmdb.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct {
    pthread_mutex_t lock;
    pthread_once_t once;
    uint64_t calls, at;
    int code;
    char hit[256];
    const char *log_path;
} fault = {.lock = PTHREAD_MUTEX_INITIALIZER, .once = PTHREAD_ONCE_INIT};

static const struct {
    const char *name;
    int code;
} names[] = {
    {"MDB_MAP_FULL", MDB_MAP_FULL},
    {"MDB_TXN_FULL", MDB_TXN_FULL},
    {"MDB_READERS_FULL", MDB_READERS_FULL},
    {"MDB_CORRUPTED", MDB_CORRUPTED},
    {"MDB_PANIC", MDB_PANIC},
    {"EIO", EIO},
    {"ENOMEM", ENOMEM},
    {"ENOSPC", ENOSPC},
    {"EINVAL", EINVAL},
    {"EACCES", EACCES},
};

static int code_parse(const char *text)
{
    if (!text)
        return EIO;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(names[i].name, text) == 0)
            return names[i].code;
    return (int)strtol(text, NULL, 10);
}

static void log_line(const char *line)
{
    FILE *f = fault.log_path ? fopen(fault.log_path, "ae") : NULL;
    if (!f)
        return;
    fprintf(f, "%s\n", line);
    fclose(f);
}

static void log_calls(void)
{
    char line[64];
    snprintf(line, sizeof line, "calls %llu", (unsigned long long)fault.calls);
    log_line(line);
}

static void settings_read(void)
{
    const char *at = getenv("ROTA_FAULT_AT");
    fault.at = at ? strtoull(at, NULL, 10) : 0;
    fault.code = code_parse(getenv("ROTA_FAULT_ERR"));
    fault.log_path = getenv("ROTA_FAULT_LOG");
    if (fault.log_path)
        atexit(log_calls);
}

int fault_point(const char *call, const char *file, int line)
{
    pthread_once(&fault.once, settings_read);
    pthread_mutex_lock(&fault.lock);
    int code = ++fault.calls == fault.at ? fault.code : 0;
    if (code) {
        const char *base = strrchr(file, '/');
        snprintf(fault.hit, sizeof fault.hit, "hit %llu %s:%d %s", (unsigned long long)fault.calls,
                 base ? base + 1 : file, line, call);
        log_line(fault.hit);
    }
    pthread_mutex_unlock(&fault.lock);
    return code;
}

void fault_arm(uint64_t at, int code)
{
    pthread_once(&fault.once, settings_read);
    pthread_mutex_lock(&fault.lock);
    fault.calls = 0;
    fault.at = at;
    fault.code = code;
    fault.hit[0] = 0;
    pthread_mutex_unlock(&fault.lock);
}

uint64_t fault_calls(void)
{
    pthread_mutex_lock(&fault.lock);
    uint64_t calls = fault.calls;
    pthread_mutex_unlock(&fault.lock);
    return calls;
}

const char *fault_hit(void)
{
    return fault.hit[0] ? fault.hit : NULL;
}
