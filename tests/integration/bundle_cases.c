/* bundle_cases.c: what the bundle runner makes of good, broken and hostile apps, with the real
 * sandbox, npm, Metro and hermesc and without a broker (bundle_kit.h).
 *
 * Every row is one build and the one way it must end: its error's name, what its text must say, and
 * that afterwards no process and no mount of it is left. The hello app must build for both
 * platforms, twice with the same bytes (full), and move through its percents while it does.
 *
 *   bundle_cases APPS_FOLDER [full | ROW...]     without: the quick rows */
#undef NDEBUG
#include "bundle_pack.h"
#include "bundle_rows.h"

#include <assert.h>
#include <base/auto.h>
#include <fcntl.h>
#include <sign.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { WORKSPACE_MIB = 2048, STOP_MS_MAX = 2000, OVERLAYS_MAX = 3 };

static const char lock_git[] =
    "{\"lockfileVersion\":3,\"packages\":{\"\":{},\"node_modules/evil\":{\"resolved\":"
    "\"git+ssh://git@h.example/o/evil.git#0\",\"integrity\":\"sha512-AAAA\"}}}";
static const char lock_bare[] =
    "{\"lockfileVersion\":3,\"packages\":{\"\":{},\"node_modules/bare\":{\"version\":\"1.0.0\"}}}";
static const char lock_other[] =
    "{\"lockfileVersion\":3,\"packages\":{\"\":{\"name\":\"x\",\"version\":\"1.0.0\"}}}";
static const char wants_old_node[] =
    "{\"name\":\"x\",\"version\":\"1.0.0\",\"engines\":{\"node\":\"0.10.x || <9\"}}";
static const char wants_more[] =
    "{\"name\":\"x\",\"version\":\"1.0.0\",\"dependencies\":{\"nullthrows\":\"1.1.1\"}}";

