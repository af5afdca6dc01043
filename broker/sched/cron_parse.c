/* cron_parse.c: text to five sets of bits. One reader walks the text; each function takes what is
 * its own and leaves the reader behind it. */
#include "sched/cron.h"

#include <assert.h>
#include <stddef.h>
#include <string.h>
#include <strings.h>

enum { MONTH = 3, WEEKDAY = 4, NAME_LEN = 3, DIGITS_MAX = 3 };

static const struct field {
    const char *name;
    unsigned min, max;
    const char *names; /* three letters each, the first one for `first_named`; NULL: none */
    unsigned first_named;
} fields[CRON_FIELDS] = {
    {"minute", 0, 59, NULL, 0},
    {"hour", 0, 23, NULL, 0},
    {"day of month", 1, 31, NULL, 0},
    {"month", 1, 12, "janfebmaraprmayjunjulaugsepoctnovdec", 1},
    {"day of week", 0, 7, "sunmontuewedthufrisat", 0},
};

static const struct {
    const char *word, *means;
} words[] = {
    {"@hourly", "0 * * * *"},  {"@daily", "0 0 * * *"},  {"@weekly", "0 0 * * 0"},
    {"@monthly", "0 0 1 * *"}, {"@yearly", "0 0 1 1 *"},
};

static const char *const wrong[] = {
    [CRON_NEVER] = "this time never comes",
    [CRON_FIELDS_FEW] = "fewer than five fields",
    [CRON_FIELDS_MANY] = "more than five fields",
    [CRON_WORD] = "an unknown @word; known are @hourly, @daily, @weekly, @monthly, @yearly",
    [CRON_SYNTAX] = "a number, a name or * is missing",
    [CRON_RANGE] = "a number is out of range",
    [CRON_BACKWARDS] = "a range ends before it begins",
    [CRON_STEP] = "a step follows * or a range, is above 0 and within the field",
};

const char *cron_wrong(int outcome)
{
    assert(outcome >= 0 && outcome <= CRON_STEP);
    return wrong[outcome];
}

const char *cron_field_name(unsigned field)
{
    assert(field < CRON_FIELDS);
    return fields[field].name;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Digits beyond what any field can need count as out of range, so nothing can overflow. */
static int take_digits(const char **at, unsigned *ret_value)
{
    unsigned value = 0, digits = 0;
    if (!is_digit(**at))
        return CRON_SYNTAX;
    for (; is_digit(**at); (*at)++) {
        if (++digits > DIGITS_MAX)
            return CRON_RANGE;
        value = value * 10 + (unsigned)(**at - '0');
    }
    *ret_value = value;
    return 0;
}

static bool take_name(const char **at, const struct field *f, unsigned *ret_value)
{
    for (size_t i = 0; f->names && f->names[i]; i += NAME_LEN) {
        if (strncasecmp(*at, f->names + i, NAME_LEN) == 0) {
            *at += NAME_LEN;
            *ret_value = f->first_named + (unsigned)(i / NAME_LEN);
            return true;
        }
    }
    return false;
}

static int take_value(const char **at, const struct field *f, unsigned *ret_value)
{
    unsigned value = 0;
    if (!take_name(at, f, &value)) {
        int r = take_digits(at, &value);
        if (r)
            return r;
    }
    if (value < f->min || value > f->max)
        return CRON_RANGE;
    *ret_value = value;
    return 0;
}

/* What stands before the step: *, a value or a range. */
static int take_range(const char **at, const struct field *f, unsigned *ret_low, unsigned *ret_high)
{
    unsigned low = 0, high = 0;
    int r;
    if (**at == '*') {
        (*at)++;
        *ret_low = f->min;
        *ret_high = f->max;
        return 0;
    }
    if ((r = take_value(at, f, &low)) != 0)
        return r;
    high = low;
    if (**at == '-') {
        (*at)++;
        if ((r = take_value(at, f, &high)) != 0)
            return r;
        if (f == &fields[WEEKDAY] && high == 0 && low > 0)
            high = 7; /* fri-sun */
        if (high < low)
            return CRON_BACKWARDS;
    }
    *ret_low = low;
    *ret_high = high;
    return 0;
}

static int take_step(const char **at, const struct field *f, bool may_step, unsigned *ret_step)
{
    unsigned step = 1;
    if (**at == '/') {
        (*at)++;
        int r = take_digits(at, &step);
        if (r == CRON_SYNTAX)
            return r;
        if (r || !may_step || step == 0 || step > f->max)
            return CRON_STEP;
    }
    *ret_step = step;
    return 0;
}

static int take_part(const char **at, const struct field *f, uint64_t *set)
{
    const char *from = *at;
    unsigned low = 0, high = 0, step = 1;
    int r = take_range(at, f, &low, &high);
    if (r)
        return r;
    bool is_range = *from == '*' || memchr(from, '-', (size_t)(*at - from));
    if ((r = take_step(at, f, is_range, &step)) != 0)
        return r;
    for (unsigned v = low; v <= high; v += step)
        *set |= UINT64_C(1) << v;
    return 0;
}

static int take_field(const char **at, const struct field *f, uint64_t *ret_set)
{
    uint64_t set = 0;
    int r = take_part(at, f, &set);
    while (r == 0 && **at == ',') {
        (*at)++;
        r = take_part(at, f, &set);
    }
    if (r)
        return r;
    if (**at && !is_blank(**at))
        return CRON_SYNTAX;
    *ret_set = set;
    return 0;
}

static const char *skip_blanks(const char *at)
{
    while (is_blank(*at))
        at++;
    return at;
}

/* A word is the whole text, blanks around it aside. */
static const char *word_meaning(const char *at)
{
    size_t n = strcspn(at, " \t");
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strlen(words[i].word) == n && strncasecmp(at, words[i].word, n) == 0 &&
            !*skip_blanks(at + n))
            return words[i].means;
    return NULL;
}

int cron_parse(const char *text, struct cron *ret_cron, unsigned *ret_field)
{
    assert(text && ret_cron && ret_field);
    struct cron c = {0};
    bool day_is_star[CRON_FIELDS];
    const char *at = skip_blanks(text);
    if (*at == '@' && !(at = word_meaning(at))) {
        *ret_field = CRON_FIELDS;
        return CRON_WORD;
    }
    for (unsigned i = 0; i < CRON_FIELDS; i++, at = skip_blanks(at)) {
        int r = *at ? 0 : CRON_FIELDS_FEW;
        day_is_star[i] = *at == '*';
        if (r == 0)
            r = take_field(&at, &fields[i], &c.set[i]);
        if (r) {
            *ret_field = r == CRON_FIELDS_FEW ? CRON_FIELDS : i;
            return r;
        }
    }
    if (*at) {
        *ret_field = CRON_FIELDS;
        return CRON_FIELDS_MANY;
    }
    c.set[WEEKDAY] = (c.set[WEEKDAY] | c.set[WEEKDAY] >> 7) & 0x7f;
    c.either_day = !day_is_star[2] && !day_is_star[WEEKDAY];
    *ret_cron = c;
    return 0;
}
