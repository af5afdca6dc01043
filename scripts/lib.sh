# shellcheck shell=bash
# lib.sh: what the scripts share; sourced. Stops on the first error, works from the top of the tree.
set -euo pipefail
top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$top"

say() { printf '%s\n' "$*" >&2; }
step() { printf '\n== %s\n' "$*" >&2; }

# need TOOL...: a missing tool is a failure, never a skipped check.
need() {
  local tool missing=0
  for tool in "$@"; do
    command -v "$tool" >/dev/null 2>&1 || { say "missing: $tool (scripts/setup --dev installs it)"; missing=1; }
  done
  [ "$missing" = 0 ] || exit 69
}

# The toolchain that scripts/setup brought, where the machine's own Node is too old or absent.
toolchain="$top/.cache/toolchain"
if [ -x "$toolchain/node_modules/node/bin/node" ]; then
  export ROTA_NODE="$toolchain/node_modules/node/bin/node"
  export PATH="$toolchain/node_modules/node/bin:$toolchain/node_modules/.bin:$PATH"
fi
[ ! -d "$toolchain/nodes" ] || export ROTA_NODES="$toolchain/nodes"
[ ! -d "$toolchain/managers" ] || export ROTA_MANAGERS="$toolchain/managers"

# build DIR [MESON OPTION...]: configures when needed, then compiles.
build() {
  local dir=$1
  shift
  if [ ! -f "$dir/build.ninja" ]; then
    meson setup "$dir" "$@" >&2
  elif [ $# -gt 0 ]; then
    meson configure "$dir" "$@" >&2
  fi
  ninja -C "$dir" >&2
}
