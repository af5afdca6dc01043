/* plan.c: who sees what. The rules behind the table:
 *
 *   - only npm has the network, and npm sees package.json files and the lockfile, nothing else;
 *   - whatever runs the app's own code or its tools (Metro, hermesc, the composer) has no network;
 *   - the app always lies at /w/app: source maps hold absolute paths, and caches and bundles would
 * differ with any other place;
 *   - what a step need not write it sees read-only. */
#include "plan.h"

#define W(word)                                                                                    \
    {                                                                                              \
        NULL, WORD_##word                                                                          \
    }
#define HOME                                                                                       \
    {                                                                                              \
        "home", "/w/home", true                                                                    \
    }
#define TMP                                                                                        \
    {                                                                                              \
        "tmp", "/w/tmp", true                                                                      \
    }

const struct step steps[STEP_COUNT] = {
    [STEP_PROBE] = {.name = "probe", .failure = E_SANDBOX_FAILED, .args = {{"/usr/bin/true"}}},
    [STEP_UNPACK] = {.name = "unpack",
                     .must_say_done = true,
                     .failure = E_ARCHIVE_INVALID,
                     .mounts = {{"app", "/w/app", true}},
                     .args = {{"/rota/box"}, {"unpack"}, {"/w/app"}}},
    [STEP_VERIFY] = {.name = "verify",
                     .must_say_done = true,
                     .failure = E_LOCKFILE_INVALID,
                     .mounts = {{"app", "/w/app", false}, {"install", "/w/install", true}},
                     .args = {{"/rota/box"}, {"verify"}, {"/w/app"}, {"/w/install"}}},
    [STEP_INSTALL] = {.name = "npm ci",
                      .has_net = true,
                      .failure = E_INSTALL_FAILED,
                      .mounts = {{"install", "/w/app", true}, {"npm", "/w/npm", true}, HOME, TMP},
                      .args = {{"/rota/node"},
                               W(NPM),
                               {"ci"},
                               {"--ignore-scripts"},
                               {"--no-audit"},
                               {"--no-fund"}},
                      .env = {{"NPM_CONFIG_USERCONFIG", "/net/npmrc"},
                              {"NPM_CONFIG_GLOBALCONFIG", "/rota/none/npmrc"},
                              {"NPM_CONFIG_CACHE", "/w/npm"}}},
    [STEP_SETTLE] = {.name = "settle",
                     .must_say_done = true,
                     .failure = E_INSTALL_FAILED,
                     .mounts = {{"", "/w", true}},
                     .args = {{"/rota/box"}, {"settle"}, {"/w/install"}, {"/w/app"}}},
    [STEP_BUNDLE] = {.name = "metro",
                     .must_say_done = true,
                     .failure = E_BUNDLE_FAILED,
                     .mounts = {{"app", "/w/app", true}, {"out", "/w/out", true}, HOME, TMP},
                     .args = {{"/rota/node"},
                              W(HEAP),
                              {"/rota/js/metro.mjs"},
                              {"/w/app"},
                              W(PLATFORM),
                              {"/w/out"},
                              W(BUNDLE)},
                     .env = {{"NODE_ENV", "production"}}},
    [STEP_COMPILE] = {.name = "hermesc",
                      .failure = E_COMPILE_FAILED,
                      .mounts = {{"app", "/w/app", false}, {"out", "/w/out", true}, HOME, TMP},
                      .args = {W(HERMESC),
                               {"-emit-binary"},
                               {"-max-diagnostic-width=80"},
                               {"-w"},
                               {"-O"},
                               {"-output-source-map"},
                               {"-out"},
                               W(BYTECODE_FILE),
                               W(BUNDLE_FILE)}},
    [STEP_COMPOSE] = {.name = "compose",
                      .failure = E_MAP_FAILED,
                      .mounts = {{"app", "/w/app", false}, {"out", "/w/out", true}, HOME, TMP},
                      .args = {{"/rota/node"},
                               W(HEAP),
                               W(COMPOSE),
                               W(PACKAGER_MAP_FILE),
                               W(HERMES_MAP_FILE),
                               {"-o"},
                               W(MAP_FILE)}},
    [STEP_PACK] = {.name = "pack",
                   .must_say_done = true,
                   .failure = E_BUNDLE_FAILED,
                   .mounts = {{"app", "/w/app", false}, {"out", "/w/out", true}},
                   .args = {{"/rota/box"}, {"pack"}, {"/w/out/assets"}, {"/w/out/assets.tar.gz"}}},
};
