/* tamper.c: the ways to tamper with a download. Attackers may mix two honest ones, and redo
 * whatever is not signed; a few have a trusted key's signature over words that do not fit. */
#include "tamper.h"

#include "text.h"

#include <dsse.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct kit_key tamper_keys[2], tamper_stranger;
static struct kit_folder one, two, bad;
static uint64_t dice;

/* The same numbers on every machine. */
static size_t roll(size_t below)
{
    dice ^= dice << 13;
    dice ^= dice >> 7;
    dice ^= dice << 17;
    return (size_t)(dice % below);
}

/* ---- the ways; `part` is the row's ---- */

static void flip(enum kit_part part)
{
    struct kit_file *f = &bad.file[part];
    size_t bit = roll(8 * f->n);
    f->bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
}

static void flip_and_list(enum kit_part part)
{
    flip(part);
    kit_list(&bad);
}

/* In the bytes behind the base64: the text is well-formed, the signature is the old one. */
static void envelope_change(void (*change)(struct dsse *e))
{
    AUTO_FREE struct dsse *e = x_alloc(sizeof *e);
    char p64[KIT_PART_MAX], s64[100];
    assert_int_equal(
        dsse_read((char *)bad.file[KIT_PROVENANCE].bytes, bad.file[KIT_PROVENANCE].n, e), 0);
    change(e);
    sodium_bin2base64(p64, sizeof p64, e->payload, e->n, sodium_base64_VARIANT_ORIGINAL);
    sodium_bin2base64(s64, sizeof s64, e->signature, sizeof e->signature,
                      sodium_base64_VARIANT_ORIGINAL);
    AUTO_FREE char *text =
        x_printf("{\"payload\":\"%s\",\"payloadType\":\"%s\",\"signatures\":[{\"keyid\":\"%s\","
                 "\"sig\":\"%s\"}]}",
                 p64, e->type, e->key_id, s64);
    kit_text(&bad, KIT_PROVENANCE, text);
    kit_list(&bad);
}
static void payload_bit(struct dsse *e)
{
    size_t bit = roll(8 * e->n);
    e->payload[bit / 8] ^= (uint8_t)(1 << bit % 8);
}
static void signature_bit(struct dsse *e)
{
    size_t bit = roll(8 * sizeof e->signature);
    e->signature[bit / 8] ^= (uint8_t)(1 << bit % 8);
}
static void payload_cut(struct dsse *e)
{
    e->n = roll(e->n);
}
static void key_id_swap(struct dsse *e)
{
    memcpy(e->key_id, tamper_keys[1].trusted.id, sizeof e->key_id);
}
static void type_change(struct dsse *e)
{
    static const char *const types[] = {"text/plain", "application/json",
                                        "application/vnd.in-toto+jso", ""};
    snprintf(e->type, sizeof e->type, "%s", types[roll(ARRAY_LEN(types))]);
}
static void text_replace(enum kit_part part, const char *from, const char *to)
{
    struct kit_file *f = &bad.file[part];
    AUTO_FREE char *text = x_printf("%.*s", (int)f->n, (const char *)f->bytes);
    char *at = strstr(text, from);
    assert_non_null(at);
    AUTO_FREE char *made = x_printf("%.*s%s%s", (int)(at - text), text, to, at + strlen(from));
    kit_text(&bad, part, made);
}
static void swap_statement_key_id(void)
{
    text_replace(KIT_STATEMENT, tamper_keys[0].trusted.id, tamper_keys[1].trusted.id);
}
/* Signed by a trusted key, but under the other's name. */
static void sign_under_another_id(void)
{
    AUTO_FREE char *text =
        x_printf("%.*s", (int)one.file[KIT_STATEMENT].n, (char *)one.file[KIT_STATEMENT].bytes);
    kit_sign(&bad, text, &tamper_keys[1]);
}
static void sign_by_stranger(void)
{
    AUTO_FREE char *text =
        x_printf("%.*s", (int)one.file[KIT_STATEMENT].n, (char *)one.file[KIT_STATEMENT].bytes);
    kit_sign(&bad, text, &tamper_stranger);
}
static void envelope_by_stranger(void)
{
    AUTO_FREE char *payload = kit_payload(&one);
    kit_envelope(&bad, payload, &tamper_stranger);
    kit_list(&bad);
}
/* Another trusted key over the same payload, whose builder names the first. */
static void envelope_by_other_trusted_key(void)
{
    AUTO_FREE char *payload = kit_payload(&one);
    kit_envelope(&bad, payload, &tamper_keys[1]);
    kit_list(&bad);
}
/* The statement's signature is over another text than the envelope's, and the reverse. */
static void statement_signature_over_payload(void)
{
    AUTO_FREE char *payload = kit_payload(&one);
    uint8_t signature[SIGN_BYTES];
    char hex[2 * SIGN_BYTES + 1];
    crypto_sign_detached(signature, NULL, (uint8_t *)payload, strlen(payload),
                         tamper_keys[0].secret);
    kit_text(&bad, KIT_SIGNATURE, sodium_bin2hex(hex, sizeof hex, signature, sizeof signature));
}

