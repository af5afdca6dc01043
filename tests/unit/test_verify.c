/* test_verify.c shows that a bundle is trusted only when every byte is the signed one: each bit of
 * files, statement, signature and envelope is flipped in turn, and forms that mean the same are
 * refused. What was looked at is told line by line. It matters because this is the last check
 * before code runs on people's phones. */
#undef NDEBUG
#include "verify_kit.h"

#include "cli/bundle.h"
#include "text.h"

#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct kit_key key, other;
static struct kit_folder good, bad;
static char *dir;

static enum error_code verify(const struct kit_folder *f)
{
    kit_write(f, dir);
    return kit_verify(dir, &key.trusted, 1);
}

static int setup(void **state)
{
    (void)state;
    dir = kit_dir();
    kit_make(&(struct kit_build){"job_01", "shop", "acme", "test", 1, &key}, &good);
    bad = good;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    kit_dir_remove(dir);
    return 0;
}

static const char *check_text(const struct verify_result *r, const char *name)
{
    for (size_t i = 0; i < r->n_checks; i++)
        if (!strcmp(r->check[i].name, name) && r->check[i].is_ok)
            return r->check[i].text;
    return "";
}

static void what_was_signed_is_trusted_and_told(void **state)
{
    (void)state;
    static const char *const said[][2] = {
        {"statement", "bundle for android of shop, account acme, environment test, job_01"},
        {"provenance", "2 files, built 2026-09-21T14:13:20Z to 2026-09-21T14:14:20Z"},
        {"source", "git+https://git.example.org/acme/shop.git, commit "
                   "0123456789abcdef0123456789abcdef01234567"},
        {"lockfile", "package-lock.json, sha256 0700"},
        {"toolchain", "node 20.19.0, react-native 0.76.1"},
        {"bundle", "index.android.bundle.hbc, 3.0 kB, sha256 "},
        {"assets", "assets.tar.gz"},
        {"map", "listed only, nobody signed it"},
    };
    const struct verify_order order = {.dir = dir, .keys = &key.trusted, .keys_n = 1};
    struct verify_result result;
    char failed[VERIFY_FAILED_MAX];
    kit_write(&good, dir);
    assert_int_equal(verify_folder(&order, &result, failed), 0);
    assert_int_equal(result.n_faults, 0);
    assert_int_equal(result.checked, 4);
    assert_string_equal(result.key_id, key.trusted.id);
    for (size_t i = 0; i < ARRAY_LEN(said); i++)
        if (!strstr(check_text(&result, said[i][0]), said[i][1]))
            fail_msg("%s: \"%s\"", said[i][0], check_text(&result, said[i][0]));
    verify_deinit(&result);
}

/* Every bit of the part flipped in turn, in place; every one must be seen. */
static size_t flip_all(enum kit_part part)
{
    struct kit_file *f = &bad.file[part];
    AUTO_FREE char *path = x_printf("%s/%s", dir, kit_names[part]);
    kit_write(&good, dir);
    AUTO_FD fd = open(path, O_WRONLY);
    for (size_t i = 0; i < f->n * 8; i++) {
        uint8_t byte = f->bytes[i / 8] ^ (uint8_t)(1 << i % 8);
        assert_int_equal(pwrite(fd, &byte, 1, (off_t)(i / 8)), 1);
        assert_int_not_equal(kit_verify(dir, &key.trusted, 1), E_OK);
        assert_int_equal(pwrite(fd, &f->bytes[i / 8], 1, (off_t)(i / 8)), 1);
    }
    assert_int_equal(kit_verify(dir, &key.trusted, 1), E_OK);
    return f->n * 8;
}

static void one_flipped_bit_anywhere_is_seen(void **state)
{
    (void)state;
    for (enum kit_part i = KIT_STATEMENT; i < KIT_PARTS; i++)
        printf("%zu bits of %s\n", flip_all(i), kit_names[i]);
}

