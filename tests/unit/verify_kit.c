/* verify_kit.c: one bundle, its assets, a map, and all that is said of them. */
#include "verify_kit.h"

#include "cli/bundle.h"
#include "edge/provenance.h"
#include "folder.h"
#include "text.h"

#include <dsse.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const char *const kit_names[KIT_PARTS] = {"index.android.bundle.hbc",
                                          "assets.tar.gz",
                                          "index.android.bundle.map",
                                          BUNDLE_STATEMENT,
                                          BUNDLE_SIGNATURE,
                                          BUNDLE_PROVENANCE,
                                          BUNDLE_ARTIFACTS};

static const Rota__ObjectKind kinds[KIT_PARTS] = {
    [KIT_BUNDLE] = ROTA__OBJECT_KIND__BUNDLE,
    [KIT_ASSETS] = ROTA__OBJECT_KIND__ASSETS,
    [KIT_MAP] = ROTA__OBJECT_KIND__MAP,
    [KIT_PROVENANCE] = ROTA__OBJECT_KIND__PROVENANCE,
};
static const char *const kind_words[KIT_PARTS] = {[KIT_BUNDLE] = "bundle",
                                                  [KIT_ASSETS] = "assets",
                                                  [KIT_MAP] = "map",
                                                  [KIT_PROVENANCE] = "provenance"};

void kit_key_make(unsigned salt, struct kit_key *key)
{
    uint8_t seed[crypto_sign_SEEDBYTES] = {(uint8_t)salt};
    crypto_sign_seed_keypair(key->trusted.public, key->secret, seed);
    sign_key_id(key->trusted.public, key->trusted.id);
}

void kit_text(struct kit_folder *f, enum kit_part part, const char *text)
{
    struct kit_file *file = &f->file[part];
    file->n = strlen(text);
    assert_true(file->n <= KIT_PART_MAX);
    memcpy(file->bytes, text, file->n);
}

/* Bytes that differ with the salt, and a length that does. */
static void body_make(struct kit_folder *f, enum kit_part part, unsigned salt)
{
    struct kit_file *file = &f->file[part];
    uint8_t seed[randombytes_SEEDBYTES] = {(uint8_t)part, (uint8_t)salt};
    file->n = 3000 + 100 * (size_t)part + salt;
    randombytes_buf_deterministic(file->bytes, file->n, seed);
}

static void hashes_of(const struct kit_file *file, uint8_t sha256[32], uint8_t blake2b[32])
{
    crypto_hash_sha256(sha256, file->bytes, file->n);
    crypto_generichash(blake2b, 32, file->bytes, file->n, NULL, 0);
}

/* A message about a part, with room for its hashes. */
struct part_message {
    Rota__Artifact artifact;
    uint8_t sha256[32], blake2b[32];
};

static void part_fill(const struct kit_folder *f, enum kit_part part, struct part_message *m)
{
    hashes_of(&f->file[part], m->sha256, m->blake2b);
    rota__artifact__init(&m->artifact);
    m->artifact.kind = kinds[part];
    m->artifact.name = (char *)(uintptr_t)kit_names[part];
    m->artifact.size = f->file[part].n;
    m->artifact.sha256 = (ProtobufCBinaryData){32, m->sha256};
    m->artifact.blake2b = (ProtobufCBinaryData){32, m->blake2b};
}

void kit_sign(struct kit_folder *f, const char *statement, const struct kit_key *key)
{
    uint8_t signature[SIGN_BYTES];
    char hex[2 * SIGN_BYTES + 1];
    sign_statement(key->secret, statement, signature);
    kit_text(f, KIT_STATEMENT, statement);
    kit_text(f, KIT_SIGNATURE, sodium_bin2hex(hex, sizeof hex, signature, sizeof signature));
}

void kit_envelope(struct kit_folder *f, const char *payload, const struct kit_key *key)
{
    char text[DSSE_TEXT_MAX + 1];
    assert_int_equal(dsse_sign(key->secret, DSSE_TYPE_INTOTO, payload, strlen(payload), text), 0);
    kit_text(f, KIT_PROVENANCE, text);
}

char *kit_payload(const struct kit_folder *f)
{
    const struct kit_file *file = &f->file[KIT_PROVENANCE];
    AUTO_FREE struct dsse *e = x_alloc(sizeof *e);
    assert_int_equal(dsse_read((const char *)file->bytes, file->n, e), 0);
    return x_strdup((const char *)e->payload);
}

static void statement_make(const struct kit_build *b, struct part_message *bundle,
                           struct kit_folder *f)
{
    struct statement s = {.environment = b->environment,
                          .job = b->job,
                          .account = b->account,
                          .app = b->app,
                          .platform = "android",
                          .kind = "bundle",
                          .size = bundle->artifact.size};
    char text[STATEMENT_LEN_MAX];

    memcpy(s.sha256, bundle->sha256, 32);
    memcpy(s.blake2b, bundle->blake2b, 32);
    memcpy(s.key_id, b->key->trusted.id, sizeof s.key_id);
    assert_int_equal(statement_text(&s, text), 0);
    kit_sign(f, text, b->key);
}

