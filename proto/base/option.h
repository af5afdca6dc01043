/* option.h: settings of a program from one table: the parser, --help and the checks of range all
 * come from its rows. Flag over ROTA_* environment over drop-ins (FILE.d/ *.conf) over file over
 * default. Single thread, at start.
 *
 *   static const struct option_row rows[] = {
 *       OPTION_STR(struct settings, data_dir, "data", "DIR", NULL, "where the database lives"),
 *       OPTION_U64(struct settings, lease_ms, "lease-ms", "MS", 30000, 1000, 1800000, "silence
 * after which a lease is lost"), OPTION_LIST(struct settings, listen, "listen", "URL", "address to
 * listen on; may be repeated"), OPTION_FLAG(struct settings, json, "json", "print JSON"),
 *   };
 *
 * `--data DIR`, `--data=DIR`, ROTA_DATA=DIR and `data = "DIR"` in the file mean the same. --help
 * and
 * --version are known everywhere. An unknown flag or key is an error with its place. */
#pragma once

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum option_kind { OPTION_IS_STR, OPTION_IS_U64, OPTION_IS_FLAG, OPTION_IS_LIST };

enum { OPTION_LIST_MAX = 32 };

/* A repeated option; the strings live as long as the process. */
struct option_list {
    const char *item[OPTION_LIST_MAX];
    size_t n;
};

struct option_row {
    const char *name; /* without dashes */
    const char *meta; /* "DIR", "MS": what stands behind it in --help */
    enum option_kind kind;
    size_t offset;                      /* of the member in the settings */
    const char *fallback;               /* STR */
    uint64_t fallback_u64, least, most; /* U64 */
    const char *help;
};

#define OPTION_STR(type, member, name, meta, fallback, help)                                       \
    {                                                                                              \
        name, meta, OPTION_IS_STR, offsetof(type, member), fallback, 0, 0, 0, help                 \
    }
#define OPTION_U64(type, member, name, meta, fallback, least, most, help)                          \
    {                                                                                              \
        name, meta, OPTION_IS_U64, offsetof(type, member), NULL, fallback, least, most, help       \
    }
#define OPTION_FLAG(type, member, name, help)                                                      \
    {                                                                                              \
        name, NULL, OPTION_IS_FLAG, offsetof(type, member), NULL, 0, 0, 1, help                    \
    }
#define OPTION_LIST(type, member, name, meta, help)                                                \
    {                                                                                              \
        name, meta, OPTION_IS_LIST, offsetof(type, member), NULL, 0, 0, 0, help                    \
    }

struct option_spec {
    const char *program; /* "rotad" */
    const char *usage;   /* "--data DIR --listen URL..." */
    const char *about;   /* one or two sentences */
    const struct option_row *rows;
    size_t n;
    const char *file_option; /* name of the option that names the configuration file, or NULL */
    /* The first so many rows are flags alone, never read from the environment: a command's own
     * options. ROTA_TIER, say, which a job sees, must not become the --tier of a command that the
     * job runs.    */
    size_t flags_only;
};

enum option_outcome {
    OPTION_HELP = 1, /* --help or --version was answered on stdout: exit 0 */
    OPTION_USAGE,    /* a flag is wrong, said on stderr: exit 2 */
    OPTION_CONFIG,   /* environment or file is wrong, said on stderr: exit 78 */
};

/* Fills `settings`; what is no option goes to ret_rest (argv order, borrowed; *ret_n entries, room
 * for argc). After "--" all is rest. */
MUST_USE int option_parse(const struct option_spec *spec, int argc, char **argv, void *settings,
                          char **ret_rest, int *ret_n);
void option_help(const struct option_spec *spec, FILE *to);
