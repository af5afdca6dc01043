/* broker_group.h: one rotad for all tests of a program, from the group's beginning to its end. */
#pragma once

#include "broker_kit.h"

/* Runs from group_up() to group_down(). */
extern struct rig rig;

/* Before the group: `program` is the path of rotad. */
void group_init(const char *program);

/* Setup and teardown of a cmocka group; the group fails when rotad does not end with 0. */
int group_up(void **state);
int group_down(void **state);
