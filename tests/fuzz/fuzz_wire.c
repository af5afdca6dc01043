/* fuzz_wire.c: feeds any bytes to wire_check() and asks that what it lets through can be unpacked,
 * and that wire_peek() agrees with the unpacker.
 *
 * With libFuzzer: clang -fsanitize=fuzzer,address,undefined. With FUZZ_MAIN it is a program of its
 * own that takes the inputs of wire.hex (found by libFuzzer, one in a line, the first of them a
 * length that wire_check() once let through and protobuf-c refused) and many mutations of each. */
#undef NDEBUG
#include "rota.pb-c.h"
#include "wire.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct wire_fault fault = {.code = E_OK};
    uint32_t tag;
    uint64_t id;
    wire_peek(data, size, &tag, &id);
    if (!wire_check(&rota__request__descriptor, data, size, &fault)) {
        assert(fault.code != E_OK);
        assert(strnlen(fault.text, sizeof fault.text) < sizeof fault.text);
        return 0;
    }
    Rota__Request *request = rota__request__unpack(NULL, size, data);
    assert(request);
    assert((uint32_t)request->op_case == tag && request->request_id == id);
    rota__request__free_unpacked(request, NULL);
    return 0;
}

#ifdef FUZZ_MAIN
enum { INPUT_BYTES_MAX = 4096, MUTATIONS = 2000 };

static uint64_t random_state = 1;

static uint32_t random_next(void)
{
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(random_state >> 33);
}

static size_t line_read(const char *line, uint8_t *to)
{
    size_t n = 0;
    for (unsigned byte; n < INPUT_BYTES_MAX && sscanf(line + 2 * n, "%2x", &byte) == 1; n++)
        to[n] = (uint8_t)byte;
    return n;
}

/* Exact memory, so that ASan sees a byte read too far. */
static void try_copy(const uint8_t *data, size_t n, bool is_mutated)
{
    uint8_t *copy = malloc(n ? n : 1);
    assert(copy);
    memcpy(copy, data, n);
    for (uint32_t k = is_mutated && n ? random_next() % 4 + 1 : 0; k; k--)
        copy[random_next() % n] = (uint8_t)random_next();
    LLVMFuzzerTestOneInput(copy, n);
    free(copy);
}

int main(int argc, char **argv)
{
    static char line[2 * INPUT_BYTES_MAX + 2];
    static uint8_t data[INPUT_BYTES_MAX];
    int inputs = 0;
    FILE *from = fopen(argc > 1 ? argv[1] : "wire.hex", "r");
    assert(from);
    for (; fgets(line, sizeof line, from); inputs++) {
        size_t n = line_read(line, data);
        for (int i = 0; i <= MUTATIONS; i++)
            try_copy(data, n, i > 0);
    }
    fclose(from);
    assert(inputs > 50);
    printf("%d inputs, %d mutations of each\n", inputs, MUTATIONS);
    return 0;
}
#endif
