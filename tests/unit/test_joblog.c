/* test_joblog.c: a build never waits for its log, whatever the broker does, and no byte goes
 * missing in silence: what arrives and what is announced as dropped add up to what was written. */
#undef NDEBUG
#include "joblog.h"

#include "text.h"

#include <assert.h>
#include <base/clock.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct {
    pthread_mutex_t lock;
    size_t bytes, dropped, chunks, largest;
    bool is_stuck;
    int answer;
    char last[128]; /* the end of the newest chunk */
} broker = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void broker_reset(void)
{
    pthread_mutex_lock(&broker.lock);
    broker.bytes = broker.dropped = broker.chunks = broker.largest = 0;
    broker.is_stuck = false;
    broker.answer = 0;
    pthread_mutex_unlock(&broker.lock);
}

static void stuck_set(bool is_stuck)
{
    pthread_mutex_lock(&broker.lock);
    broker.is_stuck = is_stuck;
    pthread_mutex_unlock(&broker.lock);
}

static size_t broker_bytes(void)
{
    pthread_mutex_lock(&broker.lock);
    size_t n = broker.bytes;
    pthread_mutex_unlock(&broker.lock);
    return n;
}

/* Counts; takes the note about dropped bytes out of the count. */
static int receive(void *arg, const void *p, size_t n)
{
    pthread_mutex_lock(&broker.lock);
    while (broker.is_stuck) {
        pthread_mutex_unlock(&broker.lock);
        poll(NULL, 0, 5);
        pthread_mutex_lock(&broker.lock);
    }
    unsigned long long dropped = 0;
    int note = 0;
    char head[96] = "";
    memcpy(head, p, n < sizeof head - 1 ? n : sizeof head - 1);
    if (sscanf(head, "[rota-worker: %llu bytes of log dropped]%n", &dropped, &note) == 1 &&
        note > 0)
        note++; /* its newline */
    broker.dropped += dropped;
    broker.bytes += n - (size_t)note;
    size_t end = n < sizeof broker.last - 1 ? n : sizeof broker.last - 1;
    memcpy(broker.last, (const char *)p + n - end, end);
    broker.last[end] = '\0';
    broker.chunks++;
    broker.largest = n > broker.largest ? n : broker.largest;
    int answer = broker.answer;
    pthread_mutex_unlock(&broker.lock);
    return answer;
}

static void small_writes_are_gathered(void **state)
{
    broker_reset();
    AUTO(joblog) l = NULL;
    assert_int_equal(joblog_new(receive, NULL, JOBLOG_JOB_BYTES_MAX, &l), 0);
    for (int i = 0; i < 500; i++) {
        joblog_append(l, "ten bytes\n", 10);
        poll(NULL, 0, 1);
    }
    joblog_finish(l);
    assert_int_equal(broker.bytes, 5000);
    printf("500 small writes: %zu messages\n", broker.chunks);
    assert_true(broker.chunks <= 10);
}

static void a_stuck_broker_never_blocks_and_every_byte_is_accounted_for(void **state)
{
    broker_reset();
    AUTO(joblog) l = NULL;
    assert_int_equal(joblog_new(receive, NULL, JOBLOG_JOB_BYTES_MAX, &l), 0);
    static char piece[4096];
    memset(piece, 'x', sizeof piece);
    stuck_set(true);
    uint64_t began_ms = clock_boot_ms();
    size_t written = 0;
    for (int i = 0; i < 1000; i++, written += sizeof piece)
        joblog_append(l, piece, sizeof piece);
    uint64_t ms = clock_boot_ms() - began_ms;
    stuck_set(false);
    joblog_finish(l);
    printf("stuck broker: %zu written in %llu ms, %zu arrived, %zu announced as dropped, largest "
           "chunk %zu\n",
           written, (unsigned long long)ms, broker.bytes, broker.dropped, broker.largest);
    assert_true(ms < 1000);
    assert_int_equal(broker.bytes + broker.dropped, written);
    assert_true(broker.dropped > 0);
    assert_true(broker.largest <= JOBLOG_CHUNK_BYTES);
}

static void one_piece_larger_than_the_ring_keeps_its_end(void **state)
{
    broker_reset();
    AUTO(joblog) l = NULL;
    static char piece[3ul * JOBLOG_BYTES];
    assert_int_equal(joblog_new(receive, NULL, JOBLOG_JOB_BYTES_MAX, &l), 0);
    joblog_append(l, piece, sizeof piece);
    joblog_finish(l);
    assert_int_equal(broker.bytes, JOBLOG_BYTES);
    assert_int_equal(broker.dropped, sizeof piece - JOBLOG_BYTES);
}

static void a_refused_log_is_dropped_and_ends(void **state)
{
    broker_reset();
    broker.answer = 1;
    AUTO(joblog) l = NULL;
    assert_int_equal(joblog_new(receive, NULL, JOBLOG_JOB_BYTES_MAX, &l), 0);
    static char piece[JOBLOG_CHUNK_BYTES];
    for (int i = 0; i < 5; i++)
        joblog_append(l, piece, sizeof piece);
    uint64_t began_ms = clock_boot_ms();
    joblog_finish(l);
    assert_int_equal(broker.chunks, 1);
    assert_true(clock_boot_ms() - began_ms < 1000);
}

