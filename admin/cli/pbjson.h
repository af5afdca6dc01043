/* pbjson.h: any message of rota.proto as JSON, by its descriptor. Any thread.
 *
 * Names are the protocol's; a repeated field's name is plural (`tiers`, `classes`). Enum words are
 * lower case without their prefix ("timed_out", "dispatched"), tiers stay "P0" to "P3"; bytes are
 * lower-case hex, except a spec, which is the JSON that it is. A field at its default is left out,
 * but for those that a reader counts on: a table in pbjson.c names them. */
#pragma once

#include <jansson.h>
#include <protobuf-c/protobuf-c.h>

/* The caller owns the result. Exits when memory is out. */
json_t *pb_json(const ProtobufCMessage *message);

/* The lower-case word of an enum value, as it stands in the JSON; "" when the value is not of the
 * schema or stands for nothing. Writes into `word`. */
enum { PB_WORD_LEN = 31 };
const char *pb_word(const ProtobufCEnumDescriptor *type, int value, char word[PB_WORD_LEN + 1]);

/* The enum value that pb_word() calls `word`; -1: none. */
int pb_word_value(const ProtobufCEnumDescriptor *type, const char *word);
