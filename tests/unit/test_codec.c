/* test_codec.c: a row comes back as it was written, damage of any byte is seen, and older rows stay
 * readable. The database outlives every build of rotad, so the form on the disk is pinned by a
 * fixture. */
#include "store_kit.h"

#include <errno.h>
#include <sodium.h>

static const struct row_type *const types[] = {
    &job_row_type,      &state_row_type,        &tally_row_type,       &ring_row_type,
    &ready_row_type,    &delayed_row_type,      &waits_on_row_type,    &held_row_type,
    &job_of_row_type,   &lease_row_type,        &done_row_type,        &pool_row_type,
    &class_row_type,    &account_row_type,      &account_id_row_type,  &app_row_type,
    &key_row_type,      &key_serial_row_type,   &idem_row_type,        &event_row_type,
    &object_row_type,   &meta_row_type,         &follow_row_type,      &usage_row_type,
    &bucket_row_type,   &addon_row_type,        &grant_row_type,       &supersede_row_type,
    &pause_row_type,    &member_row_type,       &app_var_row_type,     &preset_row_type,
    &schedule_row_type, &schedule_due_row_type, &key_use_row_type,     &signal_row_type,
    &address_row_type,  &review_row_type,       &review_open_row_type, &pattern_row_type,
    &key_of_row_type,   &trail_row_type,        &bulk_row_type,        &aside_row_type,
    &app_new_row_type,  &source_due_row_type,   &erase_row_type,       &object_due_row_type,
    &going_row_type,
};

enum { TYPES = sizeof types / sizeof types[0] };

static size_t member_bytes(enum field_kind kind)
{
    static const size_t bytes[] = {[FIELD_U8] = 1,
                                   [FIELD_U16] = 2,
                                   [FIELD_U32] = 4,
                                   [FIELD_U64] = 8,
                                   [FIELD_ID] = 16,
                                   [FIELD_HASH] = 32,
                                   [FIELD_SPAN] = sizeof(struct span)};
    return bytes[kind];
}

static const uint8_t text[300] = "some bytes that spans point at";

/* A row with every member random; spans point into `text`. */
static void row_random(const struct row_type *type, uint64_t *x, void *row)
{
    memset(row, 0, type->size);
    for (size_t i = 0; i < type->n; i++) {
        const struct field *f = &type->fields[i];
        uint8_t *member = (uint8_t *)row + f->offset;
        if (f->kind == FIELD_SPAN) {
            struct span s = span_of(text, kit_random(x) % sizeof text);
            memcpy(member, &s, sizeof s);
            continue;
        }
        for (size_t b = 0; b < member_bytes(f->kind); b++)
            member[b] = (uint8_t)kit_random(x);
    }
}

static bool field_eq(const struct field *f, const void *a, const void *b)
{
    const uint8_t *ma = (const uint8_t *)a + f->offset, *mb = (const uint8_t *)b + f->offset;
    if (f->kind != FIELD_SPAN)
        return memcmp(ma, mb, member_bytes(f->kind)) == 0;
    struct span sa, sb;
    memcpy(&sa, ma, sizeof sa);
    memcpy(&sb, mb, sizeof sb);
    return span_eq(sa, sb);
}

static struct span encode(const struct row_type *type, struct span key, const void *row)
{
    size_t n = row_size(type, row);
    void *value = malloc(n); /* exactly as long: a sanitizer sees a byte too much */
    assert_non_null(value);
    row_encode(type, key, row, value);
    return span_of(value, n);
}

static void value_free(struct span v)
{
    free((void *)(uintptr_t)v.p);
}

static void every_member_of_every_row_has_its_field(void **state)
{
    (void)state;
    unsigned fields = 0;
    bool has_type[TABLE_COUNT] = {0};
    for (size_t i = 0; i < (size_t)TYPES; i++) {
        const struct row_type *type = types[i];
        assert_true(type->version >= 1);
        assert_false(has_type[type->table]);
        has_type[type->table] = true;
        size_t covered = 0;
        for (size_t f = 0; f < type->n; f++, fields++) {
            assert_true(type->fields[f].offset + member_bytes(type->fields[f].kind) <= type->size);
            covered += member_bytes(type->fields[f].kind);
        }
        /* What no field covers is padding: less than 8 bytes between two members and at the end. */
        assert_true(type->size - covered < 8 * (type->n + 1));
    }
    for (unsigned t = 0; t < TABLE_COUNT; t++)
        if (!has_type[t])
            fail_msg("table %s has no row type", table_name(t));
    print_message("%zu row types, %u fields, %d tables\n", (size_t)TYPES, fields, TABLE_COUNT);
}

