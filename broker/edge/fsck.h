/* fsck.h: `rotad fsck`: is every row of a database what was written, and does it all belong
 * together? Reads only; the broker must be down, since it holds the database. */
#pragma once

int fsck_main(int argc, char **argv);
