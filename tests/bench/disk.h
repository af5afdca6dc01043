/* disk.h: what the disk under a folder says: is it one, and how often has it been flushed? */
#pragma once

#include <base/err.h>
#include <stdbool.h>
#include <stdint.h>

/* False for tmpfs, where a flush costs nothing and a figure says nothing. */
bool disk_is_real(const char *path);

/* Flushes that the block device has completed since boot, by whomever: the sixteenth number of its
 * stat file. 0 when the folder lies on no block device that counts. */
uint64_t disk_flushes(const char *path);

/* Bytes that the tree takes on the disk. */
uint64_t disk_bytes(const char *path);

/* Removes a tree; links are not followed. */
MUST_USE int disk_remove(const char *path);
