/* find.c: `rota find`: jobs by anything that a filter can say, newest first; as a table, as JSON,
 * or with just the fields that are asked for. */
#include "commands.h"
#include "job.h"
#include "pages.h"
#include "pbjson.h"
#include "table.h"
#include "text.h"

#include <base/clock.h>
#include <ctype.h>
#include <stdio.h>
#include <string.h>

struct find_settings {
    struct common common;
    struct where_options where;
    const char *fields, *cursor;
    uint64_t limit;
    bool all;
};

static const struct option_row rows[] = {
    WHERE_ROWS(struct find_settings, where),
    OPTION_U64(struct find_settings, limit, "limit", "N", 20, 1, 100000, "at most so many"),
    OPTION_FLAG(struct find_settings, all, "all", "all of them, whatever --limit says"),
    OPTION_STR(struct find_settings, fields, "fields", "NAMES", NULL,
               "only these fields of each job, as job,state,app; --json shows their names"),
    OPTION_STR(struct find_settings, cursor, "cursor", "CURSOR", NULL,
               "go on where the same search ended (its next_cursor)"),
};

enum { FIELDS_MAX = 16 };

struct found {
    struct table *table; /* NULL: as JSON */
    json_t *jobs;
    const char *field[FIELDS_MAX]; /* n 0: the usual ones */
    size_t n;
    uint64_t now_ms;
};

/* ---- fields ---- */

/* Is there a field of a job that JSON calls so? Lists are plural there. */
static bool is_field(const char *name)
{
    const ProtobufCMessageDescriptor *d = &rota__job__descriptor;
    for (unsigned i = 0; i < d->n_fields; i++) {
        const ProtobufCFieldDescriptor *f = &d->fields[i];
        size_t n = strlen(f->name);
        if (f->label != PROTOBUF_C_LABEL_REPEATED && !strcmp(f->name, name))
            return true;
        if (f->label == PROTOBUF_C_LABEL_REPEATED && !strncmp(f->name, name, n) &&
            !strcmp(name + n, n && f->name[n - 1] == 's' ? "es" : "s"))
            return true;
    }
    return false;
}

static int fields_read(const struct cli *cli, char *list, struct found *f)
{
    for (char *name; (name = strsep(&list, ","));) {
        if (!is_field(name))
            return cli_usage(cli, "--fields: a job has no field \"%s\"", name);
        if (f->n == FIELDS_MAX)
            return cli_usage(cli, "--fields: at most %d of them", FIELDS_MAX);
        f->field[f->n++] = name;
    }
    return 0;
}

/* "JOB STATE APP" for the table. */
static char *columns_of(const struct found *f)
{
    char *columns = x_strdup("");
    for (size_t i = 0; i < f->n; i++) {
        char *longer = x_printf("%s%s%s", columns, i ? " " : "", f->field[i]);
        free(columns);
        columns = longer;
    }
    for (char *c = columns; *c; c++)
        *c = (char)toupper((unsigned char)*c);
    return columns;
}

static json_t *picked(const struct found *f, json_t *job)
{
    json_t *some = x_must(json_object());
    for (size_t i = 0; i < f->n; i++) {
        json_t *value = json_object_get(job, f->field[i]);
        if (value)
            json_object_set(some, f->field[i], value);
    }
    return some;
}

/* A moment reads better as one. */
static bool is_moment(const char *field)
{
    size_t n = strlen(field);
    return n > 3 && !strcmp(field + n - 3, "_ms") && strcmp(field, "timeout_ms") != 0;
}

static void field_cell(struct table *t, const char *field, const json_t *value)
{
    char text[TEXT_SHORT_LEN + 1];
    if (!value) {
        table_cell(t, STYLE_DIM, "-");
    } else if (json_is_string(value)) {
        table_cell(t, STYLE_PLAIN, "%s", json_string_value(value));
    } else if (json_is_integer(value) && is_moment(field)) {
        table_cell(t, STYLE_PLAIN, "%s", text_time((uint64_t)json_integer_value(value), text));
    } else {
        char *dump = x_must(json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY));
        table_cell(t, STYLE_PLAIN, "%s", dump);
        free(dump);
    }
}

/* ---- jobs ---- */

static void job_take(void *arg, const Rota__Job *job)
{
    struct found *f = arg;
    if (f->table && !f->n) {
        job_row(f->table, job, f->now_ms);
        return;
    }
    json_t *object = pb_json(&job->base);
    if (f->table)
        for (size_t i = 0; i < f->n; i++)
            field_cell(f->table, f->field[i], json_object_get(object, f->field[i]));
    else
        json_array_append_new(f->jobs, f->n ? picked(f, object) : json_incref(object));
    json_decref(object);
}

static int found_print(const struct found *f, const struct find_pages *p)
{
    if (!f->table) {
        json_t *document = json_pack("{s:O,s:I}", "jobs", f->jobs, "seen", (json_int_t)p->seen);
        if (p->cursor)
            json_object_set_new(document, "next_cursor", json_string(p->cursor));
        return cli_print(document);
    }
    table_print(f->table);
    if (p->cursor)
        printf("%smore: --cursor %s%s\n", term_on(STYLE_DIM), p->cursor, term_off(STYLE_DIM));
    return EXIT_OK;
}

static int find_read(struct cli *cli, struct found *f, const Rota__Where *where)
{
    const struct find_settings *s = cli->settings;
    struct find_pages p = {.where = where,
                           .left = s->all ? UINT64_MAX : s->limit,
                           .cursor = s->cursor && *s->cursor ? x_strdup(s->cursor) : NULL,
                           .job = job_take,
                           .arg = f};
    int code = find_pages(cli, &p);
    if (!code)
        code = found_print(f, &p);
    free(p.cursor);
    return code;
}

static int find_run(struct cli *cli)
{
    const struct find_settings *s = cli->settings;
    struct found f = {.now_ms = clock_wall_ms(), .jobs = x_must(json_array())};
    struct where where = {.words = NULL};
    AUTO_FREE char *list = x_strdup(s->fields ? s->fields : "");
    AUTO_FREE char *columns = NULL;
    int code = s->fields ? fields_read(cli, list, &f) : 0;
    if (!code)
        code = where_take(&s->where, &where);
    columns = f.n ? columns_of(&f) : x_strdup(JOB_COLUMNS);
    AUTO(table) table = code || cli->common->json ? NULL : table_new(columns);
    f.table = table;
    if (!code)
        code = find_read(cli, &f, &where.where);
    where_deinit(&where);
    json_decref(f.jobs);
    return code;
}

const struct command command_find = {
    .name = "find",
    .args = "[FILTER OPTION]... [--limit N | --all] [--fields NAMES]",
    .about = "finds jobs by any of their facts, newest first",
    .details =
        "All that is named must hold. --where takes the same words in short: "
        "'state=failed app=shop published>=3d error=RUNNER_FAILED'; values with blanks stand "
        "in double quotes, times are compared by <, <=, > and >=, and a date stands for its "
        "whole day in UTC. Without an account, a search by finish times gives what finished "
        "last first. Exit code 2 and the column when a filter cannot be used.",
    .rows = rows,
    .n_rows = ARRAY_LEN(rows),
    .settings_bytes = sizeof(struct find_settings),
    .needs = NEEDS_BROKER | NEEDS_KEY | PRINTS_JSON,
    .run = find_run,
};
