#!/bin/bash
# Runs every test of the workspace and of the example, and ends with one line: N passed, N failed, N skipped.
#
# The counts are the runners' own. A test that needs an absent program says `SKIP name: how to get it`; it counts as skipped,
# not as passed, and under CI=true it fails the run.
set -uo pipefail
cd "$(dirname "$0")/.."
out=${OUT:-out}/test
rm -rf "$out"
mkdir -p "$out"
# Named, so that tests do not have to guess where Debian keeps runc and docker-registry.
export PATH="$PATH:/usr/sbin:/sbin"

# What a person wants to see while it runs; the whole log stays in a file.
brief() {
    awk '/^failures:$/ { failing = 1 }
        failing || /^(error|warning)/ || / FAILED$/ || /^test result: / || /^ +Running / || /^ +Summary / || /^ *(FAIL|TIMEOUT) / || /SKIP [A-Za-z0-9._-]+: / { print; fflush() }
        /^test result: / { failing = 0 }'
}

run() {
    local name=$1
    shift
    echo "== $name: $*"
    "$@" 2>&1 | tee "$out/$name.log" | brief
    local code=${PIPESTATUS[0]}
    echo "$code" >"$out/$name.code"
}

jobs=${JOBS:+--jobs $JOBS}
# Tests that start images in the default sandbox cannot tell by themselves that they should not have been started.
skips=()
if ! command -v bwrap >/dev/null; then
    echo "SKIP bwrap: apt-get install bubblewrap" | tee "$out/sandbox.log"
    skips+=(--skip smoke::)
fi
# shellcheck disable=SC2086
if cargo nextest --version >/dev/null 2>&1; then
    run workspace cargo nextest run --workspace --locked --no-fail-fast --success-output final $jobs -- "${skips[@]}"
    # nextest runs no doc tests.
    run doc cargo test --workspace --locked --doc --no-fail-fast $jobs
else
    run workspace cargo test --workspace --locked --no-fail-fast $jobs -- --show-output "${skips[@]}"
fi
run example examples/hello-http/tests/run "$PWD/$out/hello-http"
run scan cargo test --locked --manifest-path examples/hello-http/scan/Cargo.toml

bad=0
for code in "$out"/*.code; do [[ $(cat "$code") == 0 ]] || { bad=1; echo "failed: $(basename "$code" .code), see ${code%.code}.log"; }; done

# libtest:  test result: ok. 12 passed; 0 failed; 1 ignored; …
# nextest:  Summary [ 1.2s] 12 tests run: 11 passed (1 flaky), 1 failed, 1 timed out, 2 skipped
read -r passed failed skipped <<<"$(cat "$out"/*.log | awk '
    /^test result: |^ +Summary \[/ {
        gsub(/[;,]/, " ")
        for (i = 2; i <= NF; i++) {
            if ($i == "passed") passed += $(i - 1)
            else if ($i == "failed") failed += $(i - 1)
            else if ($i == "timed") failed += $(i - 1)
            else if ($i == "ignored" || $i == "skipped") skipped += $(i - 1)
        }
    }
    END { print passed + 0, failed + 0, skipped + 0 }')"
named=$(cat "$out"/*.log | grep -hoE 'SKIP [A-Za-z0-9._-]+: .*' | sort | uniq -c || true)
if [[ -n $named ]]; then
    count=$(awk '{ sum += $1 } END { print sum }' <<<"$named")
    passed=$((passed - count))
    skipped=$((skipped + count))
    echo "skipped for want of a program:"
    echo "$named"
    if [[ ${CI:-} == true ]]; then bad=1; fi
fi
# A run in which nothing ran proves nothing.
if [[ $passed -le 0 || $failed -gt 0 ]]; then bad=1; fi
# A suite that died before it could count its failures (it did not build, it crashed) is one.
if [[ $bad == 1 && $failed == 0 ]]; then echo "at least one suite ended without its summary, or skipped under CI=true"; fi
echo "$passed passed, $failed failed, $skipped skipped"
exit "$bad"
