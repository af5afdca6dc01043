/* transfer_host.c: a handful of hosts; the one that was heard of longest ago makes room. */
#include "transfer_host.h"

#include <base/auto.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

struct host {
    char name[256];
    unsigned faults;
    uint64_t until_ms, heard_ms;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct host hosts[HOSTS_KNOWN];

static struct host *host_find(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(hosts); i++)
        if (hosts[i].faults && strcmp(hosts[i].name, name) == 0)
            return &hosts[i];
    return NULL;
}

static struct host *host_oldest(void)
{
    struct host *oldest = &hosts[0];
    for (size_t i = 1; i < ARRAY_LEN(hosts); i++)
        if (hosts[i].heard_ms < oldest->heard_ms)
            oldest = &hosts[i];
    return oldest;
}

uint64_t transfer_host_wait_ms(const char *name, uint64_t now_ms)
{
    pthread_mutex_lock(&lock);
    const struct host *h = host_find(name);
    uint64_t wait_ms = h && h->until_ms > now_ms ? h->until_ms - now_ms : 0;
    pthread_mutex_unlock(&lock);
    return wait_ms;
}

void transfer_host_fault(const char *name, uint64_t now_ms)
{
    pthread_mutex_lock(&lock);
    struct host *h = host_find(name);
    if (!h) {
        h = host_oldest();
        *h = (struct host){.faults = 0};
        snprintf(h->name, sizeof h->name, "%s", name);
    }
    h->faults++;
    h->heard_ms = now_ms;
    if (h->faults >= HOST_FAULTS) {
        unsigned twice = h->faults - HOST_FAULTS;
        uint64_t ms = (uint64_t)HOST_MS_FIRST << (twice < 8 ? twice : 8);
        h->until_ms = now_ms + (ms < HOST_MS_MAX ? ms : HOST_MS_MAX);
    }
    pthread_mutex_unlock(&lock);
}

void transfer_host_good(const char *name)
{
    pthread_mutex_lock(&lock);
    struct host *h = host_find(name);
    if (h)
        *h = (struct host){.faults = 0};
    pthread_mutex_unlock(&lock);
}
