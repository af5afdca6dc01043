/* fuzz_wire.c: feeds any bytes to wire_check() and asks that what it lets through can be unpacked,
 * and that wire_peek() never reads past the end. For libFuzzer: clang -g
 * -fsanitize=fuzzer,address,undefined fuzz_wire.c … -o fuzz_wire Without libFuzzer, FUZZ_MAIN makes
 * a program that runs on the files named on its command line.   */
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
int main(int argc, char **argv)
{
    static uint8_t data[WIRE_BYTES_MAX + 1];
    for (int i = 1; i < argc; i++) {
        FILE *from = fopen(argv[i], "rb");
        if (!from)
            return 1;
        size_t n = fread(data, 1, sizeof data, from);
        fclose(from);
        LLVMFuzzerTestOneInput(data, n);
    }
    printf("%d inputs\n", argc - 1);
    return 0;
}
#endif
