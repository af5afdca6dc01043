#!/bin/sh
# test_install.sh BUILD: shows that a foreign program can use librota as it is installed.
#
# Why it matters: inside the tree every header and symbol is at hand; a header that was not installed,
# an include that only works here or a symbol that the version script hides is seen only outside.
# Installs into a folder of its own, compiles a small program with what pkg-config says, and runs it.
# A sanitized library needs a sanitized program, hence CC and CFLAGS from the build.
set -eu
build=$1
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT

meson install -C "$build" --no-rebuild --quiet --destdir "$dir/root" --tags devel,runtime
pc=$(find "$dir/root" -name rota.pc)
[ -n "$pc" ] || { echo "rota.pc was not installed"; exit 1; }
prefix=$(sed -n 's/^prefix=//p' "$pc")
ask() {
    PKG_CONFIG_PATH=$(dirname "$pc") pkg-config --define-variable=prefix="$dir/root$prefix" "$@" rota
}

cat >"$dir/program.c" <<'C'
#include <rota/client.h>
#include <stdio.h>
#include <string.h>

int main(int argc, char **argv)
{
    struct rota_client_config config = {.url = argv[argc - 1], .environment = "test", .credential = "none"};
    AUTO(rota_client) client = NULL;
    Rota__Ping ping = ROTA__PING__INIT;
    Rota__Request request = ROTA__REQUEST__INIT;
    Rota__Reply *reply;
    request.op_case = ROTA__REQUEST__OP_PING;
    request.ping = &ping;
    if (rota_client_new(&config, &client) < 0 || rota_call(client, &request, 200, &reply) < 0)
        return 1;
    printf("%s: %s\n", reply->error->name, error_row(error_by_name(reply->error->name))->hint);
    int wrong = strcmp(reply->error->name, "UNAVAILABLE") != 0;
    rota_reply_free(reply);
    return wrong;
}
C
# shellcheck disable=SC2046,SC2086 # lists of words
${CC:-cc} ${CFLAGS:-} -std=gnu17 -Wall -Wextra -Werror "$dir/program.c" -o "$dir/program" $(ask --cflags --libs)
LD_LIBRARY_PATH=$(ask --variable=libdir) "$dir/program" "ipc://$dir/nobody"
echo "version $(ask --modversion), $(find "$dir/root$prefix/include/rota" -type f | wc -l) headers installed," \
    "$(nm -D --defined-only "$(ask --variable=libdir)/librota.so" | wc -l) symbols exported"
if nm -D --defined-only "$(ask --variable=libdir)/librota.so" | grep -v -E ' (rota_|error_(row|by_name|fill)|ROTA_0)'; then
    echo "librota exports names that are not its own"
    exit 1
fi
