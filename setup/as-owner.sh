#!/bin/sh
# Runs a command that uses the Docker engine, and as root where this user may not use it:
#   sh setup/as-owner.sh COMMAND [ARGUMENT…]
#
# What it makes in reports/ and in the user's cache stays the user's own: else the next run, without root, could
# write to neither.
set -u

as_whom=$(sh "${0%/*}/host.sh" as-whom)
[ -n "$as_whom" ] || exec "$@"

echo "this user may not use the Docker engine: running with $as_whom"
cache=${XDG_CACHE_HOME:-$HOME/.cache}
# Made by the user, so that the folders above it are the user's too.
mkdir -p "$cache/isocost" reports || exit 2
# A signal ends the command, and what it made is given back all the same.
trap : HUP INT TERM
$as_whom "$@"
code=$?
sudo chown -R "$(id -u):$(id -g)" reports "$cache/isocost" || echo "reports/ and $cache/isocost may belong to root now" >&2
exit $code
