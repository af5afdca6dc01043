/* test_registries.c: the registries and tokens of an app's .yarnrc.yml, in the lines of an .npmrc.
 *
 * Why it matters: the file comes from strangers. What it says decides where packages come from and
 * who is sent a token, so each row here is held against the whole of what was told; and a secret
 * that stands in it must be refused without being repeated. */
#undef NDEBUG
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <base/auto.h>
#include <cmocka.h>
#include <registries.h>
#include <stdio.h>
#include <string.h>

#define SECRET "s3cr3t-in-the-clear"
#define TOKEN  "${NPM_TOKEN}"

struct told {
    char lines[2048], left_out[512];
};

static int on_line(void *arg, const char *line)
{
    struct told *t = arg;
    size_t n = strlen(t->lines);
    snprintf(t->lines + n, sizeof t->lines - n, "%s\n", line);
    return 0;
}

static int on_left_out(void *arg, const char *key)
{
    struct told *t = arg;
    size_t n = strlen(t->left_out);
    snprintf(t->left_out + n, sizeof t->left_out - n, "%s ", key);
    return 0;
}

static int read_text(const char *text, struct told *t, struct box_refusal *refusal)
{
    const struct npmrc_reader reader = {.line = on_line, .left_out = on_left_out, .arg = t};
    *t = (struct told){0};
    *refusal = (struct box_refusal){0};
    return registries_read(text, strlen(text), &reader, refusal);
}

static const struct {
    const char *text, *lines, *left_out;
} passes[] = {
    {"", "", ""},
    {"# nothing\n\n", "", ""},
    {"nodeLinker: node-modules\nyarnPath: x\npackageExtensions:\n  a@*:\n    npmAuthToken: x\n", "",
     ""},
    {"npmRegistryServer: https://r.example/npm/\n", "registry=https://r.example/npm/\n", ""},
    {"npmRegistryServer: \"https://r.example:8443\"\nnpmAuthToken: '" TOKEN "'\n",
     "registry=https://r.example:8443\n//r.example:8443/:_authToken=" TOKEN "\n", ""},
    /* In whatever order; Yarn's empty defaults. */
    {"npmAlwaysAuth: true\nnpmAuthToken: ${NPM_TOKEN:-}\nnpmRegistryServer: "
     "https://r.example/a//\n",
     "registry=https://r.example/a//\n//r.example/a/:_authToken=" TOKEN "\n", ""},
    {"npmScopes:\n  corp:\n    npmAuthToken: ${NPM_TOKEN-}\n    npmAlwaysAuth: false\n"
     "    npmRegistryServer: https://r.example/npm\n    npmPublishRegistry: https://p.example\n",
     "@corp:registry=https://r.example/npm\n//r.example/npm/:_authToken=" TOKEN "\n",
     "npmScopes.corp.npmPublishRegistry "},
    /* A scope's token without a registry is for the one of the top. */
    {"npmScopes: {corp: {npmAuthToken: "
     "\"" TOKEN "\""
     "}}\nnpmRegistryServer: https://r.example\n",
     "registry=https://r.example\n//r.example/:_authToken=" TOKEN "\n", ""},
    {"npmRegistries:\n  https://r.example/npm/:\n    npmAuthToken: " TOKEN "\n  //q.example:\n"
     "    npmAuthToken: ${OTHER}\n    npmRegistryServer: https://evil.example\n",
     "//r.example/npm/:_authToken=" TOKEN "\n//q.example/:_authToken=${OTHER}\n",
     "npmRegistries.//q.example.npmRegistryServer "},
    /* One token for two scopes of one registry. */
    {"npmScopes:\n  a: {npmRegistryServer: https://r.example, npmAuthToken: \"" TOKEN "\"}\n"
     "  b: {npmRegistryServer: https://r.example/, npmAuthToken: \"" TOKEN "\"}\n",
     "@a:registry=https://r.example\n@b:registry=https://r.example/\n"
     "//r.example/:_authToken=" TOKEN "\n//r.example/:_authToken=" TOKEN "\n",
     ""},
    {"npmScopes:\nnpmRegistries: {}\n", "", ""},
};

static void what_is_on_the_list_becomes_lines(void **state)
{
    for (size_t i = 0; i < ARRAY_LEN(passes); i++) {
        struct told t;
        struct box_refusal refusal;
        int r = read_text(passes[i].text, &t, &refusal);
        if (r != 0 || strcmp(t.lines, passes[i].lines) != 0 ||
            strcmp(t.left_out, passes[i].left_out) != 0)
            fail_msg("row %zu: %d %s\n%s%s", i, r, refusal.text, t.lines, t.left_out);
    }
    printf("%zu files read\n", ARRAY_LEN(passes));
}

#define SERVER "npmRegistryServer: https://r.example\n"

