#!/usr/bin/env bash
# Fuzzes the JSON reader and the HTTP request parser: Tests/Fuzz/run.sh SECONDS [json|http]
#
# SECONDS are shared by the targets. Ends with status 0 when no property broke, 1 when one did (the input is printed and
# kept), 2 when it cannot run here. Builds outside of SwiftPM, into a temporary folder, because coverage and address
# checks must reach into the code under test. FUZZER_RUNTIME names a libFuzzer archive to use instead of the toolchain's.
set -euo pipefail

usage() {
    echo "usage: $0 SECONDS [json|http]" >&2
    exit 2
}

[[ $# -ge 1 && $# -le 2 && $1 =~ ^[1-9][0-9]{0,5}$ ]] || usage
seconds=$1
case ${2:-all} in
all) targets=(json http) ;;
json | http) targets=("$2") ;;
*) usage ;;
esac

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
sources=$(cd "$here/../../Sources" && pwd)
out=$(mktemp -d "${TMPDIR:-/tmp}/carillon-fuzz.XXXXXX")
keep=
trap '[[ -n $keep ]] || rm -rf "$out"' EXIT

command -v swiftc >/dev/null || {
    echo "$0: swiftc is not in PATH; install the Swift toolchain that builds the project" >&2
    exit 2
}

# The toolchain's own fuzzer runtime, or one of a Debian clang package with the same instrumentation.
compile=(-sanitize=fuzzer,address)
link=(-sanitize=fuzzer,address)
probe() {
    printf '@_cdecl("LLVMFuzzerTestOneInput")\npublic func f(_ d: UnsafePointer<UInt8>?, _ n: Int) -> CInt { 0 }\n' \
        >"$out/probe.swift"
    swiftc -parse-as-library "${compile[@]}" "${link[@]}" "$out/probe.swift" -o "$out/probe" >"$out/probe.log" 2>&1 &&
        "$out/probe" -runs=1 >>"$out/probe.log" 2>&1
}
use_archive() {
    compile=(-sanitize=address -sanitize-coverage=edge,inline-8bit-counters,pc-table,trace-cmp)
    link=(-Xlinker "$1" -lstdc++ -lm)
}
runtime=${FUZZER_RUNTIME:-}
if [[ -n $runtime ]] || ! probe; then
    if [[ -z $runtime ]]; then
        for archive in /usr/lib/llvm-*/lib/clang/*/lib/linux/"libclang_rt.fuzzer-$(uname -m).a"; do
            [[ -f $archive ]] && runtime=$archive
        done
    fi
    [[ -n $runtime && -f $runtime ]] || {
        echo "$0: neither the Swift toolchain nor a clang package has libFuzzer (libclang_rt.fuzzer);" \
            "on Debian install libclang-rt-14-dev" >&2
        exit 2
    }
    use_archive "$runtime"
    probe || {
        echo "$0: no fuzzer can be built with $runtime:" >&2
        tail -n 5 "$out/probe.log" >&2
        exit 2
    }
fi

common=(-O -g -wmo -parse-as-library -swift-version 6 -enable-upcoming-feature ExistentialAny
    -enable-upcoming-feature InternalImportsByDefault -I "$out" "${compile[@]}")
module() {
    swiftc "${common[@]}" -module-name "$1" -emit-module -emit-module-path "$out/$1.swiftmodule" -c \
        "$sources/$1"/*.swift -o "$out/$1.o"
}
driver() {
    # gold warns of hundreds of symbols of the address sanitizer; errors come through as the exit status.
    swiftc "${common[@]}" -module-name "$1" "${link[@]}" "$here/$1.swift" "$here/FuzzSupport.swift" \
        "$out/JSON.o" "$out/HTTP.o" -o "$out/$1" 2>"$out/$1.log" || {
        grep -v "Cannot export local symbol" "$out/$1.log" >&2
        exit 2
    }
}
module JSON || exit 2
module HTTP || exit 2

share=$(((seconds + ${#targets[@]} - 1) / ${#targets[@]}))
for target in "${targets[@]}"; do
    name=${target^^}Fuzz
    driver "$name"
    mkdir "$out/found-$target"
    echo "== $name, $share s"
    # What is found goes to the temporary folder; the corpus in the tree is only read.
    if ! "$out/$name" -max_total_time="$share" -max_len=4096 -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 \
        -artifact_prefix="$out/$target-" -dict="$here/$target.dict" "$out/found-$target" "$here/corpus/$target" \
        >"$out/$target.log" 2>&1; then
        keep=yes
        tail -n 60 "$out/$target.log"
        echo "== $name failed; input and log are kept in $out; add the input to $here/corpus/$target with the fix" >&2
        exit 1
    fi
    grep -E "^(Done|stat::number_of_executed_units|#[0-9]+.*DONE)" "$out/$target.log"
done
