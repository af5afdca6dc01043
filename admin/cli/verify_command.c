/* verify_command.c: `rota verify DIR`: a line for each thing that was looked at, and every fault by
 * its name. */
#include "commands.h"
#include "text.h"
#include "verify.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct verify_settings {
    struct common common;
    struct option_list public_key;
    bool without_provenance;
};

static const struct option_row rows[] = {
    OPTION_LIST(
        struct verify_settings, public_key, "public-key", "FILE",
        "a key to trust: the broker's sign.pub, got from its operator; may be repeated, for "
        "the keys before it"),
    OPTION_FLAG(struct verify_settings, without_provenance, "without-provenance",
                "accept a build of a broker that made no provenance: its assets are then signed by "
                "nobody"),
};

/* The catalogue speaks of jobs; here there is one thing to do, whatever was found. */
static const char hint[] = "do not use these files: fetch them again from a trusted place";

static const char *hint_of(enum error_code code)
{
    return code == E_PROVENANCE_MISSING ? error_row(code)->hint : hint;
}

static json_t *checks_json(const struct verify_result *v)
{
    json_t *checks = x_must(json_array());
    for (size_t i = 0; i < v->n_checks; i++)
        json_array_append_new(checks, json_pack("{s:s,s:b,s:s}", "name", v->check[i].name, "ok",
                                                v->check[i].is_ok, "text", v->check[i].text));
    return checks;
}

static json_t *faults_json(const struct verify_result *v)
{
    json_t *faults = x_must(json_array());
    for (size_t i = 0; i < v->n_faults; i++)
        json_array_append_new(
            faults, json_pack("{s:s,s:s,s:s}", "name", error_row(v->fault[i].code)->name, "text",
                              v->fault[i].text, "hint", error_row(v->fault[i].code)->hint));
    return faults;
}

static int print_json(const struct verify_result *v)
{
    json_t *document =
        json_pack("{s:b,s:i,s:o,s:o}", "ok", !v->n_faults, "files_checked", (int)v->checked,
                  "checks", checks_json(v), "errors", faults_json(v));
    if (v->statement)
        json_object_set(document, "statement", v->statement);
    if (v->provenance)
        json_object_set(document, "provenance", v->provenance);
    return cli_print(document);
}

static void print_checks(const struct verify_result *v)
{
    for (size_t i = 0; i < v->n_checks; i++)
        printf("%-4s %-11s %s\n", v->check[i].is_ok ? "ok" : "BAD", v->check[i].name,
               v->check[i].text);
    if (!v->n_faults)
        printf("signature ok: key %s, %zu files checked\n", v->key_id, v->checked);
}

static int show(const struct cli *cli, const struct verify_result *v)
{
    if (cli->common->json)
        print_json(v);
    else
        print_checks(v);
    for (size_t i = 0; i < v->n_faults; i++)
        cli_say(error_row(v->fault[i].code)->name, hint_of(v->fault[i].code), v->fault[i].text);
    return v->n_faults ? EXIT_JOB_FAILED : EXIT_OK;
}

static int key_read(const char *path, struct trusted_key *ret_key)
{
    int r = sign_public_read(path, ret_key->public);
    if (r < 0)
        return cli_config("it is one line of base64url, as `rotad init` writes sign.pub",
                          "the public key %s: %s", path, strerror(-r));
    sign_key_id(ret_key->public, ret_key->id);
    return 0;
}

/* From the options, else from the environment. */
static int keys_read(const struct verify_settings *s, struct trusted_key keys[OPTION_LIST_MAX],
                     size_t *ret_n)
{
    struct option_list files = s->public_key;
    const char *path = getenv("ROTA_PUBLIC_KEY");
    if (!files.n && path && *path)
        files.item[files.n++] = path;
    if (!files.n)
        return cli_config(
            "pass --public-key FILE or set ROTA_PUBLIC_KEY; the file is the broker's sign.pub, "
            "from its operator and not from beside the bundle",
            "there is no key to trust");
    for (size_t i = 0; i < files.n; i++) {
        int code = key_read(files.item[i], &keys[i]);
        if (code)
            return code;
    }
    *ret_n = files.n;
    return 0;
}

static int verify_run(struct cli *cli)
{
    const struct verify_settings *s = cli->settings;
    struct trusted_key keys[OPTION_LIST_MAX];
    struct verify_order order = {
        .dir = cli->args[0], .keys = keys, .may_lack_provenance = s->without_provenance};
    struct verify_result result;
    char failed[VERIFY_FAILED_MAX] = "";
    int code = keys_read(s, keys, &order.keys_n);
    if (code)
        return code;
    int r = verify_folder(&order, &result, failed);
    code = r < 0 ? cli_io(failed, r) : show(cli, &result);
    verify_deinit(&result);
    return code;
}

const struct command command_verify = {
    .name = "verify",
    .args = "DIR --public-key FILE...",
    .about = "checks, without any network, what `rota download` wrote",
    .details =
        "Sizes, SHA-256 and BLAKE2b of the files, the form of the statement about the bundle and "
        "its Ed25519 signature by a trusted key; the envelope of the provenance, its signature, "
        "that it tells of the same job, app, account and environment, and that bundle and assets "
        "are the files it stands for. A line for each: the source with its commit, the lockfile "
        "and the toolchain are the worker's statement, which nothing here can be held against. "
        "After a change of keys pass the old public keys too (keys/sign.pub.KEYID): each bundle "
        "verifies by the key that signed it. The last line is \"signature ok\" and the key; any "
        "fault is named and exits 1.",
    .rows = rows,
    .n_rows = ARRAY_LEN(rows),
    .settings_bytes = sizeof(struct verify_settings),
    .args_min = 1,
    .args_max = 1,
    .needs = PRINTS_JSON,
    .run = verify_run,
};
