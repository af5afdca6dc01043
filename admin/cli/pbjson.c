/* pbjson.c: walks the descriptor's fields; one function for each kind of value, chosen by a table.
 *
 * One mapper for all messages keeps the commands free of JSON and makes a new field of the protocol
 * appear everywhere by itself. */
#include "pbjson.h"

#include "rota.pb-c.h"
#include "text.h"

#include <assert.h>
#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* Zeros that are shown. `fields` are words with a space around each; "*" means all. In an event the
 * fields that count follow from its kind, so that a key's event does not speak of tier P0. */
static const struct keep_row {
    const char *message, *fields;
    int event_kind; /* rota.Event only */
} keeps[] = {
    {"rota.TierStats", "*", 0},
    {"rota.PoolStats", "*", 0},
    {"rota.WorkerStats", "*", 0},
    {"rota.WorkerJob", "*", 0},
    {"rota.Resources", "*", 0},
    {"rota.StatsResult", "*", 0},
    {"rota.NextJob", "*", 0},
    {"rota.WhyResult", "*", 0},
    {"rota.Account", "*", 0},
    {"rota.HeatResult", "*", 0},
    {"rota.Limits", "*", 0},
    {"rota.Rate", "*", 0},
    {"rota.LimitsResult", " version ", 0},
    {"rota.Addon", " timeout_minutes price_cents ", 0},
    {"rota.AddonListResult", " addon ", 0},
    {"rota.Grant", " timeout_minutes ", 0},
    {"rota.UsageMonth", "*", 0},
    {"rota.AccountGetResult", " kept_succeeded kept_failed ", 0},
    {"rota.ListResult", " job ", 0},
    {"rota.FindResult", " job seen ", 0},
    {"rota.BulkListResult", " bulk ", 0},
    {"rota.Bulk", " seen matched done refused ", 0},
    {"rota.NextResult", " job ", 0},
    {"rota.WorkerListResult", " worker ", 0},
    {"rota.AccountListResult", " account ", 0},
    {"rota.AppListResult", " app ", 0},
    {"rota.PauseListResult", " pause ", 0},
    {"rota.TrailListResult", " entry next ", 0},
    {"rota.ReviewListResult", " review ", 0},
    {"rota.Review", " score evidence ", 0},
    {"rota.AddressListResult", " address ", 0},
    {"rota.ArtifactStats", " faults ", 0},
    {"rota.ClassStats", " faults paused ", 0},
    {"rota.Event", " bars ", ROTA__EVENT_KIND__EVENT_BARS},
    {"rota.KeyListResult", " key ", 0},
    {"rota.KeyUsageResult", "*", 0},
    {"rota.StateCount", "*", 0},
    {"rota.MemberListResult", " member ", 0},
    {"rota.VarListResult", " var ", 0},
    {"rota.PresetListResult", " preset ", 0},
    {"rota.ScheduleListResult", " schedule ", 0},
    {"rota.App", " platform ", 0},
    {"rota.Job", " tier percent attempt ", 0},
    {"rota.Artifact", " size ", 0},
    {"rota.PhaseTime", " ms ", 0},
    {"rota.Event", " tier attempt ", ROTA__EVENT_KIND__EVENT_PUBLISHED},
    {"rota.Event", " tier number eligible c n attempt ", ROTA__EVENT_KIND__EVENT_DISPATCHED},
    {"rota.Event", " tier attempt ", ROTA__EVENT_KIND__EVENT_FINISHED},
    {"rota.Event", " tier attempt ", ROTA__EVENT_KIND__EVENT_RELEASED},
    {"rota.Event", " tier attempt ", ROTA__EVENT_KIND__EVENT_EXPIRED},
    {"rota.Event", " tier attempt ", ROTA__EVENT_KIND__EVENT_CANCELLING},
    {"rota.Event", " tier running_max ", ROTA__EVENT_KIND__EVENT_ACCOUNT_SET},
    {"rota.Event", " slots until_ms ", ROTA__EVENT_KIND__EVENT_HEAT},
};

static bool has_word(const char *fields, const char *name)
{
    size_t n = strlen(name);
    for (const char *at = fields; (at = strstr(at, name)); at++)
        if (at > fields && at[-1] == ' ' && at[n] == ' ')
            return true;
    return false;
}