static void swap_part(void)
{
    enum kit_part part = (enum kit_part)roll(KIT_PARTS);
    bad.file[part] = two.file[part];
}
/* A part of another job with the list redone; the map's list is nobody's word. */
static void swap_signed_part_and_list(void)
{
    static const enum kit_part parts[] = {KIT_BUNDLE, KIT_ASSETS, KIT_PROVENANCE};
    enum kit_part part = parts[roll(ARRAY_LEN(parts))];
    bad.file[part] = two.file[part];
    kit_list(&bad);
}
static void swap_statement_and_signature(void)
{
    bad.file[KIT_STATEMENT] = two.file[KIT_STATEMENT];
    bad.file[KIT_SIGNATURE] = two.file[KIT_SIGNATURE];
}
/* The whole of another job but its envelope: each half is genuine. */
static void swap_all_but_envelope(void)
{
    bad = two;
    bad.file[KIT_PROVENANCE] = one.file[KIT_PROVENANCE];
    kit_list(&bad);
}
static void swap_bundle_and_assets(void)
{
    static struct kit_file held;
    held = bad.file[KIT_BUNDLE];
    bad.file[KIT_BUNDLE] = bad.file[KIT_ASSETS];
    bad.file[KIT_ASSETS] = held;
    if (roll(2))
        kit_list(&bad);
}

static void cut_part(void)
{
    struct kit_file *f = &bad.file[roll(KIT_PARTS)];
    f->n = roll(f->n);
}
static void cut_signed_part_and_list(void)
{
    static const enum kit_part parts[] = {KIT_BUNDLE, KIT_ASSETS, KIT_PROVENANCE};
    struct kit_file *f = &bad.file[parts[roll(ARRAY_LEN(parts))]];
    f->n = roll(f->n);
    kit_list(&bad);
}
static void lengthen_part(void)
{
    static const char tails[] = {0, ' ', 'a', '}', ','};
    enum kit_part part = (enum kit_part)roll(KIT_PARTS);
    struct kit_file *f = &bad.file[part];
    char tail = tails[roll(sizeof tails)];
    if (part == KIT_LIST && tail == ' ')
        tail = 'x'; /* white space behind a list changes nothing */
    f->bytes[f->n++] = (uint8_t)tail;
}
static void lengthen_envelope_and_list(void)
{
    struct kit_file *f = &bad.file[KIT_PROVENANCE];
    f->bytes[f->n++] = '\n';
    kit_list(&bad);
}
static void remove_part(void)
{
    bad.file[roll(KIT_PARTS)].is_absent = true;
}
static void remove_assets_or_envelope_with_its_row(void)
{
    bad.file[roll(2) ? KIT_ASSETS : KIT_PROVENANCE].is_absent = true;
    kit_list(&bad);
}

/* ---- JSON that means the same, or could be read two ways ---- */

