/* wire.c: one walk over the bytes, led by shapes.
 *
 * A shape is a message of the schema with its rows of limits.def beside its fields, indexed by
 * field number, so that a field costs one table step. Shapes are joined from the descriptors and
 * the rows before main() runs, and never change after that.
 *
 * Stricter than protobuf asks: a single field that stands twice is refused (protobuf would merge
 * the two, and a merged list could hold twice what was counted), and so are two members of one
 * oneof. The schema has no message inside itself, so the nesting is as deep as the schema and no
 * deeper.  */
#include "wire.h"

#include "form.h"
#include "rota.pb-c.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { TAG_MAX = 127, SHAPES_MAX = 128, OP_TAG_MIN = 16 };
enum { WAIT_MS = 10 * 60 * 1000, WEEK_MS = 7 * 24 * 3600 * 1000 };
/* How long a number may be written; protobuf-c's unpacker has the same bounds. */
enum { TAG_BYTES_MAX = 5, LENGTH_BYTES_MAX = 5, NUMBER_BYTES_MAX = 10 };
enum wire_type { WIRE_VARINT = 0, WIRE_RUN = 2 };

struct limit {
    const ProtobufCMessageDescriptor *type;
    const char *field;
    uint64_t most;
    enum form form;
};

static const struct limit limits[] = {
#define LIMIT(message, field, most, form)                                                          \
    {&rota__##message##__descriptor, #field, most, FORM_##form},
#include "limits.def"
#undef LIMIT
};
enum { LIMITS = sizeof limits / sizeof *limits };

struct slot {
    const ProtobufCFieldDescriptor *field; /* NULL: the schema has no such number */
    const struct limit *limit;             /* NULL: no row, which refuses the field */
    const struct shape *part;              /* of a message field */
    uint8_t group;                         /* the lowest number of its oneof, else its own */
};

struct shape {
    const ProtobufCMessageDescriptor *type;
    struct slot slots[TAG_MAX + 1];
};

static struct shape shapes[SHAPES_MAX];
static unsigned shape_count;

static struct shape *shape_of(const ProtobufCMessageDescriptor *type)
{
    for (unsigned i = 0; i < shape_count; i++)
        if (shapes[i].type == type)
            return &shapes[i];
    return NULL;
}

static const struct limit *limit_of(const ProtobufCMessageDescriptor *type, const char *field)
{
    for (unsigned i = 0; i < LIMITS; i++)
        if (limits[i].type == type && strcmp(limits[i].field, field) == 0)
            return &limits[i];
    return NULL;
}

static uint8_t group_of(const ProtobufCMessageDescriptor *type,
                        const ProtobufCFieldDescriptor *field)
{
    uint32_t least = field->id;
    for (unsigned i = 0; (field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) && i < type->n_fields; i++) {
        const ProtobufCFieldDescriptor *other = &type->fields[i];
        if ((other->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) &&
            other->quantifier_offset == field->quantifier_offset && other->id < least)
            least = other->id;
    }
    return (uint8_t)least;
}

/* Fills in a message and, below it, what it holds. */
static const struct shape *shape_add(const ProtobufCMessageDescriptor *type)
{
    struct shape *s = shape_of(type);
    if (s)
        return s;
    assert(shape_count < SHAPES_MAX);
    s = &shapes[shape_count++];
    s->type = type;
    for (unsigned i = 0; i < type->n_fields; i++) {
        const ProtobufCFieldDescriptor *f = &type->fields[i];
        assert(f->id <= TAG_MAX);
        s->slots[f->id] =
            (struct slot){.field = f, .limit = limit_of(type, f->name), .group = group_of(type, f)};
        if (f->type == PROTOBUF_C_TYPE_MESSAGE)
            s->slots[f->id].part = shape_add(f->descriptor);
    }
    return s;
}

__attribute__((constructor)) static void shapes_build(void)
{
    shape_add(&rota__request__descriptor);
}

/* One message on the way down; the chain of them spells a field's path. */
struct frame {
    const struct frame *outer;
    const struct shape *shape;
    const uint8_t *at, *end;
    const struct slot *slot;      /* the field at hand */
    uint64_t seen;                /* groups that stood already */
    uint16_t counts[TAG_MAX + 1]; /* members of lists so far */
};

static size_t path_write(const struct frame *f, char *to, size_t room)
{
    size_t n = f->outer ? path_write(f->outer, to, room) : 0;
    if (!f->slot || n >= room)
        return n;
    int more;
    const ProtobufCFieldDescriptor *field = f->slot->field;
    if (field->label == PROTOBUF_C_LABEL_REPEATED)
        more = snprintf(to + n, room - n, "%s%s[%u]", n ? "." : "", field->name,
                        f->counts[field->id] - 1u);
    else
        more = snprintf(to + n, room - n, "%s%s", n ? "." : "", field->name);
    return more < 0 ? n : n + (size_t)more;
}

/* Always false, so that a check can end with it. */
__attribute__((format(printf, 4, 5))) static bool
refuse(const struct frame *f, struct wire_fault *fault, enum error_code code, const char *text, ...)
{
    fault->code = code;
    size_t n = path_write(f, fault->text, sizeof fault->text);
    if (n && n < sizeof fault->text)
        n += (size_t)snprintf(fault->text + n, sizeof fault->text - n, ": ");
    if (n < sizeof fault->text) {
        va_list ap;
        va_start(ap, text);
        vsnprintf(fault->text + n, sizeof fault->text - n, text, ap);
        va_end(ap);
    }
    return false;
}

static bool varint_read(const uint8_t **at, const uint8_t *end, unsigned bytes_max, uint64_t *ret)
{
    uint64_t v = 0;
    for (unsigned i = 0; i < bytes_max && *at + i < end; i++) {
        uint8_t b = (*at)[i];
        if (i == 9 && b > 1)
            return false; /* more than 64 bits */
        v |= (uint64_t)(b & 0x7f) << (7 * i);
        if (b & 0x80)
            continue;
        *at += i + 1;
        *ret = v;
        return true;
    }
    return false;
}

static bool value_check(const struct frame *f, uint64_t v, struct wire_fault *fault)
{
    const struct limit *limit = f->slot->limit;
    const struct form_row *form = form_row(limit->form);
    if (f->slot->field->type == PROTOBUF_C_TYPE_ENUM) {
        const ProtobufCEnumDescriptor *words = f->slot->field->descriptor;
        if (v > INT32_MAX || !protobuf_c_enum_descriptor_get_value(words, (int)v))
            return refuse(f, fault, form->code, "%llu, %s", (unsigned long long)v, form->text);
        return true;
    }
    if (v > limit->most)
        return refuse(f, fault, form->code, "%llu, at most %llu", (unsigned long long)v,
                      (unsigned long long)limit->most);
    return true;
}

static bool run_check(const struct frame *f, const uint8_t *p, size_t n, struct wire_fault *fault)
{
    const struct limit *limit = f->slot->limit;
    const struct form_row *form = form_row(limit->form);
    bool is_list = f->slot->field->label == PROTOBUF_C_LABEL_REPEATED;
    size_t most = is_list ? form->item_bytes_max : (size_t)limit->most;
    if (n == 0 && !is_list)
        return true; /* not set */
    bool is_exact = limit->form == FORM_EXACT || limit->form == FORM_HEX;
    if (n > most && !form->is_length_own)
        return refuse(f, fault, E_FIELD_TOO_LONG, "%zu bytes, at most %zu", n, most);
    if (is_exact && n != most)
        return refuse(f, fault, form->code, "%zu bytes, exactly %zu", n, most);
    if (form->fits && !form->fits(p, n))
        return refuse(f, fault, form->code, "%s", form->text);
    return true;
}

/* A list is counted, everything else may stand once. */
static bool count_check(struct frame *f, struct wire_fault *fault)
{
    const struct slot *slot = f->slot;
    if (slot->field->label == PROTOBUF_C_LABEL_REPEATED) {
        if (f->counts[slot->field->id]++ < slot->limit->most)
            return true;
        return refuse(f, fault, E_TOO_MANY, "at most %llu", (unsigned long long)slot->limit->most);
    }
    uint64_t bit = 1ull << slot->group;
    if (f->seen & bit)
        return refuse(f, fault, E_MALFORMED, "stands twice, or beside its alternative");
    f->seen |= bit;
    return true;
}

static bool is_run(const ProtobufCFieldDescriptor *field)
{
    return field->type == PROTOBUF_C_TYPE_STRING || field->type == PROTOBUF_C_TYPE_BYTES ||
           field->type == PROTOBUF_C_TYPE_MESSAGE;
}

static bool message_check(struct frame *f, struct wire_fault *fault);

/* The value behind a tag that the schema knows. */
static bool field_check(struct frame *f, enum wire_type wire, struct wire_fault *fault)
{
    const struct slot *slot = f->slot;
    uint64_t v;
    if (wire != (is_run(slot->field) ? WIRE_RUN : WIRE_VARINT))
        return refuse(f, fault, E_MALFORMED, "wire type %u does not fit", (unsigned)wire);
    if (!count_check(f, fault))
        return false;
    if (!varint_read(&f->at, f->end, wire == WIRE_RUN ? LENGTH_BYTES_MAX : NUMBER_BYTES_MAX, &v))
        return refuse(f, fault, E_MALFORMED, "ends in the middle of a number");
    if (wire == WIRE_VARINT)
        return value_check(f, v, fault);
    if (v > (uint64_t)(f->end - f->at))
        return refuse(f, fault, E_MALFORMED, "announces %llu bytes, %zu are there",
                      (unsigned long long)v, (size_t)(f->end - f->at));
    const uint8_t *p = f->at;
    f->at += v;
    if (!slot->part)
        return run_check(f, p, (size_t)v, fault);
    struct frame inner = {.outer = f, .shape = slot->part, .at = p, .end = f->at};
    return message_check(&inner, fault);
}

static bool message_check(struct frame *f, struct wire_fault *fault)
{
    while (f->at < f->end) {
        uint64_t tag;
        f->slot = NULL;
        if (!varint_read(&f->at, f->end, TAG_BYTES_MAX, &tag) || tag >> 3 == 0 || tag > UINT32_MAX)
            return refuse(f, fault, E_MALFORMED, "no field tag where one is due");
        uint64_t number = tag >> 3;
        if (number > TAG_MAX || !f->shape->slots[number].limit)
            return refuse(f, fault, E_FIELD_UNKNOWN, "%s has no field %llu",
                          f->shape->type->short_name, (unsigned long long)number);
        f->slot = &f->shape->slots[number];
        if (!field_check(f, (enum wire_type)(tag & 7), fault))
            return false;
    }
    return true;
}

bool wire_check(const ProtobufCMessageDescriptor *type, const void *bytes, size_t n,
                struct wire_fault *ret_fault)
{
    const struct shape *shape = shape_of(type);
    assert(shape && ret_fault && (bytes || n == 0));
    struct frame f = {.shape = shape, .at = bytes};
    f.end = f.at + n;
    if (n > WIRE_BYTES_MAX)
        return refuse(&f, ret_fault, E_FIELD_TOO_LONG, "the message has %zu bytes, at most %d", n,
                      WIRE_BYTES_MAX);
    return message_check(&f, ret_fault);
}

void wire_peek(const void *bytes, size_t n, uint32_t *ret_op_tag, uint64_t *ret_request_id)
{
    const uint8_t *at = bytes, *end = at + n;
    *ret_op_tag = 0;
    *ret_request_id = 0;
    uint64_t tag, v;
    while (at < end && varint_read(&at, end, TAG_BYTES_MAX, &tag) &&
           varint_read(&at, end, NUMBER_BYTES_MAX, &v)) {
        if (tag >> 3 == 1)
            *ret_request_id = v;
        if ((tag & 7) != WIRE_RUN)
            continue;
        if (tag >> 3 >= OP_TAG_MIN)
            *ret_op_tag = (uint32_t)(tag >> 3);
        if (v > (uint64_t)(end - at))
            return;
        at += v;
    }
}
