/* verify_command.c: `rota verify DIR`: says what fits, or every fault by its name. */
#include "commands.h"
#include "text.h"
#include "verify.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct verify_settings {
    struct common common;
    const char *public_key;
};

static const struct option_row rows[] = {
    OPTION_STR(struct verify_settings, public_key, "public-key", "FILE", NULL,
               "the key to trust: the broker's sign.pub, got from its operator"),
};

/* The catalogue speaks of jobs; here there is one thing to do, whatever was found. */
static const char hint[] = "do not use these files: fetch them again from a trusted place";

static int print_json(const struct verify_result *v)
{
    json_t *faults = x_must(json_array());
    for (size_t i = 0; i < v->n_faults; i++)
        json_array_append_new(
            faults, json_pack("{s:s,s:s,s:s}", "name", error_row(v->fault[i].code)->name, "text",
                              v->fault[i].text, "hint", error_row(v->fault[i].code)->hint));
    json_t *document = json_pack("{s:b,s:i,s:o}", "ok", !v->n_faults, "files_checked",
                                 (int)v->checked, "errors", faults);
    if (v->statement)
        json_object_set(document, "statement", v->statement);
    return cli_print(document);
}

static void print_facts(const struct verify_result *v)
{
    char size[TEXT_SHORT_LEN + 1];
    const struct statement *f = &v->facts;
    printf("%s for %s of %s, account %s, environment %s\n", f->kind, f->platform, f->app,
           f->account, f->environment);
    printf("job %s, %s, %zu files checked\n", f->job, text_bytes(f->size, size), v->checked);
    printf("sha256 %s\n", json_string_value(json_object_get(v->statement, "sha256")));
    printf("signature ok: key %s\n", f->key_id);
}

static int show(const struct cli *cli, const struct verify_result *v)
{
    if (cli->common->json)
        print_json(v);
    else if (!v->n_faults)
        print_facts(v);
    for (size_t i = 0; i < v->n_faults; i++)
        cli_say(error_row(v->fault[i].code)->name, hint, v->fault[i].text);
    return v->n_faults ? EXIT_JOB_FAILED : EXIT_OK;
}

static int verify_run(struct cli *cli)
{
    const struct verify_settings *s = cli->settings;
    struct verify_result result;
    uint8_t key[SIGN_PUBLIC_BYTES];
    char failed[256] = "";
    const char *path = s->public_key ? s->public_key : getenv("ROTA_PUBLIC_KEY");
    if (!path || !*path)
        return cli_config(
            "pass --public-key FILE or set ROTA_PUBLIC_KEY; the file is the broker's sign.pub, "
            "from its operator and not from beside the bundle",
            "there is no key to trust");
    int r = sign_public_read(path, key);
    if (r < 0)
        return cli_config("it is one line of base64url, as `rotad init` writes sign.pub",
                          "the public key %s: %s", path, strerror(-r));
    r = verify_folder(cli->args[0], key, &result, failed);
    int code = r < 0 ? cli_io(failed, r) : show(cli, &result);
    verify_deinit(&result);
    return code;
}

const struct command command_verify = {
    .name = "verify",
    .args = "DIR --public-key FILE",
    .about = "checks, without any network, what `rota download` wrote",
    .details = "Sizes, SHA-256 and BLAKE2b of the files, the form of the statement, and its "
               "Ed25519 signature by "
               "the trusted key. The last line is \"signature ok\" and the key; any fault is named "
               "and exits 1.",
    .rows = rows,
    .n_rows = ARRAY_LEN(rows),
    .settings_bytes = sizeof(struct verify_settings),
    .args_min = 1,
    .args_max = 1,
    .needs = PRINTS_JSON,
    .run = verify_run,
};
