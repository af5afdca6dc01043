/* plan.c: who sees what. The rules behind the table:
 *
 *   - only npm has the network, and npm sees package.json files and the lockfile, nothing else;
 *   - whatever runs the app's own code or its tools (Metro, hermesc, the composer) has no network;
 *   - the app always lies at /w/app: source maps hold absolute paths, and bundles would
 *     differ with any other place;
 *   - what a step need not write it sees read-only;
 *   - sockets are for Node alone. */
#include "plan.h"

/* clang-format off */
#define T(text) {text, WORD_NONE}
#define W(word) {NULL, WORD_##word}
#define HOME    {"home", "/w/home", true}
#define TMP     {"tmp", "/w/tmp", true}
/* clang-format on */

const struct step steps[STEP_COUNT] = {
    [STEP_PROBE] = {.name = "probe",
                    .phase = "check",
                    .filter = FILTER_TOOL,
                    .failure = E_SANDBOX_FAILED,
                    .args = {T("/usr/bin/true")}},
    [STEP_UNPACK] = {.name = "unpack",
                     .phase = "fetch",
                     .filter = FILTER_TOOL,
                     .must_say_done = true,
                     .failure = E_ARCHIVE_INVALID,
                     .mounts = {{"app", "/w/app", true}},
                     .args = {T("/rota/box"), T("unpack"), T("/w/app")}},
    [STEP_VERIFY] = {.name = "verify",
                     .phase = "verify",
                     .filter = FILTER_TOOL,
                     .must_say_done = true,
                     .failure = E_LOCKFILE_INVALID,
                     .mounts = {{"app", "/w/app", false}, {"install", "/w/install", true}},
                     .args = {T("/rota/box"), T("verify"), T("/w/app"), T("/w/install")}},
    [STEP_INSTALL] = {.name = "npm ci",
                      .phase = "install",
                      .filter = FILTER_NODE,
                      .has_net = true,
                      .failure = E_INSTALL_FAILED,
                      .mounts = {{"install", "/w/app", true}, {"npm", "/w/npm", true}, HOME, TMP},
                      .args = {T("/rota/node"), W(NPM), T("ci"), T("--ignore-scripts"),
                               T("--no-audit"), T("--no-fund")},
                      .env = {{"NPM_CONFIG_USERCONFIG", "/net/npmrc"},
                              {"NPM_CONFIG_GLOBALCONFIG", "/rota/none/npmrc"},
                              {"NPM_CONFIG_CACHE", "/w/npm"}}},
    [STEP_SETTLE] = {.name = "settle",
                     .phase = "install",
                     .filter = FILTER_TOOL,
                     .must_say_done = true,
                     .failure = E_INSTALL_FAILED,
                     .mounts = {{"", "/w", true}},
                     .args = {T("/rota/box"), T("settle"), T("/w/install"), T("/w/app")}},
    [STEP_BUNDLE] = {.name = "metro",
                     .phase = "bundle",
                     .filter = FILTER_NODE,
                     .must_say_done = true,
                     .failure = E_BUNDLE_FAILED,
                     .mounts = {{"app", "/w/app", true}, {"out", "/w/out", true}, HOME, TMP},
                     .args = {T("/rota/node"), W(HEAP), T("/rota/js/metro.mjs"), T("/w/app"),
                              W(PLATFORM), T("/w/out"), W(BUNDLE)},
                     .env = {{"NODE_ENV", "production"}}},
    [STEP_COMPILE] = {.name = "hermesc",
                      .phase = "compile",
                      .filter = FILTER_TOOL,
                      .failure = E_COMPILE_FAILED,
                      .mounts = {{"app", "/w/app", false}, {"out", "/w/out", true}, HOME, TMP},
                      .args = {W(HERMESC), T("-emit-binary"), T("-max-diagnostic-width=80"),
                               T("-w"), T("-O"), T("-output-source-map"), T("-out"),
                               W(BYTECODE_FILE), W(BUNDLE_FILE)}},
    [STEP_COMPOSE] = {.name = "compose",
                      .phase = "map",
                      .filter = FILTER_NODE,
                      .failure = E_MAP_FAILED,
                      .mounts = {{"app", "/w/app", false}, {"out", "/w/out", true}, HOME, TMP},
                      .args = {T("/rota/node"), W(HEAP), W(COMPOSE), W(PACKAGER_MAP_FILE),
                               W(HERMES_MAP_FILE), T("-o"), W(MAP_FILE)}},
    [STEP_PACK] = {.name = "pack",
                   .phase = "map",
                   .filter = FILTER_TOOL,
                   .must_say_done = true,
                   .failure = E_BUNDLE_FAILED,
                   .mounts = {{"app", "/w/app", false}, {"out", "/w/out", true}},
                   .args = {T("/rota/box"), T("pack"), T("/w/out/assets"),
                            T("/w/out/assets.tar.gz")}},
};

const char *plan_word(enum word word)
{
    static const char *const names[WORD_COUNT] = {
        [WORD_NONE] = "",
        [WORD_NPM] = "@NPM",
        [WORD_HEAP] = "@HEAP",
        [WORD_PLATFORM] = "@PLATFORM",
        [WORD_BUNDLE] = "@BUNDLE",
        [WORD_BUNDLE_FILE] = "@BUNDLE_FILE",
        [WORD_BYTECODE_FILE] = "@BYTECODE_FILE",
        [WORD_PACKAGER_MAP_FILE] = "@PACKAGER_MAP_FILE",
        [WORD_HERMES_MAP_FILE] = "@HERMES_MAP_FILE",
        [WORD_MAP_FILE] = "@MAP_FILE",
        [WORD_HERMESC] = "@HERMESC",
        [WORD_COMPOSE] = "@COMPOSE",
    };
    return names[word];
}
