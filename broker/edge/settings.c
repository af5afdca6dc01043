/* settings.c: the option tables of rotad. Every setting has one row here; --help, the manual
 * and the checks of range come from it. */
#include "edge/settings.h"

#include <base/auto.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define S(kind, member, ...) OPTION_##kind(struct settings, member, __VA_ARGS__)
#define I(kind, member, ...) OPTION_##kind(struct init_settings, member, __VA_ARGS__)

static const struct option_row serve_rows[] = {
    S(STR, data, "data", "DIR", NULL, "folder of the environment, made by rotad init"),
    S(LIST, listen, "listen", "URL", "ipc:///PATH, tcp://ADDR:PORT or tls+tcp://ADDR:PORT"),
    S(STR, config, "config", "FILE", NULL, "settings from a file; flags and environment win"),
    S(U64, ready_fd, "ready-fd", "N", READY_FD_NONE, 0, 1 << 20,
      "write a line \"ready\" to this descriptor once every listener answers; 0: none"),
    S(U64, lease_ms, "lease-ms", "MS", 30000, 1000, 1800000, "silence after which a lease is lost"),
    S(STR, tls_cert, "tls-cert", "FILE", NULL, "certificate of tls+tcp listeners (PEM)"),
    S(STR, tls_key, "tls-key", "FILE", NULL, "private key of tls+tcp listeners (PEM)"),
    S(STR, tls_client_ca, "tls-client-ca", "FILE", NULL,
      "ask clients for a certificate signed by this authority"),
    S(FLAG, allow_plain_tcp, "allow-plain-tcp",
      "let tcp:// listen on other addresses than loopback: keys travel in the clear"),
    S(U64, map_bytes, "map-bytes", "BYTES", 1ull << 40, 1 << 20, 1ull << 46,
      "address space of the database; the file grows only as needed"),
    S(U64, quota_bytes, "quota-bytes", "BYTES", 0, 0, 1ull << 46,
      "refuse publishes when the database uses more; 0: what the disk holds"),
    S(STR, artifacts, "artifacts", "DIR", NULL,
      "folder of sources and bundles (DATA/artifacts), or s3://BUCKET[/PREFIX]"),
    S(STR, s3_endpoint, "s3-endpoint", "URL", NULL,
      "https://HOST[:PORT] of the bucket's service; http:// on loopback alone"),
    S(STR, s3_region, "s3-region", "NAME", "us-east-1", "region of the bucket"),
    S(STR, s3_credentials, "s3-credentials", "PLACE", NULL,
      "file:PATH (mode 0600), env:NAME or command:PROGRAM that gives the bucket's credentials: two "
      "lines, id and secret, or an AWS credentials file; read again on SIGHUP"),
    S(U64, artifacts_full_percent, "artifacts-full-percent", "N", 90, 1, 100,
      "so full is the disk of the artifacts when what nobody has named goes after an hour"),
    S(U64, source_bytes_max, "source-bytes-max", "BYTES", 500000000, 1, 1ull << 40,
      "largest source archive that may be uploaded, whatever the account's limit"),
    S(LIST, git_host, "git-host", "HOST[:PORT]",
      "host that sources git: may come from; may be repeated; default: github.com, gitlab.com"),
    S(U64, keep_succeeded, "keep-succeeded", "N", 1000, 1, 1000000,
      "newest succeeded jobs that are kept of each account"),
    S(U64, keep_failed, "keep-failed", "N", 5000, 1, 1000000,
      "newest other ended jobs that are kept of each account"),
    S(U64, keep_days, "keep-days", "DAYS", 90, 1, 3650, "how long ended jobs are kept at most"),
    S(STR, wake_command, "wake-command", "PROGRAM", NULL,
      "run PROGRAM when a pool has work and no worker, or fewer warm slots than it is heated to; "
      "it "
      "finds ROTA_POOL, ROTA_BACKLOG, ROTA_SLOTS_NOW and ROTA_SLOTS_WANTED in its environment"),
    S(U64, wake_every, "wake-every", "SECONDS", 15, 1, 3600,
      "the shortest time between two runs of it for one pool; doubled, up to 20 times as long, "
      "while "
      "no worker comes"),
    S(FLAG, no_self_probe, "no-self-probe",
      "do not watch over the ipc listeners (for the test that shows why one should)"),
};

static const struct option_row init_rows[] = {
    I(STR, data, "data", "DIR", NULL, "folder to make the environment in"),
    I(STR, environment, "environment", "NAME", "development",
      "name that every request must carry; production, staging, ..."),
    I(STR, key_file, "key-file", "FILE", NULL, "where the first operator key goes (mode 0600)"),
};

