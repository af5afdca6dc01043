/* tamper.h: every way that we know of to tamper with a download, from a fixed seed. */
#pragma once

#include "verify_kit.h"

/* Two that are trusted: the first signs the honest download, the second the other; and one that is
 * not. The test makes them. */
extern struct kit_key tamper_keys[2], tamper_stranger;

/* The material: the honest download, and that of another job. */
void tamper_begin(const struct kit_folder *honest, const struct kit_folder *another);

extern const size_t tamper_ways;
const char *tamper_name(size_t way);
/* The honest download, tampered with in this way, at a place that differs from call to call. Good
 * until the next call. */
const struct kit_folder *tamper(size_t way);