static const struct row {
    const char *name;
    bool is_quick, is_alone;
    const char *layers[OVERLAYS_MAX]; /* folders below APPS_FOLDER, later ones win */
    struct pack_text text[2];
    const char *without; /* leave this file out */
    const char *platform;
    uint64_t workspace_mib; /* 0: plenty */
    uint64_t stop_after_ms;
    const char *stop_phase;
    enum build_stop stop_why;
    enum kit_seal seal;
    const char *source, *source_url;

    enum build_outcome outcome;
    enum error_code error;
    const char *says;
} rows[] = {
    /* Nothing of these reaches npm: each takes a moment. */
    {.name = "no-package-json",
     .is_quick = true,
     .layers = {"hello"},
     .without = "package.json",
     .outcome = BUILD_FAILED,
     .error = E_PACKAGE_JSON_INVALID,
     .says = "no package.json"},
    {.name = "bad-package-json",
     .is_quick = true,
     .layers = {"hello"},
     .text = {{"package.json", "{\"name\": "}},
     .outcome = BUILD_FAILED,
     .error = E_PACKAGE_JSON_INVALID,
     .says = "line 1"},
    {.name = "no-lockfile",
     .is_quick = true,
     .layers = {"hello"},
     .without = "package-lock.json",
     .outcome = BUILD_FAILED,
     .error = E_LOCKFILE_MISSING,
     .says = "package-lock.json"},
    {.name = "lockfile-git",
     .is_quick = true,
     .layers = {"hello"},
     .text = {{"package-lock.json", lock_git}},
     .outcome = BUILD_FAILED,
     .error = E_LOCKFILE_SOURCE,
     .says = "`evil`"},
    {.name = "lockfile-no-integrity",
     .is_quick = true,
     .layers = {"hello"},
     .text = {{"package-lock.json", lock_bare}},
     .outcome = BUILD_FAILED,
     .error = E_LOCKFILE_INTEGRITY,
     .says = "`bare`"},
    {.name = "lockfile-no-json",
     .is_quick = true,
     .layers = {"hello"},
     .text = {{"package-lock.json", "not JSON"}},
     .outcome = BUILD_FAILED,
     .error = E_LOCKFILE_INVALID,
     .says = "line 1"},
    {.name = "archive-climbs",
     .is_quick = true,
     .text = {{"../../out/x", "x"}},
     .outcome = BUILD_FAILED,
     .error = E_ARCHIVE_UNSAFE,
     .says = "../../out/x"},
    {.name = "source-gone",
     .is_quick = true,
     .layers = {"hello"},
     .source_url = "file:///nonexistent/object",
     .outcome = BUILD_FAILED,
     .error = E_SOURCE_GONE,
     .says = ""},
    {.name = "source-elsewhere",
     .is_quick = true,
     .layers = {"hello"},
     .source_url = "ftp://h.example/object",
     .outcome = BUILD_FAILED,
     .error = E_WORKER_HOST,
     .says = ""},
    {.name = "source-changed",
     .is_quick = true,
     .layers = {"hello"},
     .source = "upload:0000000000000000000000000000000000000000000000000000000000000000",
     .outcome = BUILD_FAULT,
     .error = E_OBJECT_MISMATCH,
     .says = ""},
    {.name = "source-other-key",
     .is_quick = true,
     .layers = {"hello"},
     .seal = KIT_OTHER_KEY,
     .outcome = BUILD_FAILED,
     .error = E_SOURCE_SEAL_BROKEN,
     .says = ""},
    {.name = "source-not-sealed",
     .is_quick = true,
     .layers = {"hello"},
     .seal = KIT_NOT_SEALED,
     .outcome = BUILD_FAILED,
     .error = E_SOURCE_NOT_SEALED,
     .says = ""},
    {.name = "source-no-hash",
     .is_quick = true,
     .layers = {"hello"},
     .source = "upload:$(id)",
     .outcome = BUILD_FAILED,
     .error = E_SOURCE_INVALID,
     .says = ""},
    {.name = "node-unavailable",
     .is_quick = true,
     .layers = {"hello"},
     .text = {{"package.json", wants_old_node}},
     .outcome = BUILD_FAULT,
     .error = E_NODE_UNAVAILABLE,
     .says = "asks for Node 0.10.x || <9; this worker has v"},
    {.name = "lockfile-out-of-step",
     .is_quick = true,
     .text = {{"package.json", wants_more}, {"package-lock.json", lock_other}},
     .outcome = BUILD_FAILED,
     .error = E_INSTALL_FAILED,
     .says = "EUSAGE"},
    {.name = "no-hermes",
     .is_quick = true,
     .layers = {"broken/no-hermes"},
     .outcome = BUILD_FAILED,
     .error = E_HERMES_MISSING,
     .says = "hermesc"},
    {.name = "workspace-small",
     .is_quick = true,
     .layers = {"hello"},
     .workspace_mib = 48,
     .outcome = BUILD_FAILED,
     .error = E_WORKSPACE_FULL,
     .says = ""},
    {.name = "cancelled",
     .is_quick = true,
     .layers = {"hello"},
     .stop_after_ms = 1500,
     .stop_phase = "install",
     .stop_why = BUILD_CANCELLED,
     .outcome = BUILD_STOPPED},

    /* Only when named, with npm's registry set to a port where nobody listens. */
    {.name = "no-registry",
     .is_alone = true,
     .layers = {"broken/no-hermes"},
     .outcome = BUILD_FAULT,
     .error = E_REGISTRY_UNREACHABLE,
     .says = "ECONNREFUSED"},

    /* An install each. */
    {.name = "android", .is_quick = true, .layers = {"hello"}, .outcome = BUILD_SUCCEEDED},
    {.name = "android-again", .layers = {"hello"}, .outcome = BUILD_SUCCEEDED},
    {.name = "ios", .layers = {"hello"}, .platform = "ios", .outcome = BUILD_SUCCEEDED},
    {.name = "syntax",
     .is_quick = true,
     .layers = {"hello", "broken/syntax"},
     .outcome = BUILD_FAILED,
     .error = E_BUNDLE_SYNTAX,
     .says = "src/rotation.ts:7:42: Unexpected token"},
    {.name = "endless",
     .is_quick = true,
     .layers = {"hello", "hostile/endless"},
     .stop_after_ms = 4000,
     .stop_phase = "bundle",
     .stop_why = BUILD_TIMED_OUT,
     .outcome = BUILD_STOPPED},
    {.name = "prying",
     .is_quick = true,
     .layers = {"hello", "hostile/prying"},
     .outcome = BUILD_FAILED,
     .error = E_METRO_CONFIG,
     .says = "0 of 29 attempts"},
    {.name = "unresolved",
     .layers = {"hello", "broken/unresolved"},
     .outcome = BUILD_FAILED,
     .error = E_BUNDLE_RESOLVE,
     .says = "./src/Nowhere"},
    {.name = "no-entry",
     .layers = {"hello"},
     .without = "index.js",
     .outcome = BUILD_FAILED,
     .error = E_ENTRY_MISSING,
     .says = "index.android.js"},
    {.name = "metro-config",
     .layers = {"hello", "broken/metro-config"},
     .outcome = BUILD_FAILED,
     .error = E_METRO_CONFIG,
     .says = "never loads"},
    {.name = "babel-config",
     .layers = {"hello", "broken/babel-config"},
     .outcome = BUILD_FAILED,
     .error = E_BUNDLE_FAILED,
     .says = "a-preset-that-nobody-installed"},
    {.name = "crash",
     .layers = {"hello", "broken/crash"},
     .outcome = BUILD_FAULT,
     .error = E_BUILD_CRASHED,
     .says = "signal 6"},
    {.name = "early-exit",
     .layers = {"hello", "broken/early-exit"},
     .outcome = BUILD_FAILED,
     .error = E_BUNDLE_FAILED,
     .says = "metro ended with 0"},
    {.name = "memory",
     .layers = {"hello", "hostile/memory"},
     .outcome = BUILD_FAILED,
     .error = E_OUT_OF_MEMORY,
     .says = ""},
    {.name = "disk",
     .layers = {"hello", "hostile/disk"},
     .workspace_mib = 512,
     .outcome = BUILD_FAILED,
     .error = E_WORKSPACE_FULL,
     .says = ""},
    {.name = "forks",
     .is_quick = true,
     .layers = {"hello", "hostile/forks"},
     .outcome = BUILD_FAILED,
     .error = E_PIDS_LIMIT,
     .says = "processes"},
    {.name = "claims",
     .layers = {"hello", "hostile/claims"},
     .outcome = BUILD_FAILED,
     .error = E_BUNDLE_FAILED,
     .says = "not my fault"},
    {.name = "link",
     .layers = {"hello", "hostile/link"},
     .outcome = BUILD_FAILED,
     .error = E_BUNDLE_FAILED,
     .says = "no regular file"},
};