static void a_row_comes_back_as_it_was_written(void **state)
{
    (void)state;
    uint64_t x = 11, rows = 0;
    for (size_t i = 0; i < (size_t)TYPES; i++) {
        void *row = malloc(types[i]->size), *back = malloc(types[i]->size);
        assert_true(row && back);
        for (unsigned n = 0; n < 500; n++, rows++) {
            row_random(types[i], &x, row);
            struct span v = encode(types[i], span_str("key"), row);
            memset(back, 0xee, types[i]->size);
            assert_int_equal(row_decode(types[i], span_str("key"), v, back), 0);
            for (size_t f = 0; f < types[i]->n; f++)
                assert_true(field_eq(&types[i]->fields[f], row, back));
            value_free(v);
        }
        free(row);
        free(back);
    }
    print_message("%llu rows of %zu types\n", (unsigned long long)rows, (size_t)TYPES);
}

static void decode_is_refused(const struct row_type *type, struct span key, struct span v)
{
    uint8_t row[sizeof(struct job_row)];
    assert_true(type->size <= sizeof row);
    assert_int_equal(row_decode(type, key, v, row), -EBADMSG);
}

static void every_flipped_bit_and_every_cut_is_seen(void **state)
{
    (void)state;
    uint64_t x = 5, flips = 0, cuts = 0;
    for (size_t i = 0; i < (size_t)TYPES; i++) {
        uint8_t row[sizeof(struct job_row)];
        row_random(types[i], &x, row);
        struct span v = encode(types[i], span_str("key"), row);
        uint8_t *p = (uint8_t *)(uintptr_t)v.p;
        for (size_t bit = 0; bit < v.n * 8; bit++, flips++) {
            p[bit / 8] ^= (uint8_t)(1u << bit % 8);
            decode_is_refused(types[i], span_str("key"), v);
            p[bit / 8] ^= (uint8_t)(1u << bit % 8);
        }
        for (size_t n = 0; n < v.n; n++, cuts++) {
            void *shorter = malloc(n ? n : 1);
            assert_non_null(shorter);
            memcpy(shorter, p, n);
            decode_is_refused(types[i], span_str("key"), span_of(shorter, n));
            free(shorter);
        }
        decode_is_refused(types[i], span_str("kez"), v); /* a row under another key */
        value_free(v);
    }
    print_message("%llu flips and %llu cuts refused\n", (unsigned long long)flips,
                  (unsigned long long)cuts);
}

/* ---- growth ---- */

struct grown_row {
    uint32_t a;
    struct span b;
    uint16_t c;
    struct span d;
};
static const struct field grown_fields[] = {
    FIELD(grown_row, a, U32),
    FIELD(grown_row, b, SPAN),
    FIELD(grown_row, c, U16),
    FIELD(grown_row, d, SPAN),
};
static const struct row_type v1 = {TABLE_META, 1, grown_fields, 2, sizeof(struct grown_row)};
static const struct row_type v2 = {TABLE_META, 2, grown_fields, 3, sizeof(struct grown_row)};
static const struct row_type v3 = {TABLE_META, 3, grown_fields, 4, sizeof(struct grown_row)};

static void older_rows_read_with_zeros_and_newer_rows_are_refused(void **state)
{
    (void)state;
    const struct row_type *all[] = {&v1, &v2, &v3};
    struct grown_row row = {.a = 7, .b = span_str("bee"), .c = 9, .d = span_str("dee")};
    for (size_t w = 0; w < 3; w++) {
        struct span v = encode(all[w], span_str("k"), &row);
        for (size_t r = 0; r < 3; r++) {
            struct grown_row back;
            int want = w > r ? -EBADMSG : 0;
            assert_int_equal(row_decode(all[r], span_str("k"), v, &back), want);
            if (want)
                continue;
            assert_true(back.a == 7 && span_eq(back.b, span_str("bee")));
            assert_int_equal(back.c, w >= 1 ? 9 : 0);
            assert_int_equal(back.d.n, w >= 2 ? 3 : 0);
        }
        value_free(v);
    }
}

