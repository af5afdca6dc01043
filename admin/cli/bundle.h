/* bundle.h: the folder that `rota download` writes and `rota verify` reads.
 *
 *   NAME...          the artifacts, by the names that the worker gave them
 *   artifacts.json   what they are: kind, name, size, hashes. Not signed: the statement decides
 *   statement.json   the exact signed bytes about the bundle
 *   signature        Ed25519 over it, 128 hex digits
 *   provenance.dsse.json  the signed envelope about the whole build */
#pragma once

#define BUNDLE_ARTIFACTS  "artifacts.json"
#define BUNDLE_STATEMENT  "statement.json"
#define BUNDLE_SIGNATURE  "signature"
#define BUNDLE_PROVENANCE "provenance.dsse.json"
