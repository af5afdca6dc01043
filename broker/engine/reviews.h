/* reviews.h: what the files of reviews share. Private to them. */
#pragma once

#include "engine/abuse_parts.h"

#define REVIEW(name) ROTA__REVIEW_STATE__REVIEW_##name

/* review_evidence.c: the evidence of a case, in the arena, accounts by their numbers. */
MUST_USE int evidence_make(struct turn *t, struct abuse_case *c, Rota__Review *review);
/* Was all that is found now known to this review? */
bool evidence_is_covered(const Rota__Review *review, const struct abuse_case *c);

/* reviews.c */
const char *review_word(Rota__ReviewState state);
/* The log says which review tells what happened, and nothing of what was found. */
MUST_USE int review_event(struct turn *t, uint64_t account, const Rota__Review *review);
/* What the review rests on is a pattern from now on, or no more. */
MUST_USE int review_patterns(struct turn *t, const Rota__Review *review, bool on);
/* What bars the account follows from its newest review. */
MUST_USE int review_bars(struct turn *t, struct account *a, Rota__ReviewState state);
