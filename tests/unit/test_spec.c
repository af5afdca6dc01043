/* test_spec.c: what a bundle job may ask for. A member that nobody reads, or a path that leads out
 * of the source, must be refused with its name: a job that was understood otherwise than it was
 * meant builds another app. */
#undef NDEBUG
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <base/auto.h>
#include <cmocka.h>
#include <spec.h>
#include <stdio.h>
#include <string.h>

static int parse(const char *text, struct spec *spec, char why[SPEC_WHY_MAX])
{
    return spec_parse(text, strlen(text), spec, why);
}

static void nothing_asked_for_is_the_top(void **state)
{
    static const char *const texts[] = {"", "{}", "{\"root\":\".\"}"};
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        struct spec spec;
        char why[SPEC_WHY_MAX];
        assert_int_equal(parse(texts[i], &spec, why), 0);
        assert_string_equal(spec.root, ".");
        assert_string_equal(spec.entry, "");
        assert_string_equal(spec.node, "");
    }
}

static void all_members_are_read(void **state)
{
    struct spec spec;
    char why[SPEC_WHY_MAX];
    assert_int_equal(
        parse("{\"root\":\"apps/mobile\",\"entry\":\"src/index.ts\",\"node\":\"22.13\"}", &spec,
              why),
        0);
    assert_string_equal(spec.root, "apps/mobile");
    assert_string_equal(spec.entry, "src/index.ts");
    assert_string_equal(spec.node, "22.13");
    assert_int_equal(parse("{\"root\":\"..apps/m o\",\"node\":\"20\"}", &spec, why), 0);
}

static const struct {
    const char *text, *says;
} refused[] = {
    {"[]", "no JSON object"},
    {"{", "no JSON object"},
    {"\"x\"", "no JSON object"},
    {"{} {}", "no JSON object"},
    {"{\"root\":\"a\",\"root\":\"b\"}", "no JSON object"},
    {"{\"rot\":\"a\"}", "`rot`"},
    {"{\"root\":1}", "`root`"},
    {"{\"root\":\"\"}", "`root`"},
    {"{\"root\":\"/etc\"}", "`root`"},
    {"{\"root\":\"..\"}", "`root`"},
    {"{\"root\":\"a/../b\"}", "`root`"},
    {"{\"root\":\"a//b\"}", "`root`"},
    {"{\"root\":\"a/\"}", "`root`"},
    {"{\"root\":\"./a\"}", "`root`"},
    {"{\"root\":\"a\\\\b\"}", "`root`"},
    {"{\"root\":\"a\\nb\"}", "`root`"},
    {"{\"root\":\"a\\u0000b\"}", "no JSON object"},
    {"{\"root\":\"-a\"}", "`root`"},
    {"{\"entry\":\".\"}", "`entry`"},
    {"{\"entry\":\"../x.js\"}", "`entry`"},
    {"{\"entry\":\"--reset-cache\"}", "`entry`"},
    {"{\"node\":20}", "`node`"},
    {"{\"node\":\"\"}", "`node`"},
    {"{\"node\":\"20.\"}", "`node`"},
    {"{\"node\":\"lts\"}", "`node`"},
    {"{\"node\":\">=20\"}", "`node`"},
    {"{\"node\":\"1.2.3.4\"}", "`node`"},
    {"{\"node\":\"20000\"}", "`node`"},
};

static void all_else_is_refused_by_name(void **state)
{
    for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
        struct spec spec;
        char why[SPEC_WHY_MAX] = "";
        if (parse(refused[i].text, &spec, why) != SPEC_REFUSED || !strstr(why, refused[i].says))
            fail_msg("%s: `%s` does not say `%s`", refused[i].text, why, refused[i].says);
    }
    print_message("%zu specs refused\n", ARRAY_LEN(refused));
}

static void a_long_path_is_refused(void **state)
{
    char text[SPEC_PATH_MAX + 32], why[SPEC_WHY_MAX];
    struct spec spec;
    snprintf(text, sizeof text, "{\"root\":\"%0*d\"}", SPEC_PATH_MAX, 0);
    assert_int_equal(parse(text, &spec, why), 0);
    snprintf(text, sizeof text, "{\"root\":\"%0*d\"}", SPEC_PATH_MAX + 1, 0);
    assert_int_equal(parse(text, &spec, why), SPEC_REFUSED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_asked_for_is_the_top),
        cmocka_unit_test(all_members_are_read),
        cmocka_unit_test(all_else_is_refused_by_name),
        cmocka_unit_test(a_long_path_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