static void another_key_is_not_trusted(void **state)
{
    (void)state;
    kit_write(&good, dir);
    assert_int_equal(kit_verify(dir, &other.trusted, 1), E_SIGNATURE_INVALID);
}

static char *statement_text_of(const struct kit_folder *f)
{
    return x_printf("%.*s", (int)f->file[KIT_STATEMENT].n,
                    (const char *)f->file[KIT_STATEMENT].bytes);
}

static void a_statement_signed_by_another_key_is_not_trusted(void **state)
{
    (void)state;
    const struct trusted_key both[] = {key.trusted, other.trusted};
    AUTO_FREE char *text = statement_text_of(&good);
    kit_sign(&bad, text, &other);
    assert_int_equal(verify(&bad), E_SIGNATURE_INVALID);
    /* Trusted, but under the other's name. */
    assert_int_equal(kit_verify(dir, both, 2), E_STATEMENT_INVALID);
}

static void an_envelope_signed_by_another_key_is_not_trusted(void **state)
{
    (void)state;
    AUTO_FREE char *payload = kit_payload(&good);
    kit_envelope(&bad, payload, &other);
    kit_list(&bad);
    assert_int_equal(verify(&bad), E_SIGNATURE_INVALID);
}

static void signed_words_about_other_bytes_are_not_trusted(void **state)
{
    (void)state;
    bad.file[KIT_BUNDLE] = good.file[KIT_MAP];
    kit_list(&bad);
    assert_int_equal(verify(&bad), E_OBJECT_MISMATCH);
    bad = good;
    bad.file[KIT_ASSETS] = good.file[KIT_MAP];
    kit_list(&bad);
    assert_int_equal(verify(&bad), E_OBJECT_MISMATCH);
}

static void the_same_facts_in_another_form_are_not_trusted(void **state)
{
    (void)state;
    AUTO_FREE char *text = statement_text_of(&good);
    AUTO_FREE char *spaced = x_printf(" %s", text), *tail = x_printf("%s\n", text),
                   *more = x_printf("%.*s,\"x\":1}", (int)strlen(text) - 1, text);
    const char *const forms[] = {spaced, more, tail};
    for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
        kit_text(&bad, KIT_STATEMENT, forms[i]);
        assert_int_equal(verify(&bad), E_STATEMENT_INVALID);
    }
    bad = good;
    bad.file[KIT_STATEMENT].bytes[bad.file[KIT_STATEMENT].n++] = 0;
    assert_int_equal(verify(&bad), E_STATEMENT_INVALID);
    bad = good;
    bad.file[KIT_SIGNATURE].bytes[bad.file[KIT_SIGNATURE].n++] = '\n'; /* as an editor adds it */
    assert_int_equal(verify(&bad), E_OK);
}

static void a_list_cannot_point_away_from_the_signed_bytes(void **state)
{
    static const char *const lists[] = {"",
                                        "[]",
                                        "{}",
                                        "[1]",
                                        "[{\"kind\":\"bundle\",\"name\":\"../index.hbc\"}]",
                                        "[{\"kind\":\"bundle\",\"name\":\"/etc/passwd\"}]",
                                        "[{\"kind\":\"bundle\",\"name\":\"assets.tar.gz\"}]",
                                        "[{\"kind\":\"bundle\",\"name\":\"signature\"}]",
                                        "[{\"kind\":\"bundle\"}]",
                                        "[{\"kind\":\"bundle\",\"name\":\"absent\"}]"};
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
        kit_text(&bad, KIT_LIST, lists[i]);
        assert_int_not_equal(verify(&bad), E_OK);
    }
    printf("%zu of %zu lists refused\n", ARRAY_LEN(lists), ARRAY_LEN(lists));
}

