#!/usr/bin/env bash
# Runs every test: installs the Debian packages that are missing, builds, runs the test suites and the fuzzers.
# The last two lines of standard output are `passed: N` and `failed: M`; the status is 0 only if nothing failed.
#
#   CARILLON_TEST_FILTER   runs only tests whose "Target.Suite/test" matches this regular expression, and no fuzzer
#   CARILLON_FUZZ_SECONDS  how long each fuzzer runs (60)
#   CARILLON_TEST_MINUTES  after how long the suites are ended as failed (25)
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source=deploy/install-packages.sh
. "$root/deploy/install-packages.sh"

passed=0
failed=0

finish() {
    if [ "$passed" -eq 0 ] && [ "$failed" -eq 0 ]; then
        say "no test has run"
        failed=1
    fi
    printf 'passed: %d\nfailed: %d\n' "$passed" "$failed"
    [ "$failed" -eq 0 ] || exit 1
    exit 0
}

# attribute NAME TEXT: the number that an XML attribute of the <testsuite> element holds; 0 where there is none.
attribute() {
    local value
    value=$(printf '%s\n' "$2" | sed -n "s/.*[[:space:]]$1=\"\([0-9][0-9]*\)\".*/\1/p" | head -n 1)
    printf '%d' "${value:-0}"
}

# What cannot be installed or built is a failure with numbers too.
trap 'status=$?; if [ "$status" -ne 0 ] && [ "$failed" -eq 0 ]; then printf "passed: %d\nfailed: 1\n" "$passed"; fi' EXIT

install_missing "${build_packages[@]}" "${run_packages[@]}" "${test_packages[@]}"
require_swift
mkdir -p "$root/.build"
install_python_modules "$root/.build/python" requests croniter
cd "$root"

say "building the tests (the first time this takes some minutes)"
quietly "$root/.build/test-build.log" swift build --build-tests

report=$root/.build/test-report
rm -f "$report"*.xml
arguments=(test --skip-build --disable-xctest --xunit-output "$report.xml")
if [ -n "${CARILLON_TEST_FILTER:-}" ]; then
    arguments+=(--filter "$CARILLON_TEST_FILTER")
fi
status=0
timeout --kill-after=30 "$((${CARILLON_TEST_MINUTES:-25} * 60))" swift "${arguments[@]}" || status=$?

# Swift Testing's report has a suffix of its own where the toolchain writes one for XCTest beside it.
[ -f "$report-swift-testing.xml" ] && mv "$report-swift-testing.xml" "$report.xml"
if [ -f "$report.xml" ]; then
    suite=$(grep -o '<testsuite [^>]*>' "$report.xml" | head -n 1) || suite=""
    total=$(attribute tests "$suite")
    skipped=$(attribute skipped "$suite")
    failed=$(($(attribute failures "$suite") + $(attribute errors "$suite")))
    passed=$((total - failed - skipped))
    if [ "$skipped" -gt 0 ]; then say "$skipped tests were skipped; each says why above"; fi
fi
if [ "$status" -ne 0 ] && [ "$failed" -eq 0 ]; then
    # A crash or the deadline: there is no report, or it does not know of what ended the run.
    case $status in
    124 | 137) say "the tests did not end within ${CARILLON_TEST_MINUTES:-25} minutes" ;;
    *) say "the test process ended with status $status before it could report" ;;
    esac
    failed=1
fi

if [ -z "${CARILLON_TEST_FILTER:-}" ] && [ -f "$root/Tests/Fuzz/run.sh" ]; then
    runtime=$(find "$(dirname "$(dirname "$(readlink -f "$(command -v swiftc)")")")" /usr/lib/llvm-*/lib/clang \
        -name 'libclang_rt.fuzzer-*.a' -print -quit 2>/dev/null) || runtime=""
    if [ -z "$runtime" ]; then
        say "the fuzzers are skipped: neither the Swift toolchain nor Debian's clang brings a fuzzer runtime"
    elif bash "$root/Tests/Fuzz/run.sh" "${CARILLON_FUZZ_SECONDS:-60}"; then
        passed=$((passed + 1))
    else
        say "a fuzzer found an input that fails (it stands above)"
        failed=$((failed + 1))
    fi
fi

finish
