/* lot.c: see lot.h. */
#include "sim/lot.h"

#include "prop/random.h"

#include <sodium.h>

static struct random lot;

static const char *name(void)
{
    return "simulated";
}

static uint32_t word(void)
{
    return (uint32_t)random_next(&lot);
}

static void bytes(void *const p, const size_t n)
{
    for (size_t i = 0; i < n; i++)
        ((uint8_t *)p)[i] = (uint8_t)random_next(&lot);
}

int lot_init(void)
{
    static struct randombytes_implementation source = {
        .implementation_name = name, .random = word, .buf = bytes};
    if (randombytes_set_implementation(&source) != 0)
        return -1;
    return sodium_init() < 0 ? -1 : 0;
}

void lot_begin(uint64_t seed)
{
    lot.state = seed;
}
