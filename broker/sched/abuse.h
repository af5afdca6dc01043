/* abuse.h: how much a group of accounts looks like one person, as a score, and what follows.
 *
 * Five signs, each there or not; the score is the sum of their weights (abuse.def). Also when two
 * app names are similar. Pure. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum abuse_index {
#define SIGNAL(name, weight, meaning) ABUSE_INDEX_##name,
#include "sched/abuse.def"
#undef SIGNAL
    ABUSE_SIGNALS,
};

enum abuse_signal {
#define SIGNAL(name, weight, meaning) ABUSE_##name = 1 << ABUSE_INDEX_##name,
#include "sched/abuse.def"
#undef SIGNAL
    ABUSE_ALL = (1 << ABUSE_SIGNALS) - 1,
};

/* What the signs in abuse.def count with. */
enum { ABUSE_HASH_ACCOUNTS_MIN = 4, ABUSE_WINDOW_MS = 5 * 60 * 1000 };

enum { ABUSE_FLAG_ABOVE = 50, ABUSE_HOLD_ABOVE = 80 };

/* FLAG: a person should look; all goes on meanwhile. HOLD: waiting jobs wait until one has. */
enum abuse_verdict { ABUSE_FINE, ABUSE_FLAG, ABUSE_HOLD };

/* `signals` is a set of enum abuse_signal. */
unsigned abuse_score(unsigned signals);
/* Strict: a score of exactly 50 is fine, of exactly 80 a flag. */
enum abuse_verdict abuse_verdict(unsigned score);
/* The meaning of one sign, for whoever reviews. `index` is below ABUSE_SIGNALS. Static. */
const char *abuse_meaning(unsigned index);

enum { ABUSE_NAME_MAX = 64 };

/* Writes the ASCII letters of `name` in lower case and a NUL; all else is dropped. Stops when `out`
 * is full. Returns how many letters were written. `size` is above 0. */
size_t abuse_name_fold(const char *name, char *out, size_t size);

/* Do two names fold to the same, or to almost the same: at most two letters put in, left out,
 * replaced or swapped with their neighbour (optimal string alignment)? "Almost" is asked of names
 * with 5 letters or more alone: two edits turn most short words into most others ("chat", "cart").
 * A name without ASCII letters is similar to none; of longer names the first 64 letters count. */
bool abuse_names_similar(const char *a, const char *b);
