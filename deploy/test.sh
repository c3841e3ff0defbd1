#!/usr/bin/env bash
# Runs every test: installs the Debian packages that are missing, builds, runs the test suites and the fuzzers.
# The last two lines of standard output are `passed: N` and `failed: M`; above them stands what failed, and why. The status
# is 0 only if nothing failed.
#
#   CARILLON_TEST_FILTER   runs only tests whose "Target.Suite/test" matches this regular expression, and no fuzzer
#   CARILLON_FUZZ_SECONDS  how long the fuzzers run (60)
#   CARILLON_TEST_MINUTES  after how long the suites are ended as failed (25)
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source=deploy/install-packages.sh
. "$root/deploy/install-packages.sh"

passed=0
failed=0
# What failed, a line or more each.
failures=$(mktemp)

finish() {
    if [ "$passed" -eq 0 ] && [ "$failed" -eq 0 ]; then
        say "no test has run"
        failed=1
    fi
    cat "$failures"
    printf 'passed: %d\nfailed: %d\n' "$passed" "$failed"
    [ "$failed" -eq 0 ] || exit 1
    exit 0
}

# count REPORT FAILURES: how many tests of a JUnit report passed, failed and were skipped; what failed is added to the file
# FAILURES. The report's own totals count issues, of which one test can have many.
count() {
    python3 - "$1" "$2" <<'PYTHON'
import sys
import xml.etree.ElementTree

passed = failed = skipped = 0
failures = open(sys.argv[2], "a")
for case in xml.etree.ElementTree.parse(sys.argv[1]).iter("testcase"):
    issues = case.findall("failure") + case.findall("error")
    if issues:
        failed += 1
        print("failed: %s/%s" % (case.get("classname"), case.get("name")), file=failures)
        for issue in issues[:5]:
            print("    " + (issue.get("message") or "")[:1000].replace("\n", "\n    "), file=failures)
    elif case.find("skipped") is not None:
        skipped += 1
    else:
        passed += 1
print(passed, failed, skipped)
PYTHON
}

# What cannot be installed or built is a failure with numbers too.
trap 'status=$?; rm -f "$failures"; if [ "$status" -ne 0 ] && [ "$failed" -eq 0 ]; then printf "passed: %d\nfailed: 1\n" "$passed"; fi' EXIT

install_missing "${build_packages[@]}" "${run_packages[@]}" "${test_packages[@]}"
require_swift
mkdir -p "$root/.build"
install_python_modules "$root/.build/python" requests croniter aiosmtpd chronos:chronos-python==1.2.1 schemathesis
unpack_program "$root/.build/tools" prometheus usr/bin/promtool
cd "$root"

say "building the tests (the first time this takes some minutes)"
quietly "$root/.build/test-build.log" swift build --build-tests

report=$root/.build/test-report
rm -f "$report"*.xml
# One test at a time: a thousand at once on two cores would measure how long each waits for the others.
arguments=(test --skip-build --no-parallel --disable-xctest --xunit-output "$report.xml")
if [ -n "${CARILLON_TEST_FILTER:-}" ]; then
    arguments+=(--filter "$CARILLON_TEST_FILTER")
fi
status=0
timeout --kill-after=30 "$((${CARILLON_TEST_MINUTES:-25} * 60))" swift "${arguments[@]}" || status=$?

# Swift Testing's report has a suffix of its own where the toolchain writes one for XCTest beside it.
[ -f "$report-swift-testing.xml" ] && mv "$report-swift-testing.xml" "$report.xml"
if [ -f "$report.xml" ] && counts=$(count "$report.xml" "$failures"); then
    read -r passed failed skipped <<<"$counts"
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

if [ -z "${CARILLON_TEST_FILTER:-}" ]; then
    fuzzing=0
    bash "$root/Tests/Fuzz/run.sh" "${CARILLON_FUZZ_SECONDS:-60}" || fuzzing=$?
    case $fuzzing in
    0) passed=$((passed + 1)) ;;
    2) say "the fuzzers are skipped: they cannot be built here (the reason stands above)" ;;
    *)
        say "a fuzzer found an input that fails (it stands above)"
        failed=$((failed + 1))
        ;;
    esac
fi

finish