static void facts_make(Rota__BuildFacts *facts, Rota__BuildTool tool[2], Rota__BuildTool *tools[2])
{
    static uint8_t hash[32] = {7};
    static const char *const words[2][2] = {{"node", "20.19.0"}, {"react-native", "0.76.1"}};
    rota__build_facts__init(facts);
    for (size_t i = 0; i < 2; i++) {
        rota__build_tool__init(&tool[i]);
        tool[i].name = (char *)(uintptr_t)words[i][0];
        tool[i].version = (char *)(uintptr_t)words[i][1];
        tools[i] = &tool[i];
    }
    facts->source_uri = (char *)(uintptr_t) "https://git.example.org/acme/shop.git";
    facts->source_commit = (char *)(uintptr_t) "0123456789abcdef0123456789abcdef01234567";
    facts->lockfile = (char *)(uintptr_t) "package-lock.json";
    facts->lockfile_sha256 = (ProtobufCBinaryData){32, hash};
    facts->tool = tools;
    facts->n_tool = 2;
    facts->started_ms = 1790000000000;
    facts->finished_ms = 1790000060000;
}

static void provenance_make(const struct kit_build *b, const struct job_row *row,
                            struct part_message *bundle, struct part_message *assets,
                            struct kit_folder *f)
{
    Rota__Attest attest = ROTA__ATTEST__INIT;
    Rota__BuildFacts facts;
    Rota__BuildTool tool[2], *tools[2];
    Rota__Artifact *other[] = {&assets->artifact};
    char why[PROVENANCE_WHY_MAX];
    AUTO_FREE char *payload = NULL;
    facts_make(&facts, tool, tools);
    attest.artifact = &bundle->artifact;
    attest.facts = &facts;
    attest.n_other = 1;
    attest.other = other;
    const struct provenance p = {b->environment, b->key->trusted.id, b->job, row, &attest};
    assert_int_equal(provenance_text(&p, &payload, why), 0);
    kit_envelope(f, payload, b->key);
}

void kit_list(struct kit_folder *f)
{
    AUTO_FREE char *list = x_strdup("[");
    for (enum kit_part i = 0; i < KIT_PARTS; i++) {
        struct part_message m;
        char sha256[65], blake2b[65];
        if (!kinds[i] || f->file[i].is_absent)
            continue;
        part_fill(f, i, &m);
        sodium_bin2hex(sha256, sizeof sha256, m.sha256, 32);
        sodium_bin2hex(blake2b, sizeof blake2b, m.blake2b, 32);
        char *more = x_printf("%s%s\n  {\"kind\": \"%s\", \"sha256\": \"%s\", \"blake2b\": \"%s\", "
                              "\"size\": %zu, \"name\": \"%s\"}",
                              list, list[1] ? "," : "", kind_words[i], sha256, blake2b,
                              f->file[i].n, kit_names[i]);
        free(list);
        list = more;
    }
    AUTO_FREE char *whole = x_printf("%s\n]", list);
    kit_text(f, KIT_LIST, whole);
}

void kit_make(const struct kit_build *b, struct kit_folder *ret_folder)
{
    struct part_message bundle, assets;
    struct job_row row = {.platform = 1,
                          .account_id = span_str(b->account),
                          .app_name = span_str(b->app),
                          .class = span_str("bundle"),
                          .ref = span_str("main"),
                          .spec = span_str("{\"root\":\"apps/shop\"}"),
                          .source = span_str("")};
    memset(ret_folder, 0, sizeof *ret_folder);
    for (enum kit_part i = KIT_BUNDLE; i <= KIT_MAP; i++)
        body_make(ret_folder, i, b->salt);
    part_fill(ret_folder, KIT_BUNDLE, &bundle);
    part_fill(ret_folder, KIT_ASSETS, &assets);
    statement_make(b, &bundle, ret_folder);
    provenance_make(b, &row, &bundle, &assets, ret_folder);
    kit_list(ret_folder);
}

char *kit_dir(void)
{
    char *dir = x_strdup("/tmp/rota-verify-XXXXXX");
    assert_non_null(mkdtemp(dir));
    return dir;
}

void kit_dir_remove(char *dir)
{
    assert_int_equal(folder_remove(dir), 0);
    free(dir);
}

void kit_write(const struct kit_folder *f, const char *dir)
{
    for (enum kit_part i = 0; i < KIT_PARTS; i++) {
        AUTO_FREE char *path = x_printf("%s/%s", dir, kit_names[i]);
        if (f->file[i].is_absent) {
            unlink(path);
            continue;
        }
        AUTO_FD fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
        assert_true(fd >= 0);
        assert_int_equal(write(fd, f->file[i].bytes, f->file[i].n), f->file[i].n);
    }
}

enum error_code kit_verify(const char *dir, const struct trusted_key *keys, size_t keys_n)
{
    const struct verify_order order = {.dir = dir, .keys = keys, .keys_n = keys_n};
    struct verify_result result;
    char failed[VERIFY_FAILED_MAX] = "";
    assert_int_equal(verify_folder(&order, &result, failed), 0);
    enum error_code code = result.n_faults ? result.fault[0].code : E_OK;
    if (code != E_OK)
        assert_true(result.fault[0].text[0] && error_row(code)->hint[0]);
    verify_deinit(&result);
    return code;
}
