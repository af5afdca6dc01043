/* test_yarnrc.c: Yarn 2 and later read none of npm's configuration, so an install's registries and
 * tokens must reach them in their own words: the whole text is compared, because a setting in the
 * wrong map would be ignored, and the packages asked for elsewhere. */
#undef NDEBUG
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <base/auto.h>
#include <cmocka.h>
#include <errno.h>
#include <string.h>
#include <yarnrc.h>

static const struct {
    const char *npmrc;
    bool is_old;
    const char *want;
} rows[] = {
    {"", false, ""},
    {"audit=false\n# x\nloglevel=http\n", false, ""},
    {"registry=https://r.example/a/\ncafile=/net/cafile\nstrict-ssl=true\n", false,
     "npmRegistryServer: 'https://r.example/a/'\nhttpsCaFilePath: '/net/cafile'\n"},
    {"cafile=/net/cafile\nstrict-ssl=false\n", true,
     "caFilePath: '/net/cafile'\nenableStrictSsl: false\n"},
    {"registry=https://one.example/\nregistry=https://two.example/\n", false,
     "npmRegistryServer: 'https://two.example/'\n"},
    {"@s:registry=https://p.example/x/\n//p.example/x/:_authToken=a'b: {c}\n@t:registry=https://q/",
     false,
     "npmScopes:\n  's':\n    npmRegistryServer: 'https://p.example/x/'\n  't':\n"
     "    npmRegistryServer: 'https://q/'\nnpmRegistries:\n  '//p.example/x':\n"
     "    npmAlwaysAuth: true\n    npmAuthToken: 'a''b: {c}'\n"},
};

static void each_configuration_has_its_words(void **state)
{
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char text[1024];
        assert_int_equal(yarnrc_write(rows[i].npmrc, rows[i].is_old, text, sizeof text), 0);
        assert_string_equal(text, rows[i].want);
    }
}

/* One byte less than a text needs is too little, and nothing is written behind the end. */
static void what_does_not_fit_is_a_fault(void **state)
{
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char text[1024];
        size_t n = strlen(rows[i].want);
        for (size_t size = 1; size <= n; size++) {
            memset(text, '#', sizeof text);
            int r = yarnrc_write(rows[i].npmrc, rows[i].is_old, text, size);
            assert_int_equal(r, -E2BIG);
            assert_int_equal(text[size], '#');
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_configuration_has_its_words),
        cmocka_unit_test(what_does_not_fit_is_a_fault),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
