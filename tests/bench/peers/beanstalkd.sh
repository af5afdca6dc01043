#!/bin/bash
# beanstalkd beside us: starts one with its log on the current folder's disk and loads it.
#
#   beanstalkd.sh LOAD SECONDS SCENARIO...     one line of JSON for each scenario
#
# LOAD is the built beanstalk-load; scenarios are publish, cycle and idle. -f0 makes beanstalkd flush
# before each answer, which is the durability that rotad gives; FSYNC_MS=50 measures its own default,
# which loses acknowledged jobs when the power goes. It listens on a unix socket, as rotad does here.
# Every scenario has a fresh beanstalkd. Needs Debian's package beanstalkd.
set -euo pipefail

load=$1
seconds=$2
shift 2
dir=$(mktemp -d "$PWD/beanstalkd-XXXXXX")
socket_dir=$(mktemp -d)
socket=$socket_dir/beanstalkd.sock
pid=

stop() {
  [ -n "$pid" ] || return 0
  kill "$pid" 2>/dev/null || true
  wait "$pid" 2>/dev/null || true
  pid=
}
trap 'stop; rm -rf "$dir" "$socket_dir"' EXIT
trap 'exit 130' INT TERM HUP

if [ "$(stat -f -c %T "$dir")" = tmpfs ]; then
  echo "beanstalkd.sh: the current folder lies in memory, where a flush costs nothing" >&2
  exit 78
fi

for scenario in "$@"; do
  mkdir "$dir/log"
  beanstalkd -l "unix:$socket" -b "$dir/log" -f "${FSYNC_MS:-0}" 2>"$dir/messages" &
  pid=$!
  "$load" "$scenario" --socket "$socket" --data "$dir" --seconds "$seconds" --json || {
    cat "$dir/messages" >&2
    exit 69
  }
  stop
  rm -rf "$dir/log" "$socket"
done