/* The bytecode's hash of the first android build, to compare the second with. */
static uint8_t first_hash[32];

static void check_object(const struct row *row, const struct build_artifact *a)
{
    char path[KIT_PATH_MAX];
    uint8_t sha256[32], blake2b[32];
    uint64_t size = 0;
    kit_object(&rows_kit, a->kind, path);
    AUTO_FD fd = open(path, O_RDONLY | O_CLOEXEC);
    rows_expect(fd >= 0 && hash_file(fd, sha256, blake2b, &size) == 0 && size == a->size &&
                    memcmp(sha256, a->sha256, sizeof sha256) == 0 &&
                    memcmp(blake2b, a->blake2b, sizeof blake2b) == 0,
                row->name, "a stored object differs from what the result says");
}

static void check_success(const struct row *row, const struct build_result *r,
                          const struct kit_seen *seen)
{
    static const char *const phases[] = {"fetch", "verify", "install", "bundle", "compile",
                                         "map",   "hash",   "upload",  "attest", "clean"};
    rows_expect(r->artifacts == 4, row->name, "not four artifacts");
    for (size_t i = 0; i < r->artifacts; i++)
        check_object(row, &r->artifact[i]);
    rows_expect(r->phases == ARRAY_LEN(phases), row->name, "not ten phases");
    for (size_t i = 0; i < r->phases && i < ARRAY_LEN(phases); i++)
        rows_expect(strcmp(r->phase[i].name, phases[i]) == 0, row->name, phases[i]);
    rows_expect(r->is_attested && sign_verify(rows_kit.public_key, r->statement, r->signature) == 0,
                row->name, "the attestation does not hold");
    rows_expect(seen->percents >= 5 && seen->bundle_percents >= 2 && seen->falls == 0, row->name,
                "percents did not rise");
    rows_expect(r->artifact[0].size > 500000, row->name, "the bundle is too small to be one");
    if (strcmp(row->name, "android") == 0)
        memcpy(first_hash, r->artifact[0].sha256, sizeof first_hash);
    if (strcmp(row->name, "android-again") == 0)
        rows_expect(memcmp(first_hash, r->artifact[0].sha256, sizeof first_hash) == 0, row->name,
                    "two builds of one source differ");
}

