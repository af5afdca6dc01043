/* key_command.c: the words around keys_rotate(). */
#include "edge/key_command.h"

#include "edge/keys.h"
#include "edge/settings.h"

#include <base/exit.h>
#include <stdio.h>
#include <string.h>

static int rotate_main(int argc, char **argv)
{
    struct rotate_settings s = {0};
    char old_id[SIGN_KEY_ID_LEN + 1], new_id[SIGN_KEY_ID_LEN + 1], why[300];
    int r = rotate_settings_parse(argc, argv, &s);
    if (r == OPTION_HELP)
        return EXIT_OK;
    if (r)
        return r == OPTION_USAGE ? EXIT_USAGE : EXIT_CONFIG;
    r = keys_rotate(s.data, old_id, new_id);
    if (r < 0) {
        fprintf(stderr, "rotad key rotate: the key could not be changed: %s\n",
                err_trace(why, sizeof why));
        return EXIT_IO;
    }
    if (r > 0)
        return EXIT_CONFIG;
    printf("new signing key %s: %s/keys/sign.pub\n", new_id, s.data);
    printf("old public key  %s: %s/keys/sign.pub.%s\n", old_id, s.data, old_id);
    printf("a broker that runs takes the new key on SIGHUP; hand the new sign.pub to those who "
           "verify\n");
    return EXIT_OK;
}

int key_main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "rotate") == 0)
        return rotate_main(argc - 1, argv + 1);
    fprintf(stderr, "rotad key: say what to do: rotad key rotate --data DIR\n");
    return EXIT_USAGE;
}
