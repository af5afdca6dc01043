/* intoto.h: the fixed words of a build's provenance, on which its maker (rotad) and its reader
 * (rota verify) must agree. docs/PROTOCOL.md shows a whole one. */
#pragma once

#define INTOTO_STATEMENT  "https://in-toto.io/Statement/v1"
#define INTOTO_PREDICATE  "https://slsa.dev/provenance/v1"
#define INTOTO_BUILD_TYPE "urn:rota:build:v1"
#define INTOTO_BUILDER    "urn:rota:builder" /* :ENVIRONMENT:KEYID */