static void check(size_t at, const struct build_result *r, const struct kit_seen *seen)
{
    const struct row *row = &rows[at];
    rows_expect(r->outcome == row->outcome, row->name, "another outcome");
    rows_expect(r->error == row->error, row->name, "another error");
    rows_expect(!row->says || strstr(r->text, row->says), row->name, row->says);
    for (const char *p = r->text; *p; p++)
        rows_expect((unsigned char)*p >= 0x20, row->name, "a control character in the text");
    if (row->outcome == BUILD_STOPPED)
        rows_expect(seen->ms_after_stop <= STOP_MS_MAX, row->name, "stopping took too long");
    if (row->outcome == BUILD_FAILED)
        rows_expect(r->artifacts == 1 && r->artifact[0].kind == ROTA__OBJECT_KIND__BUILD_LOG,
                    row->name, "the log of a failed build is not kept");
    if (row->outcome == BUILD_SUCCEEDED)
        check_success(row, r, seen);
}

static int build(size_t at, const char *apps, const char *archive, struct build_result *ret,
                 struct kit_seen *ret_seen)
{
    const struct row *row = &rows[at];
    struct pack_plan plan = {.top = apps,
                             .text = row->text,
                             .text_n = ARRAY_LEN(row->text),
                             .layers = row->layers,
                             .layers_n = OVERLAYS_MAX,
                             .without = row->without};
    pack_source(&plan, archive);
    struct kit_order order = {.archive = archive,
                              .platform = row->platform ? row->platform : "android",
                              .stop_after_ms = row->stop_after_ms,
                              .stop_phase = row->stop_phase,
                              .stop_why = row->stop_why,
                              .seal = row->seal,
                              .source = row->source,
                              .source_url = row->source_url};
    rows_kit.settings.workspace_bytes = (row->workspace_mib ? row->workspace_mib : WORKSPACE_MIB)
                                        << 20;
    return kit_run(&rows_kit, &order, ret, ret_seen);
}

static bool is_wanted(size_t at, int argc, char **argv)
{
    const struct row *row = &rows[at];
    if (argc == 2)
        return row->is_quick;
    for (int i = 2; i < argc; i++)
        if ((strcmp(argv[i], "full") == 0 && !row->is_alone) || strcmp(argv[i], row->name) == 0)
            return true;
    return false;
}

static const char *row_name(size_t i)
{
    return rows[i].name;
}

int main(int argc, char **argv)
{
    setenv("ROTA_NODE_HEAP_MIB", "512", 1); /* so that `memory` ends within seconds */
    const struct rows table = {.usage = "APPS_FOLDER [full | ROW...]",
                               .n = ARRAY_LEN(rows),
                               .workspace_bytes = (uint64_t)WORKSPACE_MIB << 20,
                               .name = row_name,
                               .is_wanted = is_wanted,
                               .build = build,
                               .check = check};
    return rows_main(&table, argc, argv);
}