static const struct {
    const char *text, *error, *says;
} refusals[] = {
    {SERVER "npmAuthToken: " SECRET, "NPMRC_SECRET", "line 2: `npmAuthToken`"},
    {SERVER "npmAuthToken: x${NPM_TOKEN}", "NPMRC_SECRET", "npmAuthToken"},
    {SERVER "npmAuthToken: ${NPM_TOKEN}" SECRET, "NPMRC_SECRET", "npmAuthToken"},
    {SERVER "npmAuthToken: ${NPM_TOKEN-" SECRET "}", "NPMRC_SECRET", "npmAuthToken"},
    {SERVER "npmAuthToken: ${NPM_TOKEN:-" SECRET "}", "NPMRC_SECRET", "npmAuthToken"},
    {SERVER "npmAuthToken: ${}", "NPMRC_SECRET", ""},
    {SERVER "npmAuthToken: ${9A}", "NPMRC_SECRET", ""},
    {SERVER "npmAuthToken: \"${A\\nregistry=https://evil.example}\"", "NPMRC_SECRET", ""},
    {SERVER "npmAuthIdent: " SECRET, "NPMRC_SECRET", "npmAuthIdent"},
    {"npmScopes: {a: {npmAuthIdent: " SECRET "}}", "NPMRC_SECRET", "npmAuthIdent"},
    {"npmRegistries: {//r.example: {npmAuthToken: " SECRET "}}", "NPMRC_SECRET", "npmAuthToken"},
    {"npmAuthToken: " TOKEN, "NPMRC_INVALID", "for which npmRegistryServer"},
    {"npmScopes: {a: {npmAuthToken: \"" TOKEN "\"}}", "NPMRC_INVALID", "`a`"},
    {"npmRegistryServer: http://r.example", "NPMRC_INVALID", "npmRegistryServer"},
    {"npmRegistryServer: https://user:" SECRET "@r.example", "NPMRC_INVALID", "npmRegistryServer"},
    {"npmRegistryServer: https://${HOST}/", "NPMRC_INVALID", "npmRegistryServer"},
    {"npmRegistryServer: \"https://r.example/\\ncafile=/etc/passwd\"", "NPMRC_INVALID", ""},
    {"npmRegistryServer: [https://r.example]", "NPMRC_INVALID", "is no text"},
    {"npmScopes: {\"a=https://evil.example#\": {npmRegistryServer: https://r.example}}",
     "NPMRC_INVALID", "is not allowed"},
    {"npmScopes: {\"a\\nb\": {npmRegistryServer: https://r.example}}", "NPMRC_INVALID", ""},
    {"npmScopes: {a: https://r.example}", "NPMRC_INVALID", "is no map"},
    {"npmScopes: corp", "NPMRC_INVALID", "is no map"},
    {"npmRegistries: {r.example: {npmAuthToken: \"" TOKEN "\"}}", "NPMRC_INVALID", "r.example"},
    {"npmRegistries: {http://r.example: {npmAuthToken: \"" TOKEN "\"}}", "NPMRC_INVALID", ""},
    {"npmRegistries: {\"//r.example/=x\": {npmAuthToken: \"" TOKEN "\"}}", "NPMRC_INVALID", ""},
    {"npmRegistries:\n  //r.example: {npmAuthToken: \"${A}\"}\n"
     "  https://r.example/: {npmAuthToken: \"${B}\"}\n",
     "NPMRC_INVALID", "a second token"},
    {"npmAlwaysAuth: " SECRET, "NPMRC_INVALID", "true or false"},
    {"a: &x 1\nnpmRegistryServer: *x\n", "LOCKFILE_INVALID", "anchors"},
    {"npmRegistryServer: https://r.example\nx: {\n", "LOCKFILE_INVALID", ".yarnrc.yml"},
};

static void what_is_wrong_is_refused_without_its_value(void **state)
{
    for (size_t i = 0; i < ARRAY_LEN(refusals); i++) {
        struct told t;
        struct box_refusal refusal;
        int r = read_text(refusals[i].text, &t, &refusal);
        if (r != BOX_REFUSED || strcmp(refusal.name, refusals[i].error) != 0 ||
            !strstr(refusal.text, refusals[i].says))
            fail_msg("`%s`: %d %s %s", refusals[i].text, r, refusal.name, refusal.text);
        assert_null(strstr(refusal.text, SECRET));
        assert_string_equal(t.lines, "");
    }
    printf("%zu files refused\n", ARRAY_LEN(refusals));
}

static void there_is_a_bound(void **state)
{
    char text[4096] = "npmScopes:\n";
    struct told t;
    struct box_refusal refusal;
    for (unsigned i = 0; i < 32; i++)
        snprintf(text + strlen(text), sizeof text - strlen(text),
                 "  s%u: {npmRegistryServer: https://r.example}\n", i);
    assert_int_equal(read_text(text, &t, &refusal), 0);
    snprintf(text + strlen(text), sizeof text - strlen(text),
             "  more: {npmRegistryServer: https://r.example}\n");
    assert_int_equal(read_text(text, &t, &refusal), BOX_REFUSED);
    assert_string_equal(refusal.name, "NPMRC_INVALID");
    assert_non_null(strstr(refusal.text, "too many"));
    char longer[1024];
    snprintf(longer, sizeof longer, "npmRegistryServer: https://r.example/%0500d\n", 0);
    assert_int_equal(read_text(longer, &t, &refusal), BOX_REFUSED);
    snprintf(longer, sizeof longer, "npmScopes: {s%0500d: {npmRegistryServer: x}}\n", 0);
    assert_int_equal(read_text(longer, &t, &refusal), BOX_REFUSED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_on_the_list_becomes_lines),
        cmocka_unit_test(what_is_wrong_is_refused_without_its_value),
        cmocka_unit_test(there_is_a_bound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
