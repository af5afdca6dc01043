/* doc.c: libyaml's events become calls; the names on the way down are kept on a stack. */
#include "doc.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

struct level {
    bool is_map, wants_name;
    char *name;
};

struct doc {
    const char *file;
    const struct doc_reader *reader;
    struct box_refusal *refusal;
    struct level level[DOC_DEPTH_MAX];
    size_t depth, values, documents;
    struct doc_place at;
};

bool doc_is(const struct doc_place *at, size_t depth, const char *name)
{
    return depth < at->depth && strcmp(at->name[depth], name) == 0;
}

static int refuse(struct doc *d, const char *why)
{
    return BOX_REFUSE(d->refusal, LOCKFILE_INVALID, "%s line %u: %s", d->file, d->at.line, why);
}

static struct level *top(struct doc *d)
{
    return d->depth ? &d->level[d->depth - 1] : NULL;
}

/* The way to what comes next: one name for each level. */
static const struct doc_place *place(struct doc *d)
{
    d->at.depth = d->depth;
    for (size_t i = 0; i < d->depth; i++)
        d->at.name[i] = d->level[i].is_map ? d->level[i].name : "-";
    return &d->at;
}

static int on_name(struct doc *d, struct level *l, const char *text)
{
    free(l->name);
    l->name = strdup(text);
    if (!l->name)
        return err_raise(-ENOMEM);
    l->wants_name = false;
    if (strcmp(text, "<<") == 0)
        return refuse(d, "a merge (<<) is not read");
    return d->reader->name ? d->reader->name(d->reader->arg, place(d)) : 0;
}

static int on_scalar(struct doc *d, const yaml_event_t *e)
{
    struct level *l = top(d);
    const char *text = (const char *)e->data.scalar.value;
    size_t n = e->data.scalar.length;
    if (e->data.scalar.anchor || e->data.scalar.tag)
        return refuse(d, "anchors and tags are not read");
    if (n > DOC_TEXT_MAX || memchr(text, 0, n))
        return refuse(d, "a text is too long, or has a NUL in it");
    if (!l)
        return refuse(d, "this is no map");
    if (l->wants_name)
        return on_name(d, l, text);
    l->wants_name = l->is_map;
    return d->reader->value ? d->reader->value(d->reader->arg, place(d), text) : 0;
}

static int on_start(struct doc *d, bool is_map, const yaml_char_t *anchor, const yaml_char_t *tag)
{
    struct level *l = top(d);
    if (anchor || tag)
        return refuse(d, "anchors and tags are not read");
    if ((l && l->wants_name) || (!l && !is_map))
        return refuse(d, "a name is no text");
    if (d->depth == DOC_DEPTH_MAX)
        return refuse(d, "it is nested too deeply");
    d->level[d->depth++] = (struct level){.is_map = is_map, .wants_name = is_map};
    return 0;
}

static int on_end(struct doc *d)
{
    free(top(d)->name);
    d->depth--;
    int r = d->reader->end ? d->reader->end(d->reader->arg, place(d)) : 0;
    if (top(d))
        top(d)->wants_name = top(d)->is_map;
    return r;
}

static int on_event(struct doc *d, const yaml_event_t *e)
{
    d->at.line = (unsigned)e->start_mark.line + 1;
    d->at.column = (unsigned)e->start_mark.column;
    if (++d->values > DOC_VALUES_MAX)
        return refuse(d, "it has too many values");
    switch (e->type) {
    case YAML_DOCUMENT_START_EVENT:
        return ++d->documents > 1 ? refuse(d, "a second document is not read") : 0;
    case YAML_SCALAR_EVENT:
        return on_scalar(d, e);
    case YAML_MAPPING_START_EVENT:
        return on_start(d, true, e->data.mapping_start.anchor, e->data.mapping_start.tag);
    case YAML_SEQUENCE_START_EVENT:
        return on_start(d, false, e->data.sequence_start.anchor, e->data.sequence_start.tag);
    case YAML_MAPPING_END_EVENT:
    case YAML_SEQUENCE_END_EVENT:
        return on_end(d);
    case YAML_ALIAS_EVENT:
        return refuse(d, "anchors and tags are not read");
    default:
        return 0;
    }
}

/* *ret_more: there is another event to come. */
static int step(struct doc *d, yaml_parser_t *parser, bool *ret_more)
{
    yaml_event_t e;
    if (!yaml_parser_parse(parser, &e)) {
        if (parser->error == YAML_MEMORY_ERROR)
            return err_raise(-ENOMEM);
        d->at.line = (unsigned)parser->problem_mark.line + 1;
        return refuse(d, parser->problem ? parser->problem : "this is no YAML");
    }
    *ret_more = e.type != YAML_STREAM_END_EVENT;
    int r = on_event(d, &e);
    yaml_event_delete(&e);
    return r;
}

int doc_read(const char *file, const char *text, size_t n, const struct doc_reader *reader,
             struct box_refusal *ret_refusal)
{
    struct doc d = {.file = file, .reader = reader, .refusal = ret_refusal, .at = {.line = 1}};
    yaml_parser_t parser;
    bool has_more = true;
    int r = 0;
    if (!yaml_parser_initialize(&parser))
        return err_raise(-ENOMEM);
    yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&parser, (const unsigned char *)text, n);
    while (r == 0 && has_more)
        r = step(&d, &parser, &has_more);
    yaml_parser_delete(&parser);
    for (size_t i = 0; i < d.depth; i++)
        free(d.level[i].name);
    if (r == 0 && d.documents == 0)
        r = refuse(&d, "it is empty");
    return r < 0 ? err_pass(r) : r;
}