static const struct option_row fsck_rows[] = {
    OPTION_STR(struct fsck_settings, data, "data", "DIR", NULL, "folder of the environment"),
};

static const struct option_row rotate_rows[] = {
    OPTION_STR(struct rotate_settings, data, "data", "DIR", NULL, "folder of the environment"),
};

static const struct option_spec serve_spec = {
    .program = "rotad",
    .usage = "--data DIR --listen URL...\n       rotad init --data DIR [--environment NAME] "
             "--key-file FILE\n       rotad fsck --data DIR\n       rotad key rotate --data DIR",
    .about = "The queue: takes jobs, keeps them safe, hands them to workers by turns.",
    .rows = serve_rows,
    .n = ARRAY_LEN(serve_rows),
    .file_option = "config",
};

static const struct option_spec init_spec = {
    .program = "rotad init",
    .usage = "--data DIR [--environment NAME] --key-file FILE",
    .about = "Makes a new environment: database, signing key, account \"local\" and the first "
             "operator key.",
    .rows = init_rows,
    .n = ARRAY_LEN(init_rows),
};

static const struct option_spec fsck_spec = {
    .program = "rotad fsck",
    .usage = "--data DIR",
    .about = "Reads every row of a database that no broker has open, and says what does not fit: "
             "damaged rows, jobs that are in no place or in two, counts that are off. Exit 1 when "
             "there is any.",
    .rows = fsck_rows,
    .n = ARRAY_LEN(fsck_rows),
};

static const struct option_spec rotate_spec = {
    .program = "rotad key rotate",
    .usage = "--data DIR",
    .about = "Makes a new signing key. The old public key stays beside the new one, as "
             "keys/sign.pub.KEYID: what it signed still verifies by it. A broker that runs takes "
             "the new key on SIGHUP, or when it is started again.",
    .rows = rotate_rows,
    .n = ARRAY_LEN(rotate_rows),
};

/* The option's outcome, or OPTION_USAGE with the reason on stderr. */
static int parse(const struct option_spec *spec, int argc, char **argv, void *settings)
{
    int rest_n = 0;
    AUTO_FREE char **rest = calloc((size_t)argc + 1, sizeof *rest);
    if (!rest)
        return err_raise(-ENOMEM);
    int r = option_parse(spec, argc, argv, settings, rest, &rest_n);
    if (r || rest_n == 0)
        return r;
    fprintf(stderr, "%s: \"%s\" is no option. Try %s --help.\n", spec->program, rest[0],
            spec->program);
    return OPTION_USAGE;
}

static int missing(const struct option_spec *spec, const char *option)
{
    fprintf(stderr, "%s: --%s is needed. Try %s --help.\n", spec->program, option, spec->program);
    return OPTION_USAGE;
}

static int git_hosts_read(struct settings *s)
{
    const char *const *entries = s->git_host.n ? s->git_host.item : host_git_defaults;
    size_t n = s->git_host.n ? s->git_host.n : ARRAY_LEN(host_git_defaults);
    const char *bad;
    if (host_list_add(&s->git_hosts, entries, n, HOST_PORT_HTTPS, &bad) == 0)
        return 0;
    fprintf(stderr, "rotad: --git-host %s is no HOST or HOST:PORT in lower case.\n", bad);
    return OPTION_USAGE;
}

int settings_parse(int argc, char **argv, struct settings *ret_settings)
{
    int r = parse(&serve_spec, argc, argv, ret_settings);
    if (r)
        return r;
    if (!ret_settings->data)
        return missing(&serve_spec, "data");
    return ret_settings->listen.n ? git_hosts_read(ret_settings) : missing(&serve_spec, "listen");
}

int init_settings_parse(int argc, char **argv, struct init_settings *ret_settings)
{
    int r = parse(&init_spec, argc, argv, ret_settings);
    if (r)
        return r;
    if (!ret_settings->data)
        return missing(&init_spec, "data");
    return ret_settings->key_file ? 0 : missing(&init_spec, "key-file");
}

int fsck_settings_parse(int argc, char **argv, struct fsck_settings *ret_settings)
{
    int r = parse(&fsck_spec, argc, argv, ret_settings);
    if (r)
        return r;
    return ret_settings->data ? 0 : missing(&fsck_spec, "data");
}

int rotate_settings_parse(int argc, char **argv, struct rotate_settings *ret_settings)
{
    int r = parse(&rotate_spec, argc, argv, ret_settings);
    if (r)
        return r;
    return ret_settings->data ? 0 : missing(&rotate_spec, "data");
}
