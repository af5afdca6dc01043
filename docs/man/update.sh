#!/usr/bin/env bash
# update.sh: writes the commands into rota.1.scd, as the program itself tells them; with --check it only says whether they
# are the same.
#   docs/man/update.sh [--check] ROTA
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
check=0
if [ "${1:-}" = --check ]; then check=1 && shift; fi
rota=${1:?usage: docs/man/update.sh [--check] ROTA}

new=$(mktemp)
trap 'rm -f "$new"' EXIT
{
  sed '/^; commands: begin/q' "$here/rota.1.scd"
  "$rota" help --manual
  sed -n '/^; commands: end/,$p' "$here/rota.1.scd"
} >"$new"

if [ "$check" = 0 ]; then
  cat "$new" >"$here/rota.1.scd"
  exit 0
fi
diff -u "$here/rota.1.scd" "$new" || { echo "rota.1.scd differs from the command table: run docs/man/update.sh ROTA"; exit 1; }
scdoc <"$here/rota.1.scd" >/dev/null
echo "$(grep -c '^## rota ' "$new") commands and $(grep -c '^\*--' "$new") options stand in the manual as in the program"
