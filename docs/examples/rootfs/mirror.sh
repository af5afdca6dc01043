#!/bin/sh
# mirror.sh: fills a folder with Debian packages and all that they depend on, out of this machine's own apt sources:
# the only place that the runner `rootfs` takes anything from. Run it as the operator, now and then.
#   mirror.sh FOLDER PACKAGE...
set -eu
[ $# -ge 2 ] || { sed -n '2,4s/^# \{0,1\}//p' "$0" >&2; exit 2; }
folder=$1
shift
. /etc/os-release
mkdir -p "$folder/$VERSION_CODENAME"
cd "$folder/$VERSION_CODENAME"
names=$(apt-cache depends --recurse --no-recommends --no-suggests --no-conflicts --no-breaks --no-replaces \
  --no-enhances "$@" | grep '^[a-z0-9]' | grep -v : | sort -u)
for name in $names; do
  # A virtual package has no file of its own; one that provides it is in the list as well.
  apt-cache show --no-all-versions "$name" >/dev/null 2>&1 || continue
  ls "${name}"_*.deb >/dev/null 2>&1 || apt-get -o APT::Sandbox::User=root download -qq "$name"
done
set -- ./*.deb
echo "$# packages in $folder/$VERSION_CODENAME"