/* A tier or an account; a pool has none. */
static bool is_of_tier(const Rota__Event *event)
{
    return !strcmp(event->scope, "tier") || !strcmp(event->scope, "account");
}

static bool is_kept(const ProtobufCMessage *m, const char *field)
{
    bool is_event = m->descriptor == &rota__event__descriptor;
    int kind = is_event ? (int)((const Rota__Event *)m)->kind : 0;
    if (kind == ROTA__EVENT_KIND__EVENT_BARS && !strcmp(field, "tier"))
        return is_of_tier((const Rota__Event *)m);
    for (size_t i = 0; i < sizeof keeps / sizeof *keeps; i++)
        if (keeps[i].event_kind == kind && !strcmp(keeps[i].message, m->descriptor->name) &&
            (*keeps[i].fields == '*' || has_word(keeps[i].fields, field)))
            return true;
    return false;
}

static void lower(const char *from, char *to, size_t n)
{
    size_t i = 0;
    for (; from[i] && i + 1 < n; i++)
        to[i] = (char)tolower((unsigned char)from[i]);
    to[i] = 0;
}

const char *pb_word(const ProtobufCEnumDescriptor *type, int value, char word[PB_WORD_LEN + 1])
{
    static const char *const prefixes[] = {"EVENT_",  "OUTCOME_", "PAUSE_",      "BULK_",
                                           "REVIEW_", "SIGNAL_",  "MEMBER_ROLE_"};
    const ProtobufCEnumValue *v = protobuf_c_enum_descriptor_get_value(type, value);
    word[0] = 0;
    if (!v)
        return word;
    const char *name = v->name;
    if (type == &rota__tier__descriptor) {
        snprintf(word, PB_WORD_LEN + 1, "%s", name);
        return word;
    }
    size_t n = strlen(name);
    if (n > 5 && !strcmp(name + n - 5, "_NONE"))
        return word;
    for (size_t i = 0; i < sizeof prefixes / sizeof *prefixes; i++)
        if (!strncmp(name, prefixes[i], strlen(prefixes[i])))
            name += strlen(prefixes[i]);
    lower(name, word, PB_WORD_LEN + 1);
    return word;
}

int pb_word_value(const ProtobufCEnumDescriptor *type, const char *word)
{
    char own[PB_WORD_LEN + 1];
    for (unsigned i = 0; i < type->n_values; i++)
        if (!strcmp(pb_word(type, type->values[i].value, own), word) && *word)
            return type->values[i].value;
    return -1;
}

static json_t *text_json(const char *s)
{
    json_t *j = json_string(s ? s : "");
    if (j)
        return j;
    char *clean = text_clean(s); /* not UTF-8: show it rather than lose it */
    j = json_string(clean);
    free(clean);
    return x_must(j);
}

static json_t *hex_json(const ProtobufCBinaryData *bytes)
{
    static const char digits[] = "0123456789abcdef";
    char *hex = x_alloc(bytes->len * 2 + 1);
    for (size_t i = 0; i < bytes->len; i++) {
        hex[2 * i] = digits[bytes->data[i] >> 4];
        hex[2 * i + 1] = digits[bytes->data[i] & 15];
    }
    json_t *j = json_string(hex);
    free(hex);
    return x_must(j);
}

static json_t *bytes_json(const ProtobufCFieldDescriptor *f, const ProtobufCBinaryData *bytes)
{
    json_t *spec = NULL;
    if (!strcmp(f->name, "spec") && bytes->len)
        spec = json_loadb((const char *)bytes->data, bytes->len, JSON_DECODE_ANY, NULL);
    return spec ? spec : hex_json(bytes);
}

/* One value of the field's type at `p`. */
static json_t *value_json(const ProtobufCFieldDescriptor *f, const void *p)
{
    char word[PB_WORD_LEN + 1];
    switch (f->type) {
    case PROTOBUF_C_TYPE_UINT32:
        return x_must(json_integer(*(const uint32_t *)p));
    case PROTOBUF_C_TYPE_UINT64:
        return x_must(json_integer((json_int_t) * (const uint64_t *)p));
    case PROTOBUF_C_TYPE_BOOL:
        return json_boolean(*(const protobuf_c_boolean *)p);
    case PROTOBUF_C_TYPE_ENUM:
        return text_json(pb_word(f->descriptor, *(const int *)p, word));
    case PROTOBUF_C_TYPE_STRING:
        return text_json(*(char *const *)p);
    case PROTOBUF_C_TYPE_BYTES:
        return bytes_json(f, p);
    case PROTOBUF_C_TYPE_MESSAGE:
        return pb_json(*(ProtobufCMessage *const *)p);
    default:
        assert(0 && "a type that rota.proto does not use");
        return x_must(json_null());
    }
}

