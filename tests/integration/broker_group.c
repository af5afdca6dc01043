/* broker_group.c: one rotad for all tests of a program. */
#include "broker_group.h"

#include <signal.h>

struct rig rig;
static const char *rotad;

void group_init(const char *program)
{
    rotad = program;
}

int group_up(void **state)
{
    (void)state;
    rig_init(&rig, rotad);
    rig_start(&rig, NULL);
    return 0;
}

int group_down(void **state)
{
    (void)state;
    int code = rig_stop(&rig, SIGTERM);
    rig_deinit(&rig);
    return code;
}
