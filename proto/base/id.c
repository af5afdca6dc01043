/* id.c: layout: ms(6) | 0x7 counter-high(12 bits) | 0b10 counter-low(14 bits, then) random(6
 * bytes).
 *
 * The 26-bit counter starts at 0 for each new millisecond and is what makes two ids of one
 * millisecond rise; should it run over, the id borrows the next millisecond. */
#include "base/id.h"

#include "base/bytes.h"

static const char alphabet[] = "0123456789abcdefghjkmnpqrstvwxyz";

enum { COUNTER_MAX = (1 << 26) - 1 };

char *job_id_text(struct job_id id, char text[JOB_ID_TEXT_LEN + 1])
{
    uint64_t hi = get_be64(id.b), lo = get_be64(id.b + 8);
    memcpy(text, "job_", 4);
    for (int i = 25; i >= 0; i--) {
        text[4 + i] = alphabet[lo & 31];
        lo = lo >> 5 | hi << 59;
        hi >>= 5;
    }
    text[JOB_ID_TEXT_LEN] = 0;
    return text;
}

int job_id_parse(const char *text, struct job_id *ret_id)
{
    if (strlen(text) != JOB_ID_TEXT_LEN || memcmp(text, "job_", 4) != 0 || text[4] > '7')
        return JOB_ID_INVALID;
    uint64_t hi = 0, lo = 0;
    for (const char *p = text + 4; *p; p++) {
        const char *digit = strchr(alphabet, *p);
        if (!digit)
            return JOB_ID_INVALID;
        hi = hi << 5 | lo >> 59;
        lo = lo << 5 | (uint64_t)(digit - alphabet);
    }
    put_be64(ret_id->b, hi);
    put_be64(ret_id->b + 8, lo);
    return 0;
}

uint64_t job_id_ms(struct job_id id)
{
    return get_be64(id.b) >> 16;
}

struct job_id job_id_next(struct job_id last, uint64_t wall_ms, const uint8_t random[6])
{
    uint64_t ms = job_id_ms(last);
    uint32_t counter =
        (uint32_t)(get_be16(last.b + 6) & 0xfff) << 14 | (uint32_t)(get_be16(last.b + 8) & 0x3fff);
    if (wall_ms > ms) {
        ms = wall_ms;
        counter = 0;
    } else if (counter == COUNTER_MAX) {
        ms++;
        counter = 0;
    } else {
        counter++;
    }
    struct job_id id;
    put_be64(id.b, ms << 16 | 0x7000 | counter >> 14);
    put_be16(id.b + 8, (uint16_t)(0x8000 | (counter & 0x3fff)));
    memcpy(id.b + 10, random, 6);
    return id;
}
