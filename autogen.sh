#!/bin/sh
# Makes ./configure. Needed once after a clone; make redoes what changes later.
set -eu
cd "$(dirname "$0")"

for tool in autoreconf automake libtoolize pkg-config; do
    command -v "$tool" >/dev/null || {
        echo "autogen.sh: $tool is missing; install autoconf, automake, libtool and pkg-config" >&2
        exit 1
    }
done
autoreconf --install --warnings=all,no-portability "$@"