static void statement_forms(void)
{
    static const char *const changes[][2] = {
        {"{\"environment\":\"test\",", "{"},
        {"{\"environment\"", "{ \"environment\""},
        {"{\"environment\":\"test\"", "{\"environment\":\"test\",\"environment\":\"test\""},
        {"\"account\":\"acme\",\"app\":\"shop\"", "\"app\":\"shop\",\"account\":\"acme\""},
        {"\"app\":\"shop\"", "\"app\":\"\\u0073hop\""},
        {"\"app\":\"shop\"", "\"app\":\"evil\",\"app\":\"shop\""},
        {"\"size\":", "\"size\":0"},
        {"\"android\"", "\"ios\""},
        {"}", ",\"x\":1}"},
    };
    const char *const *c = changes[roll(ARRAY_LEN(changes))];
    text_replace(KIT_STATEMENT, c[0], c[1]);
}
static void envelope_forms(void)
{
    static const char *const changes[][2] = {
        {"{\"payload\":", "{ \"payload\":"},
        {"{\"payload\":", "{\"payload\":\"e30=\",\"payload\":"},
        {"\"payloadType\":", "\"payloadType\":\"application/json\",\"payloadType\":"},
        {"\"signatures\":[", "\"signatures\":[],\"signatures\":["},
        {"\"signatures\":[{", "\"signatures\":[{},{"},
        {"\"sig\":", "\"sig\":\"\",\"sig\":"},
        {"}]}", "}],\"x\":1}"},
        {"\"payloadType\"", "\"payloadtype\""},
    };
    const char *const *c = changes[roll(ARRAY_LEN(changes))];
    text_replace(KIT_PROVENANCE, c[0], c[1]);
    kit_list(&bad);
}
static void list_forms(void)
{
    static const char *const changes[][2] = {
        {"\"kind\": \"bundle\"", "\"kind\": \"bundle\", \"kind\": \"map\""},
        {"\"kind\": \"bundle\"", "\"kind\": \"map\""},
        {"\"kind\": \"assets\"", "\"kind\": \"output\""},
        {"\"kind\": \"assets\"", "\"kind\": \"bundle\""},
        {"\"kind\": \"map\"", "\"kind\": \"\""},
        {"\"name\": \"assets.tar.gz\"", "\"name\": \"../assets.tar.gz\""},
        {"\"name\": \"assets.tar.gz\"", "\"name\": \"index.android.bundle.hbc\""},
        {"\"name\": \"assets.tar.gz\"", "\"name\": \"signature\""},
        {"[", "[[],"},
        {"\"size\": ", "\"size\": 1"},
    };
    const char *const *c = changes[roll(ARRAY_LEN(changes))];
    text_replace(KIT_LIST, c[0], c[1]);
}

/* A trusted key signed it, but it is not about this build: what a stolen or mistaken envelope of
 * the same broker could say. */
static void signed_otherwise(void)
{
    static const char *const changes[][2] = {
        {"\"app\":\"shop\"", "\"app\":\"bank\""},
        {"\"account\":\"acme\"", "\"account\":\"evil\""},
        {"\"environment\":\"test\"", "\"environment\":\"production\""},
        {"\"platform\":\"android\"", "\"platform\":\"ios\""},
        {"\"invocationId\":\"job_01", "\"invocationId\":\"job_02"},
        {"urn:rota:builder:test:", "urn:rota:builder:other:"},
        {"urn:rota:build:v1", "urn:rota:build:v2"},
        {"https://slsa.dev/provenance/v1", "https://slsa.dev/provenance/v2"},
        {"https://in-toto.io/Statement/v1", "https://in-toto.io/Statement/v9"},
        {"\"name\":\"assets.tar.gz\"", "\"name\":\"other.tar.gz\""},
        {"\"kind\":\"assets\"", "\"kind\":\"map\""},
        {"\"blake2b_256\":\"", "\"blake2b_256\":\"0"},
        {"\"blake2b_256\"", "\"blake2b\""},
        {"\"subject\":[", "\"subject\":[],\"more\":["},
        {"{\"_type\"", "{\"_type\":\"x\",\"_type\""},
        {"{\"_type\"", "[{\"_type\""},
    };
    const char *const *c = changes[roll(ARRAY_LEN(changes))];
    AUTO_FREE char *payload = kit_payload(&one);
    char *at = strstr(payload, c[0]);
    assert_non_null(at);
    AUTO_FREE char *made =
        x_printf("%.*s%s%s", (int)(at - payload), payload, c[1], at + strlen(c[0]));
    kit_envelope(&bad, made, &tamper_keys[0]);
    kit_list(&bad);
}
static void signed_without_assets(void)
{
    AUTO_FREE char *payload = kit_payload(&one);
    json_t *statement = json_loads(payload, 0, NULL);
    assert_int_equal(json_array_remove(json_object_get(statement, "subject"), 1), 0);
    AUTO_FREE char *made = json_dumps(statement, JSON_COMPACT | JSON_SORT_KEYS);
    json_decref(statement);
    kit_envelope(&bad, made, &tamper_keys[0]);
    kit_list(&bad);
}
static void statement_signed_in_another_form(void)
{
    text_replace(KIT_STATEMENT, "\"account\":\"acme\",\"app\":\"shop\"",
                 "\"app\":\"shop\",\"account\":\"acme\"");
    AUTO_FREE char *text =
        x_printf("%.*s", (int)bad.file[KIT_STATEMENT].n, (char *)bad.file[KIT_STATEMENT].bytes);
    kit_sign(&bad, text, &tamper_keys[0]);
}
/* The last one, in front of all the others too. */
static void list_row_twice(void)
{
    const struct kit_file *f = &one.file[KIT_LIST];
    AUTO_FREE char *text = x_printf("%.*s", (int)f->n, (const char *)f->bytes);
    const char *row = strrchr(text, '{');
    AUTO_FREE char *made = x_printf("[%.*s,%s", (int)(strchr(row, '}') + 1 - row), row, text + 1);
    kit_text(&bad, KIT_LIST, made);
}
static void upper_case_hex(void)
{
    struct kit_file *f = &bad.file[KIT_SIGNATURE];
    for (;;) {
        uint8_t *c = &f->bytes[roll(f->n)];
        if (*c >= 'a' && *c <= 'f') {
            *c = (uint8_t)(*c - 'a' + 'A');
            return;
        }
    }
}