static void the_form_on_the_disk_is_the_fixture(void **state)
{
    (void)state;
    static const char *const fixture = "02300fa107ec3daa930000000100000002000000030000000400000001"
                                       "020304050000000000000000";
    /* as version 1 wrote it, without its last member */
    static const char *const older =
        "01cee9a45b8626bb5e000000010000000200000003000000040000000102030405";
    struct tally_row row = {
        .ready = 1, .running = 2, .delayed = 3, .held = 4, .turn = 0x0102030405};
    struct key_buf b;
    struct span v = encode(&tally_row_type, key_tally(&b, 9, 1), &row);
    char hex[200];
    sodium_bin2hex(hex, sizeof hex, v.p, v.n);
    assert_string_equal(hex, fixture);
    value_free(v);
    uint8_t bytes[64];
    size_t n;
    struct tally_row back = {.head_ms = 1};
    assert_int_equal(sodium_hex2bin(bytes, sizeof bytes, older, strlen(older), NULL, &n, NULL), 0);
    assert_int_equal(row_decode(&tally_row_type, key_tally(&b, 9, 1), span_of(bytes, n), &back), 0);
    assert_memory_equal(&back, &row, sizeof row);
}

static void decode_hex(const struct row_type *type, const char *hex, void *ret_row)
{
    static uint8_t bytes[200]; /* spans of the row point here */
    struct job_id id;
    struct key_buf b;
    size_t n;
    memset(id.b, 7, sizeof id.b);
    assert_int_equal(sodium_hex2bin(bytes, sizeof bytes, hex, strlen(hex), NULL, &n, NULL), 0);
    assert_int_equal(row_decode(type, key_id(&b, id), span_of(bytes, n), ret_row), 0);
}

/* As version 2 wrote them, before jobs out of git knew their commit. */
static void places_from_before_commits_read_on(void **state)
{
    (void)state;
    struct state_row s = {.commit = span_str("left")};
    decode_hex(
        &state_row_type,
        "02b47996d938438b5a010200030000000000000004000000074241434b4f46460000000f4749545f554e"
        "524541434841424c45000000066e6f20776179020100050000000000000006000000036f70730007",
        &s);
    assert_true(s.attempt == 1 && s.priority == 2 && s.pool == 3 && s.due_ms == 4 && s.state == 2);
    assert_true(span_eq(s.error_name, span_str("GIT_UNREACHABLE")) && s.waits == 5);
    assert_true(span_eq(s.by, span_str("ops")) && s.charge_month == 7);
    assert_int_equal(s.commit.n, 0);
    struct done_row d = {.commit = span_str("left")};
    decode_hex(
        &done_row_type,
        "0250264fb8b6e1e6a2090300000002000000000000000b000000000000000c000000000000000d000000"
        "017700000001720000000165000000017400000001680000000166000000000000000e000f010010",
        &d);
    assert_true(d.state == 9 && d.token == 11 && d.artifact_bytes == 14 && d.pool == 15);
    assert_true(span_eq(d.facts, span_str("f")) && d.is_refunded == 1 && d.charge_month == 16);
    assert_int_equal(d.commit.n, 0);
}

/* All row types at once: any change of a field's kind, order or width changes this sum. */
static void the_forms_of_all_rows_are_pinned(void **state)
{
    (void)state;
    uint64_t x = 1;
    crypto_generichash_state sum;
    crypto_generichash_init(&sum, NULL, 0, 16);
    for (size_t i = 0; i < (size_t)TYPES; i++) {
        uint8_t row[sizeof(struct job_row)];
        row_random(types[i], &x, row);
        struct span v = encode(types[i], span_str("key"), row);
        crypto_generichash_update(&sum, v.p, v.n);
        value_free(v);
    }
    uint8_t out[16];
    char hex[33];
    crypto_generichash_final(&sum, out, sizeof out);
    sodium_bin2hex(hex, sizeof hex, out, sizeof out);
    assert_string_equal(hex, "42051216123353b932f4477694f0111c");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_member_of_every_row_has_its_field),
        cmocka_unit_test(a_row_comes_back_as_it_was_written),
        cmocka_unit_test(every_flipped_bit_and_every_cut_is_seen),
        cmocka_unit_test(older_rows_read_with_zeros_and_newer_rows_are_refused),
        cmocka_unit_test(the_form_on_the_disk_is_the_fixture),
        cmocka_unit_test(places_from_before_commits_read_on),
        cmocka_unit_test(the_forms_of_all_rows_are_pinned),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
