/* main.c: rotad: `rotad init …` makes an environment, `rotad fsck …` looks one through, `rotad key
 * rotate …` changes its signing key, anything else serves one. */
#include "edge/fsck.h"
#include "edge/init.h"
#include "edge/key_command.h"
#include "edge/serve.h"

#include <base/exit.h>
#include <base/log.h>
#include <sodium.h>
#include <string.h>

int main(int argc, char **argv)
{
    log_open("rotad");
    if (sodium_init() < 0)
        return EXIT_IO;
    if (argc > 1 && strcmp(argv[1], "init") == 0)
        return init_main(argc - 1, argv + 1);
    if (argc > 1 && strcmp(argv[1], "fsck") == 0)
        return fsck_main(argc - 1, argv + 1);
    if (argc > 1 && strcmp(argv[1], "key") == 0)
        return key_main(argc - 1, argv + 1);
    return serve_main(argc, argv);
}
