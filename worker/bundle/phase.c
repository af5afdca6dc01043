/* phase.c: the weights follow the seconds that a small app needs on two cores: about 8 for an
 * install with nothing cached, 15 for Metro, 3 for hermesc. */
#include "phase.h"

#include <base/auto.h>

const struct phase phases[] = {
    {"fetch", 2, phase_fetch, true},      {"verify", 2, phase_verify, true},
    {"install", 28, phase_install, true}, {"bundle", 48, phase_bundle, true},
    {"compile", 9, phase_compile, false}, {"map", 4, phase_map, false},
    {"hash", 1, phase_hash, false},       {"upload", 3, phase_upload, false},
    {"attest", 2, phase_attest, false},
};
const size_t phases_n = ARRAY_LEN(phases);
const struct phase phase_clean = {"clean", 1, NULL, true};