/* One of the three functions of a row is set. */
#define PART(function, part)                                                                       \
    {                                                                                              \
#function " " #part, function, part, NULL, NULL                                            \
    }
#define ENVELOPE(function)                                                                         \
    {                                                                                              \
        "envelope: " #function, NULL, 0, function, NULL                                            \
    }
#define WAY(function)                                                                              \
    {                                                                                              \
#function, NULL, 0, NULL, function                                                         \
    }
static const struct {
    const char *name;
    void (*to_part)(enum kit_part part);
    enum kit_part part;
    void (*to_envelope)(struct dsse *e);
    void (*tamper)(void);
} ways[] = {
    PART(flip, KIT_BUNDLE),
    PART(flip_and_list, KIT_BUNDLE),
    PART(flip, KIT_ASSETS),
    PART(flip_and_list, KIT_ASSETS),
    PART(flip, KIT_MAP),
    PART(flip, KIT_STATEMENT),
    PART(flip, KIT_SIGNATURE),
    PART(flip, KIT_LIST),
    PART(flip, KIT_PROVENANCE),
    PART(flip_and_list, KIT_PROVENANCE),
    ENVELOPE(payload_bit),
    ENVELOPE(signature_bit),
    ENVELOPE(payload_cut),
    ENVELOPE(key_id_swap),
    ENVELOPE(type_change),
    WAY(swap_statement_key_id),
    WAY(sign_under_another_id),
    WAY(sign_by_stranger),
    WAY(envelope_by_stranger),
    WAY(envelope_by_other_trusted_key),
    WAY(statement_signature_over_payload),
    WAY(swap_part),
    WAY(swap_signed_part_and_list),
    WAY(swap_statement_and_signature),
    WAY(swap_all_but_envelope),
    WAY(swap_bundle_and_assets),
    WAY(cut_part),
    WAY(cut_signed_part_and_list),
    WAY(lengthen_part),
    WAY(remove_part),
    WAY(remove_assets_or_envelope_with_its_row),
    WAY(statement_forms),
    WAY(envelope_forms),
    WAY(list_forms),
    WAY(signed_otherwise),
    WAY(signed_without_assets),
    WAY(statement_signed_in_another_form),
    WAY(list_row_twice),
    WAY(lengthen_envelope_and_list),
    WAY(upper_case_hex),
};

const struct kit_folder *tamper(size_t way)
{
    bad = one;
    if (ways[way].to_part)
        ways[way].to_part(ways[way].part);
    else if (ways[way].to_envelope)
        envelope_change(ways[way].to_envelope);
    else
        ways[way].tamper();
    return &bad;
}

const size_t tamper_ways = ARRAY_LEN(ways);

const char *tamper_name(size_t way)
{
    return ways[way].name;
}

void tamper_begin(const struct kit_folder *honest, const struct kit_folder *another)
{
    one = *honest;
    two = *another;
    dice = 0x5deece66d1234567;
}
