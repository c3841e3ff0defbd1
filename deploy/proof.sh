#!/usr/bin/env bash
# The proof: faults drawn from a seed against a cluster of real processes that this script starts itself, and a table of
# what came of them. The status is 0 only if no run was started twice and no due occurrence is without a verdict.
#
#     deploy/proof.sh [--faults 100] [--seed 1] [--table FILE]
#
# The cluster (three nodes, three workers, a PostgreSQL of its own) is the release build. Where network namespaces may
# be made (as root, usually) each member has one, and hosts are cut off from each other too; nothing of this machine's
# own network is touched. It needs what the tests need; the first time it builds for some minutes.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source=deploy/install-packages.sh
. "$root/deploy/install-packages.sh"

faults=100
seed=1
table=$root/.build/proof.md
usage="usage: deploy/proof.sh [--faults NUMBER] [--seed NUMBER] [--table FILE]"
while [ $# -gt 0 ]; do
    case $1 in
    --help) printf '%s\n' "$usage" && exit 0 ;;
    --faults | --seed | --table) [ $# -ge 2 ] || { say "$usage" && exit 2; } ;;
    *) say "$usage" && exit 2 ;;
    esac
    case $1 in
    --faults) faults=$2 ;;
    --seed) seed=$2 ;;
    --table) table=$2 ;;
    esac
    shift 2
done
case $faults$seed in
'' | *[!0-9]*) say "--faults and --seed take a number" && exit 2 ;;
esac
[ "$faults" -ge 1 ] || { say "--faults: at least 1" && exit 2; }

install_missing "${build_packages[@]}" "${run_packages[@]}" "${test_packages[@]}"
require_swift
mkdir -p "$root/.build"
cd "$root"
say "building (the first time this takes some minutes)"
quietly "$root/.build/proof-build.log" swift build -c release --product carillon
quietly "$root/.build/proof-build.log" swift build --build-tests

rm -f "$table"
status=0
CARILLON_TEST_EXECUTABLE=$root/.build/release/carillon CARILLON_PROOF_FAULTS=$faults CARILLON_PROOF_SEED=$seed \
    CARILLON_PROOF_TABLE=$table swift test --skip-build --disable-xctest --filter 'EndToEndTests.EndToEnd/Proof' \
    >&2 || status=$?
[ ! -f "$table" ] || cat "$table"
[ "$status" -eq 0 ] || fail "the proof failed (its output stands above)"
