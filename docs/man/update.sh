#!/usr/bin/env bash
# update.sh: writes into the manual what the programs themselves tell: the commands of rota and the options of all of
# them. With --check it only says whether they are the same, and has scdoc read every page.
#   docs/man/update.sh [--check] ROTA ROTAD ROTA-WORKER ROTA-BENCH
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
check=0
if [ "${1:-}" = --check ]; then check=1 && shift; fi
[ $# = 4 ] || { echo "usage: docs/man/update.sh [--check] ROTA ROTAD ROTA-WORKER ROTA-BENCH"; exit 2; }
rota=$1 rotad=$2 worker=$3 bench=$4

# The options in a --help, as scdoc: "  --name META  text" becomes a term and its paragraph.
options() {
  "$@" --help | awk '
    function clean(s) { gsub(/[_*\\#~<>`]/, "\\\\&", s); return s }
    /^  --/ && !/^  --(help|version) / {
      line = substr($0, 3)
      at = match(line, /  +/)
      text = substr(line, at + RLENGTH)
      n = split(substr(line, 1, at - 1), word, " ")
      printf "*%s*%s\n\t%s\n\n", word[1], (n > 1 ? " _" word[2] "_" : ""), clean(text)
    }'
}

# fill PAGE NAME COMMAND...: puts what the command prints between the page's marks of that name; with --check compares.
differs=0
fill() {
  local page=$here/$1 mark="; $2" said new
  shift 2
  said=$("$@") || { echo "$* failed"; exit 1; }
  if [ -z "$said" ] || ! grep -q "^$mark: end" "$page"; then
    echo "nothing for \"$mark\" in $page"
    exit 1
  fi
  new=$(mktemp)
  {
    sed "/^$mark: begin/q" "$page"
    printf '%s\n\n' "$said"
    sed -n "/^$mark: end/,\$p" "$page"
  } >"$new"
  if [ "$check" = 0 ]; then
    cat "$new" >"$page"
  else
    diff -u "$page" "$new" || { echo "$page differs from the program: run docs/man/update.sh"; differs=1; }
  fi
  rm -f "$new"
}

fill rota.1.scd commands "$rota" help --manual
fill rotad.1.scd init options "$rotad" init
fill rotad.1.scd options options "$rotad"
fill rota-worker.1.scd options options "$worker"
fill rota-bench.1.scd options options "$bench"
[ "$check" = 1 ] || exit 0
[ "$differs" = 0 ] || exit 1
pages=("$here"/*.scd)
for page in "${pages[@]}"; do scdoc <"$page" >/dev/null; done
echo "$(grep -c '^## rota ' "$here/rota.1.scd") commands and $(cat "$here"/*.1.scd | grep -c '^\*--') options stand in" \
  "${#pages[@]} pages as in the programs"
