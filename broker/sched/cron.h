/* cron.h: times that repeat, as crontab(5) writes them, in UTC.
 *
 * Five fields with blanks between them:
 *
 *     minute 0-59   hour 0-23   day of month 1-31   month 1-12   day of week 0-7 (0 and 7: Sunday)
 *
 * A field is a list of parts with commas: *, a number, a range 1-5, and a range or * with a step,
 * 10-40/5. Months and days of the week may be named by their first three letters, in ranges too; a
 * range that ends on Sunday may say sun (fri-sun). Or one word in place of all: @hourly, @daily,
 * @weekly, @monthly, @yearly. Capitals do not matter.
 *
 * Days, as in Vixie cron: when both day fields are restricted, that is, neither begins with a *, a
 * day that matches either of them counts. Otherwise it must match both. Months without the day
 * asked for are passed over: "0 0 31 * *" runs seven times a year. There is no summer time in UTC,
 * so no time comes twice or not at all. Pure; nothing is allocated. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum { CRON_FIELDS = 5 };

struct cron {
    uint64_t set[CRON_FIELDS]; /* bit v: value v counts; Sunday is bit 0 */
    bool either_day;           /* both day fields are restricted */
};

enum cron_outcome {
    CRON_NEVER = 1,  /* no time matches any more, as "0 0 30 2 *" */
    CRON_FIELDS_FEW, /* fewer than five fields */
    CRON_FIELDS_MANY,
    CRON_WORD,      /* an @word that is none */
    CRON_SYNTAX,    /* neither number nor name nor * where one is due */
    CRON_RANGE,     /* a number beyond the field's */
    CRON_BACKWARDS, /* a range that ends before it begins */
    CRON_STEP,      /* a step of 0, beyond the field's, or without a range or * before it */
};

/* What is wrong, in words for whoever wrote it; NULL for 0. Static. */
const char *cron_wrong(int outcome);
/* "minute", "hour", ...; `field` is 0..4. Static. */
const char *cron_field_name(unsigned field);

/* 0, or what is wrong (never CRON_NEVER). Then *ret_field says in which field, 0..4; CRON_FIELDS
 * when it is none of them. *ret_cron is only written on 0, *ret_field only otherwise. */
int cron_parse(const char *text, struct cron *ret_cron, unsigned *ret_field);

/* The first full minute after `after_ms` (Unix ms, itself excluded) that matches. CRON_NEVER: none
 * within the 41 years after it, and so none at all. */
int cron_next(const struct cron *c, uint64_t after_ms, uint64_t *ret_ms);
