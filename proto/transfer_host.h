/* transfer_host.h: how the hosts of transfers have done lately: one that fails is left alone for a
 * while. Of the process; any thread. Time is an argument. */
#pragma once

#include <stdint.h>

enum { HOST_FAULTS = 8, HOST_MS_FIRST = 5000, HOST_MS_MAX = 60000, HOSTS_KNOWN = 8 };

/* 0: ask it. */
uint64_t transfer_host_wait_ms(const char *host, uint64_t now_ms);

/* A try failed, or was answered. The eighth fault in a row, and each one after it until something
 * is answered, closes the host: 5 s, doubling, a minute at most. */
void transfer_host_fault(const char *host, uint64_t now_ms);
void transfer_host_good(const char *host);
