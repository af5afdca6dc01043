/* keys.c: an open form takes all keys; else the table of deeds decides. */
#include "keys.h"

#include "text.h"

#include <assert.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PAGE_LINES = 10, SLOTS_MAX = 10000 };

static enum keys_answer do_heat(struct model *m, int key)
{
    (void)key;
    m->page = PAGE_MAIN;
    m->form = (struct form){.is_open = true, .text = {"2", "30m"}};
    return KEYS_REDRAW;
}

static enum keys_answer do_pool(struct model *m, int key)
{
    (void)key;
    size_t n = m->stats ? m->stats->n_pool : 0;
    if (n < 2)
        return KEYS_IGNORED;
    model_pool_choose(m, (unsigned)((model_pool_index(m) + 1) % n));
    return KEYS_POOL;
}

static enum keys_answer do_scroll(struct model *m, int key)
{
    static const struct {
        int key, lines;
    } moves[] = {{KEYS_UP, -1},
                 {'k', -1},
                 {KEYS_DOWN, 1},
                 {'j', 1},
                 {KEYS_PAGE_UP, -PAGE_LINES},
                 {KEYS_PAGE_DOWN, PAGE_LINES}};
    int lines = 0, scroll = (int)m->scroll, all = 0;
    for (size_t i = 0; i < sizeof moves / sizeof *moves; i++)
        if (moves[i].key == key)
            lines = moves[i].lines;
    for (size_t i = 0; m->stats && i < m->stats->n_worker; i++)
        all += 1 + (int)m->stats->worker[i]->n_job;
    scroll += lines;
    m->scroll = (unsigned)(scroll < 0 ? 0 : scroll > all ? all : scroll);
    return KEYS_REDRAW;
}

static enum keys_answer do_help(struct model *m, int key)
{
    (void)key;
    m->page = m->page == PAGE_HELP ? PAGE_MAIN : PAGE_HELP;
    return KEYS_REDRAW;
}

static enum keys_answer do_back(struct model *m, int key)
{
    (void)key;
    m->page = PAGE_MAIN;
    return KEYS_REDRAW;
}

static enum keys_answer do_quit(struct model *m, int key)
{
    (void)m;
    (void)key;
    return KEYS_QUIT;
}

const struct key_row keys_rows[] = {
    {{'H'}, "H", "heat", "heat up: keep workers' slots warm for a while", do_heat},
    {{KEYS_TAB, 'p'}, "Tab", "pool", "choose the next pool", do_pool},
    {{'h', '?'}, "h", "help", "this page", do_help},
    {{KEYS_ESCAPE}, "Esc", "", "back", do_back},
    {{'q', 'Q'}, "q", "quit", "leave; the queue goes on", do_quit},
    {{KEYS_UP, KEYS_DOWN, KEYS_PAGE_UP},
     "Up Down",
     "scroll",
     "scroll the workers (also j, k)",
     do_scroll},
    {{'j', 'k', KEYS_PAGE_DOWN}, "PgUp PgDn", "", "scroll a page", do_scroll},
};

const size_t keys_rows_n = sizeof keys_rows / sizeof *keys_rows;

/* Reads the form; false with form.fault set when something in it is no value. */
static bool form_read(struct form *f, struct keys_heat *ret)
{
    char *end;
    unsigned long slots = strtoul(f->text[FIELD_SLOTS], &end, 10);
    if (!*f->text[FIELD_SLOTS] || *end || slots > SLOTS_MAX) {
        snprintf(f->fault, sizeof f->fault, "slots is a number from 0 to %d", SLOTS_MAX);
        f->field = FIELD_SLOTS;
        return false;
    }
    uint64_t for_ms = 0;
    if (slots && (text_duration_parse(f->text[FIELD_FOR], &for_ms) || !for_ms)) {
        snprintf(f->fault, sizeof f->fault, "say how long, as 90s, 30m or 2h");
        f->field = FIELD_FOR;
        return false;
    }
    *ret = (struct keys_heat){(uint32_t)slots, for_ms};
    return true;
}

struct keys_heat keys_heat(const struct model *m)
{
    struct form copy = m->form;
    struct keys_heat heat = {0};
    bool ok = form_read(&copy, &heat);
    assert(ok && "asked after KEYS_HEAT only");
    (void)ok;
    return heat;
}

static enum keys_answer form_edit(struct form *f, int key)
{
    char *text = f->text[f->field];
    size_t n = strlen(text);
    bool fits = key > 0 && key < 128 && (isdigit(key) || (f->field == FIELD_FOR && islower(key)));
    if (key == KEYS_ERASE && n)
        text[n - 1] = 0;
    else if (fits && n < FORM_TEXT_LEN)
        text[n] = (char)key;
    else
        return KEYS_IGNORED;
    f->fault[0] = 0;
    return KEYS_REDRAW;
}

static enum keys_answer form_handle(struct model *m, int key)
{
    struct form *f = &m->form;
    struct keys_heat heat;
    if (key == KEYS_ESCAPE) {
        f->is_open = false;
        return KEYS_REDRAW;
    }
    if (key == KEYS_TAB || key == KEYS_DOWN || key == KEYS_UP) {
        f->field = f->field == FIELD_SLOTS ? FIELD_FOR : FIELD_SLOTS;
        return KEYS_REDRAW;
    }
    if (key != KEYS_ENTER)
        return form_edit(f, key);
    if (!form_read(f, &heat))
        return KEYS_REDRAW;
    f->is_open = false;
    return KEYS_HEAT;
}

enum keys_answer keys_handle(struct model *m, int key)
{
    m->note[0] = 0;
    if (m->form.is_open)
        return form_handle(m, key);
    for (size_t i = 0; i < keys_rows_n; i++)
        for (size_t k = 0; k < sizeof keys_rows[i].keys / sizeof *keys_rows[i].keys; k++)
            if (key && keys_rows[i].keys[k] == key)
                return keys_rows[i].deed(m, key);
    return KEYS_IGNORED;
}