/* Bytes of one member of a repeated field. */
static size_t member_bytes(ProtobufCType type)
{
    switch (type) {
    case PROTOBUF_C_TYPE_UINT64:
        return sizeof(uint64_t);
    case PROTOBUF_C_TYPE_BOOL:
        return sizeof(protobuf_c_boolean);
    case PROTOBUF_C_TYPE_STRING:
    case PROTOBUF_C_TYPE_MESSAGE:
        return sizeof(void *);
    case PROTOBUF_C_TYPE_BYTES:
        return sizeof(ProtobufCBinaryData);
    default:
        return sizeof(uint32_t);
    }
}

static bool is_default(const ProtobufCFieldDescriptor *f, const void *p)
{
    char word[PB_WORD_LEN + 1];
    switch (f->type) {
    case PROTOBUF_C_TYPE_UINT32:
        return !*(const uint32_t *)p;
    case PROTOBUF_C_TYPE_UINT64:
        return !*(const uint64_t *)p;
    case PROTOBUF_C_TYPE_BOOL:
        return !*(const protobuf_c_boolean *)p;
    case PROTOBUF_C_TYPE_ENUM:
        return !*(const int *)p || !*pb_word(f->descriptor, *(const int *)p, word);
    case PROTOBUF_C_TYPE_STRING:
        return !*(char *const *)p || !**(char *const *)p;
    case PROTOBUF_C_TYPE_BYTES:
        return !((const ProtobufCBinaryData *)p)->len;
    default:
        return !*(ProtobufCMessage *const *)p;
    }
}

static const char *plural(const char *name, char *to, size_t n)
{
    size_t len = strlen(name);
    bool is_ies = len > 1 && name[len - 1] == 'y' && !strchr("aeiou", name[len - 2]);
    if (is_ies)
        snprintf(to, n, "%.*sies", (int)len - 1, name);
    else
        snprintf(to, n, "%s%s", name, len && name[len - 1] == 's' ? "es" : "s");
    return to;
}

static void repeated_into(json_t *object, const ProtobufCMessage *m,
                          const ProtobufCFieldDescriptor *f)
{
    char name[64];
    size_t n = *(const size_t *)((const char *)m + f->quantifier_offset);
    const char *p = *(const char *const *)((const char *)m + f->offset);
    if (!n && !is_kept(m, f->name))
        return;
    json_t *array = x_must(json_array());
    for (size_t i = 0; i < n; i++)
        json_array_append_new(array, value_json(f, p + i * member_bytes(f->type)));
    json_object_set_new(object, plural(f->name, name, sizeof name), array);
}

static void single_into(json_t *object, const ProtobufCMessage *m,
                        const ProtobufCFieldDescriptor *f)
{
    const void *p = (const char *)m + f->offset;
    bool is_message = f->type == PROTOBUF_C_TYPE_MESSAGE;
    if (is_default(f, p) && (is_message || !is_kept(m, f->name)))
        return;
    json_object_set_new(object, f->name, value_json(f, p));
}

/* A member of a oneof that is not the one set shares its memory with another type: not to be read.
 */
static bool is_absent_choice(const ProtobufCMessage *m, const ProtobufCFieldDescriptor *f)
{
    return f->flags & PROTOBUF_C_FIELD_FLAG_ONEOF &&
           *(const uint32_t *)((const char *)m + f->quantifier_offset) != f->id;
}

json_t *pb_json(const ProtobufCMessage *message)
{
    assert(message->descriptor->magic == PROTOBUF_C__MESSAGE_DESCRIPTOR_MAGIC);
    json_t *object = x_must(json_object());
    for (unsigned i = 0; i < message->descriptor->n_fields; i++) {
        const ProtobufCFieldDescriptor *f = &message->descriptor->fields[i];
        if (is_absent_choice(message, f))
            continue;
        if (f->label == PROTOBUF_C_LABEL_REPEATED)
            repeated_into(object, message, f);
        else
            single_into(object, message, f);
    }
    return object;
}
