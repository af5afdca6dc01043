/* seal.h: a source archive as it waits for its build: encrypted under a key of its own.
 *
 *   "rota-seal-1\n"   12 bytes
 *   header            24 bytes, of libsodium's crypto_secretstream_xchacha20poly1305
 *   chunks            each 65,536 bytes of the archive and 17 more, without additional data; the
 *                     last one is tagged FINAL and may be shorter, also empty; nothing follows it
 *
 * So each chunk proves itself and its place, and an archive that was cut short has no end.
 *
 * Key and header are derived from a secret of whoever seals and from the archive's SHA-256, keyed
 * BLAKE2b: the same archive sealed twice by the same publisher is the same object, so that a
 * repeated publish is a repetition and the builds for two platforms share one source. A stream
 * cipher allows that because another archive has another hash and hence another key: no key, and
 * so no header, ever meets a second plaintext. seal_fd() holds the archive against the hash before
 * it tags the end, so that a file that changes while it is read is sealed by nobody. Without the
 * secret the key cannot be found from the archive's hash, and the hash stands nowhere.
 *
 * Any thread; buffers are locked in memory where the system allows it, and wiped. Needs
 * sodium_init(). */
#pragma once

#include <base/bytes.h>
#include <base/err.h>
#include <stdbool.h>

enum {
    SEAL_KEY_BYTES = 32,
    SEAL_HEADER_BYTES = 24,
    SEAL_MAGIC_LEN = 12,
    SEAL_CHUNK_BYTES = 64 << 10,
    SEAL_CHUNK_EXTRA = 17,
};

enum seal_outcome {
    SEAL_NONE = 1, /* does not begin like a sealed source */
    SEAL_BROKEN,   /* another key, changed, cut short, or continued */
    SEAL_CHANGED,  /* the archive is not what was hashed */
};

struct seal {
    uint8_t key[SEAL_KEY_BYTES], header[SEAL_HEADER_BYTES];
    uint8_t sha256[32]; /* of the archive */
};

/* The caller wipes *ret_seal with sodium_memzero(). */
void seal_derive(struct span secret, const uint8_t sha256[32], struct seal *ret_seal);

/* Seals `from`, from its position to its end, into `to`. SEAL_CHANGED: `to` holds no whole seal. */
MUST_USE int seal_fd(const struct seal *s, int from, int to);

/* Opens what `from` holds from its position to its end into `to`. SEAL_NONE, SEAL_BROKEN: what was
 * written to `to` is genuine as far as it goes, but not all, and of no use. */
MUST_USE int seal_open_fd(const uint8_t key[SEAL_KEY_BYTES], int from, int to);

/* Does it begin like a sealed source? */
bool seal_begins(const void *p, size_t n);

/* Bytes of the sealed form of an archive of so many. */
uint64_t seal_bytes(uint64_t archive_bytes);