/* Whatever a job says, its log ends; and the number in its last line is the rest. */
static void a_log_without_end_is_cut_and_says_so(void **state)
{
    enum { MOST = 300 * 1024 };
    broker_reset();
    AUTO(joblog) l = NULL;
    static char piece[64 * 1024];
    memset(piece, 'x', sizeof piece);
    assert_int_equal(joblog_new(receive, NULL, MOST, &l), 0);
    size_t written = 0;
    for (; broker_bytes() < MOST; written += sizeof piece) {
        joblog_append(l, piece, sizeof piece);
        poll(NULL, 0, 5);
    }
    size_t more = 10 * sizeof piece;
    for (int i = 0; i < 10; i++)
        joblog_append(l, piece, sizeof piece);
    joblog_finish(l);
    unsigned long long left_out = 0;
    const char *note = strstr(broker.last, "\n[rota-worker: the log was cut here: ");
    assert_non_null(note);
    assert_int_equal(
        sscanf(note, "%*[^:]: the log was cut here: %llu bytes more were left out]\n", &left_out),
        1);
    printf("bound of %d: %zu written, %zu sent, %zu dropped, %llu left out\n", MOST, written + more,
           broker.bytes - strlen(note), broker.dropped, left_out);
    assert_int_equal(broker.bytes - strlen(note), MOST);
    assert_int_equal(MOST + broker.dropped + left_out, written + more);
}

/* Exactly the bound is no flood. */
static void a_log_that_just_fits_is_not_cut(void **state)
{
    broker_reset();
    AUTO(joblog) l = NULL;
    assert_int_equal(joblog_new(receive, NULL, 10, &l), 0);
    joblog_append(l, "ten bytes\n", 10);
    joblog_finish(l);
    assert_int_equal(broker.bytes, 10);
    assert_string_equal(broker.last, "ten bytes\n");
}

/* One row a way to fool a reader or his terminal: what must not be left of it. */
static void no_text_turns_the_direction_of_writing(void **state)
{
    static const char *const marks[] = {
        "\xd8\x9c",     "\xe2\x80\x8e", "\xe2\x80\x8f", "\xe2\x80\xa8", "\xe2\x80\xa9",
        "\xe2\x80\xaa", "\xe2\x80\xab", "\xe2\x80\xac", "\xe2\x80\xad", "\xe2\x80\xae",
        "\xe2\x81\xa6", "\xe2\x81\xa7", "\xe2\x81\xa8", "\xe2\x81\xa9",
    };
    char from[16], to[16];
    for (size_t i = 0; i < ARRAY_LEN(marks); i++) {
        snprintf(from, sizeof from, "a%sb", marks[i]);
        text_clean(from, to, sizeof to);
        assert_string_equal(to, "a?b");
    }
    text_clean("\xe2\x80\x99 \xe2\x80\x8d \xd7\x90", to, sizeof to); /* quote, joiner, alef stay */
    assert_string_equal(to, "\xe2\x80\x99 \xe2\x80\x8d \xd7\x90");
    printf("%zu of %zu marks of direction become ?\n", ARRAY_LEN(marks), ARRAY_LEN(marks));
}

static void foreign_text_becomes_fit_for_the_wire(void **state)
{
    static const struct {
        const char *from, *clean, *word;
    } row[] = {
        {"plain", "plain", "plain"},
        {"tab\tand\nline", "tab and line", "tab-and-line"},
        {"gr\xc3\xbc\xc3\x9f", "gr\xc3\xbc\xc3\x9f", "gr----"},
        {"bad\xff\xc3", "bad??", "bad--"},
        {"\xed\xa0\x80 \xc0\xaf", "??? ??", ""},
        {"\xf0\x9f\x98\x80!", "\xf0\x9f\x98\x80!", ""},
        {"-._x", "-._x", "x"},
        {"", "", ""},
    };
    char to[64];
    for (size_t i = 0; i < ARRAY_LEN(row); i++) {
        text_clean(row[i].from, to, sizeof to);
        assert_string_equal(to, row[i].clean);
        text_word(row[i].from, to, sizeof to);
        assert_string_equal(to, row[i].word);
    }
    text_clean("ab\xc3\xbc", to, 4); /* never half a character */
    assert_string_equal(to, "ab");
}

__attribute__((format(printf, 2, 3))) static size_t line_of(char line[TEXT_LINE_MAX],
                                                            const char *format, ...)
{
    va_list args;
    va_start(args, format);
    size_t n = text_line(line, format, args);
    va_end(args);
    return n;
}

/* Whatever is said, it ends its line: what follows in the log must not stick to it. */
static void a_line_of_the_log_ends_even_when_it_is_cut(void **state)
{
    (void)state;
    char line[TEXT_LINE_MAX];
    assert_int_equal(line_of(line, "source: %d bytes", 4711), 19);
    assert_memory_equal(line, "source: 4711 bytes\n", 19);
    assert_int_equal(line_of(line, "%s", ""), 1);
    assert_int_equal(line[0], '\n');
    for (int width = TEXT_LINE_MAX - 2; width <= TEXT_LINE_MAX + 2; width++) {
        size_t n = line_of(line, "%0*d", width, 7);
        assert_int_equal(n, width < TEXT_LINE_MAX ? width + 1 : TEXT_LINE_MAX);
        assert_int_equal(line[n - 1], '\n');
        assert_int_equal(line[n - 2], width < TEXT_LINE_MAX ? '7' : '0');
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(small_writes_are_gathered),
        cmocka_unit_test(a_stuck_broker_never_blocks_and_every_byte_is_accounted_for),
        cmocka_unit_test(one_piece_larger_than_the_ring_keeps_its_end),
        cmocka_unit_test(a_refused_log_is_dropped_and_ends),
        cmocka_unit_test(a_log_without_end_is_cut_and_says_so),
        cmocka_unit_test(a_log_that_just_fits_is_not_cut),
        cmocka_unit_test(no_text_turns_the_direction_of_writing),
        cmocka_unit_test(foreign_text_becomes_fit_for_the_wire),
        cmocka_unit_test(a_line_of_the_log_ends_even_when_it_is_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
