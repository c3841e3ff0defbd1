#!/usr/bin/env bash
# Carillon on this machine with one command: installs the Debian packages that are missing, builds, and starts
# `carillon dev` (a private PostgreSQL, a scheduler node, a worker). Options go to `carillon dev`:
#
#     deploy/dev.sh --nodes 3 --workers 2
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source=deploy/install-packages.sh
. "$root/deploy/install-packages.sh"

install_missing "${build_packages[@]}" "${run_packages[@]}"
require_swift

mkdir -p "$root/.build"
say "building (the first time this takes some minutes)"
quietly "$root/.build/dev-build.log" swift build --package-path "$root" -c release --product carillon

exec "$root/.build/release/carillon" dev "$@"
