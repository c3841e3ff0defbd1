#!/usr/bin/env bash
# Two versions in one cluster: builds an older commit beside this one, starts a cluster of it, and replaces its members
# one by one with this version and back, while the schedule ticks. The status is 0 only if no run was lost, doubled or
# ended by it.
#
#     deploy/upgrade-test.sh COMMIT
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source=deploy/install-packages.sh
. "$root/deploy/install-packages.sh"

usage="usage: deploy/upgrade-test.sh COMMIT"
[ $# -eq 1 ] || { say "$usage" && exit 2; }
[ "$1" != --help ] || { printf '%s\n' "$usage" && exit 0; }
cd "$root"
commit=$(git rev-parse --verify --quiet "$1^{commit}") || { say "there is no commit '$1'" && exit 2; }

install_missing "${build_packages[@]}" "${run_packages[@]}" "${test_packages[@]}"
require_swift
older=$root/.build/older/$commit
mkdir -p "$older"
git archive "$commit" | tar -x -C "$older"
say "building $commit and this version (the first time this takes some minutes)"
quietly "$root/.build/upgrade-build.log" swift build --package-path "$older" --product carillon
quietly "$root/.build/upgrade-build.log" swift build --build-tests
CARILLON_OLDER_EXECUTABLE=$older/.build/debug/carillon \
    exec swift test --skip-build --disable-xctest --filter 'EndToEndTests.EndToEnd/UpgradeTests'
