/* settings.h: the options of rotad. */
#pragma once

#include "host.h"

#include <base/err.h>
#include <base/option.h>
#include <stdbool.h>
#include <stdint.h>

struct settings {
    const char *data, *config;
    struct option_list listen, git_host;
    struct host_list git_hosts; /* what git_host says, or the defaults */
    const char *tls_cert, *tls_key, *tls_client_ca;
    const char *artifacts, *s3_endpoint, *s3_region, *s3_credentials;
    uint64_t artifacts_full_percent;
    const char *wake_command; /* an absolute path; NULL: none */
    uint64_t wake_every;
    bool allow_plain_tcp, no_self_probe;
    uint64_t ready_fd; /* READY_FD_NONE: none */
    uint64_t lease_ms, map_bytes, quota_bytes;
    uint64_t keep_succeeded, keep_failed, keep_days;
    uint64_t source_bytes_max; /* whatever an account may */
};
enum { READY_FD_NONE = 0 };

/* The largest source of an account whose limit is `own_max`. */
static inline uint64_t settings_source_max(const struct settings *s, uint64_t own_max)
{
    return own_max < s->source_bytes_max ? own_max : s->source_bytes_max;
}

struct init_settings {
    const char *data, *environment, *key_file;
};

struct fsck_settings {
    const char *data;
};

struct rotate_settings {
    const char *data;
};

/* As option_parse(). What is no option is refused. */
MUST_USE int settings_parse(int argc, char **argv, struct settings *ret_settings);
MUST_USE int init_settings_parse(int argc, char **argv, struct init_settings *ret_settings);
MUST_USE int fsck_settings_parse(int argc, char **argv, struct fsck_settings *ret_settings);
MUST_USE int rotate_settings_parse(int argc, char **argv, struct rotate_settings *ret_settings);
