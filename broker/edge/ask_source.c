/* ask_source.c: the key of a sealed source on its way to the worker that builds it. */
#include "edge/ask.h"
#include "engine/engine.h"

#include <errno.h>
#include <sodium.h>

enum error_code ask_source_key(struct ask *a, struct job_id job, const struct job_row *row)
{
    Rota__SignResult *result = a->q.reply->sign_download;
    uint8_t *key = arena_alloc(a->q.arena, SEAL_KEY_BYTES);
    if (!key)
        return E_MEMORY;
    int r = source_keys_get(a->edge->source_keys, job, key);
    if (r == 0)
        result->source_key = (ProtobufCBinaryData){SEAL_KEY_BYTES, key};
    /* Only jobs of a class that takes other sources may have one that was never sealed. */
    if (r == SOURCE_KEYS_MISSING && class_wants_seal(row->class))
        return ask_refuse(a, E_SOURCE_GONE, "the key of the source is gone");
    char why[100];
    return r < 0 ? ask_refuse(a, E_UPLOAD_FAILED, "the key of the source could not be read: %s",
                              err_trace(why, sizeof why))
                 : E_OK;
}

void ask_source_key_wipe(Rota__Reply *reply)
{
    if (reply->result_case != ROTA__REPLY__RESULT_SIGN_DOWNLOAD || !reply->sign_download ||
        !reply->sign_download->source_key.len)
        return;
    sodium_memzero(reply->sign_download->source_key.data, reply->sign_download->source_key.len);
}
