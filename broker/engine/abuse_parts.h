/* abuse_parts.h: what the files behind abuse.h share. Private to them. */
#pragma once

#include "engine/abuse.h"
#include "sched/abuse.h"

enum {
    ABUSE_LOOK_MAX = 64, /* other accounts looked at for one sign, half of them on each side */
    ABUSE_OWN_MAX = 64,  /* addresses of the account itself that are looked at */
    ABUSE_LINKS = 3,     /* signs by which accounts are linked: bundle, address, app name */
    EVIDENCE_ACCOUNTS_MAX = 20,
    /* Kinds that stand under their account alone: a bundle that enough others share; an app that is
     * new, to find its row of `app_new` by. */
    SIGNAL_SHARED = 0x81,
    SIGNAL_APP_NEW = 0x82,
};

struct abuse_value {
    uint8_t b[SIGNAL_VALUE_BYTES];
};

/* ---- signals.c: rows of `signal`, each found by what is shared and by its account ---- */

struct abuse_value abuse_bundle_value(const struct engine *e, const uint8_t sha256[32]);
/* IPv4 as a whole, IPv6 by its /64. False: no address, or one of this very machine. */
bool abuse_address_value(const struct engine *e, const char *text, struct abuse_value *ret_value);
struct abuse_value abuse_family_value(uint64_t family);
uint64_t abuse_family_of(const struct engine *e, const char *folded);

/* Unix time until which a row last seen at `last_ms` counts. */
uint64_t signal_until_ms(uint8_t kind, uint64_t last_ms);
/* This account showed the sign now, by a job published at `published_ms`. *ret_is_new: nothing of
 * it was known, or no more. */
MUST_USE int signal_note(struct turn *t, uint8_t kind, const struct abuse_value *value,
                         uint64_t account, uint64_t published_ms, bool *ret_is_new);
/* Has this account shown the sign, not too long ago? */
MUST_USE int signal_counts(struct turn *t, uint8_t kind, const struct abuse_value *value,
                           uint64_t account, bool *ret_counts);
/* SIGNAL_SHARED or SIGNAL_APP_NEW. */
MUST_USE int signal_note_own(struct turn *t, uint8_t kind, const struct abuse_value *value,
                             uint64_t account);
/* The row, its place under the account, and what hangs on it. Any kind; none there is none lost. */
MUST_USE int signal_drop(struct turn *t, uint8_t kind, const struct abuse_value *value,
                         uint64_t account);

/* Values of one kind under an account, at most `max`. */
struct abuse_own {
    struct abuse_value value;
    struct signal_row row;
};
MUST_USE int signals_own(struct turn *t, uint64_t account, uint8_t kind, struct abuse_own *ret_own,
                         size_t max, size_t *ret_n);

/* ---- families.c: apps of similar names ---- */

struct abuse_value abuse_app_new_value(uint64_t created_ms, uint32_t app);

/* ---- abuse_score.c: one scoring ---- */

struct abuse_other {
    uint64_t account, published_ms;
};
struct abuse_link {
    bool counts; /* the sign is there */
    bool has_more;
    struct abuse_value value;
    unsigned n;
    struct abuse_other others[ABUSE_LOOK_MAX];
};
/* Of the linked accounts, those to which something more applies. */
struct abuse_few {
    unsigned n;
    uint64_t accounts[EVIDENCE_ACCOUNTS_MAX];
    unsigned total;
};
struct abuse_case {
    struct account *account;
    struct job_id job;
    bool at_finish;
    uint64_t published_ms; /* of the job */
    struct abuse_link link[ABUSE_LINKS];
    struct abuse_few day, minutes;
    unsigned signals; /* of enum abuse_signal; filled by abuse_judge() */
};
/* Looks for others with this value; takes it as the sign when they are enough, unless the case has
 * one of its kind. `kind` is SIGNAL_HASH, SIGNAL_IP or SIGNAL_NAMES. */
MUST_USE int abuse_look(struct turn *t, struct abuse_case *c, uint8_t kind,
                        const struct abuse_value *value);
/* The signs that follow from the links, and the sum. */
MUST_USE int abuse_judge(struct turn *t, struct abuse_case *c);

/* ---- reviews.c, review_rows.c ---- */

/* Opens a review when the score asks for one and nobody has decided on the same evidence. */
MUST_USE int review_consider(struct turn *t, struct abuse_case *c);
/* As it is stored, with the number of its account. */
MUST_USE int review_load(struct turn *t, uint64_t number, Rota__Review **ret_review,
                         uint64_t *ret_account);
MUST_USE int review_save(struct turn *t, uint64_t account, const Rota__Review *review);
/* It is the account's newest now. */
MUST_USE int review_point(struct turn *t, uint64_t account, const Rota__Review *review,
                          uint64_t since_ms);

/* ---- addresses.c ---- */

MUST_USE int address_note(struct turn *t, uint64_t account, const char *text);
