#!/bin/sh
# The tests that a release of ci-intel itself runs in its build directory: those of the crates that decide. Everything else
# is tested before, by `make test`. Usage: self-tests.sh RESULTS_DIR
set -eu
cd "$(dirname "$0")/.."
results=${1:?usage: self-tests.sh RESULTS_DIR}
mkdir -p "$results"
log=$results/cargo-test.log
code=0
cargo test --locked --no-fail-fast --lib -p ci-types -p ci-evidence -p ci-policy -- \
    --test-threads=1 --show-output >"$log" 2>&1 || code=$?
cat "$log"
awk -v title=ci-intel -v exit_code="$code" -f examples/hello-http/tests/junit.awk "$log" >"$results/junit.xml.part"
mv "$results/junit.xml.part" "$results/junit.xml"
exit "$code"