static void a_missing_part_is_named(void **state)
{
    (void)state;
    const struct verify_order order = {.dir = dir, .keys = &key.trusted, .keys_n = 1};
    for (enum kit_part i = 0; i < KIT_PARTS; i++) {
        struct verify_result result;
        char failed[VERIFY_FAILED_MAX];
        bad = good;
        bad.file[i].is_absent = true;
        kit_write(&bad, dir);
        assert_int_equal(verify_folder(&order, &result, failed), 0);
        assert_true(result.n_faults > 0);
        assert_non_null(strstr(result.fault[0].text, kit_names[i]));
        verify_deinit(&result);
    }
    assert_int_equal(verify(&good), E_OK);
}

static void what_is_no_file_is_not_waited_for(void **state)
{
    (void)state;
    AUTO_FREE char *path = x_printf("%s/%s", dir, kit_names[KIT_MAP]);
    bad.file[KIT_MAP].is_absent = true;
    kit_write(&bad, dir);
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_int_equal(kit_verify(dir, &key.trusted, 1), E_OBJECT_MISSING);
}

/* Builds of a broker that made no provenance, and only when that was said. */
static void a_build_without_provenance_is_trusted_only_when_asked(void **state)
{
    (void)state;
    const struct verify_order order = {
        .dir = dir, .keys = &key.trusted, .keys_n = 1, .may_lack_provenance = true};
    struct verify_result result;
    char failed[VERIFY_FAILED_MAX];
    bad.file[KIT_PROVENANCE].is_absent = true;
    kit_list(&bad);
    assert_int_equal(verify(&bad), E_PROVENANCE_MISSING);
    assert_int_equal(verify_folder(&order, &result, failed), 0);
    assert_int_equal(result.n_faults, 0);
    assert_non_null(strstr(check_text(&result, "assets"), "nobody signed it"));
    assert_null(strstr(check_text(&result, "bundle"), "nobody signed it"));
    verify_deinit(&result);
    kit_list(&bad);
    bad.file[KIT_LIST] = good.file[KIT_LIST]; /* the list knows of one */
    kit_write(&bad, dir);
    assert_int_equal(verify_folder(&order, &result, failed), 0);
    assert_true(result.n_faults > 0);
    verify_deinit(&result);
}

static void terminal_escapes_are_not_repeated(void **state)
{
    (void)state;
    const struct verify_order order = {.dir = dir, .keys = &key.trusted, .keys_n = 1};
    struct verify_result result;
    char failed[VERIFY_FAILED_MAX];
    kit_text(&bad, KIT_LIST, "[{\"kind\":\"bundle\",\"name\":\"a\\u001b[31mb\"}]");
    kit_write(&bad, dir);
    assert_int_equal(verify_folder(&order, &result, failed), 0);
    assert_true(result.n_faults > 0);
    for (size_t i = 0; i < result.n_faults; i++)
        assert_null(strchr(result.fault[i].text, 0x1b));
    verify_deinit(&result);
}

static int keys_make(void **state)
{
    (void)state;
    if (sodium_init() < 0)
        return -1;
    kit_key_make(1, &key);
    kit_key_make(2, &other);
    return 0;
}

#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_FOLDER(what_was_signed_is_trusted_and_told),
        IN_FOLDER(one_flipped_bit_anywhere_is_seen),
        IN_FOLDER(another_key_is_not_trusted),
        IN_FOLDER(a_statement_signed_by_another_key_is_not_trusted),
        IN_FOLDER(an_envelope_signed_by_another_key_is_not_trusted),
        IN_FOLDER(signed_words_about_other_bytes_are_not_trusted),
        IN_FOLDER(the_same_facts_in_another_form_are_not_trusted),
        IN_FOLDER(a_list_cannot_point_away_from_the_signed_bytes),
        IN_FOLDER(a_missing_part_is_named),
        IN_FOLDER(what_is_no_file_is_not_waited_for),
        IN_FOLDER(a_build_without_provenance_is_trusted_only_when_asked),
        IN_FOLDER(terminal_escapes_are_not_repeated),
    };
    return cmocka_run_group_tests(tests, keys_make, NULL);
}
