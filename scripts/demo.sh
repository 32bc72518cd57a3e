#!/bin/bash
# A real service released, and five bad candidates rejected: demo.sh FOLDER, with CI_INTEL naming the program.
#
# Every step checks the exit code that it expects and shows why; any surprise fails the demo.
set -euo pipefail
ci_intel=${CI_INTEL:?set CI_INTEL to the ci-intel program}
source=$(cd "$(dirname "$0")/../examples/hello-http" && pwd)
root=$(cd "$(dirname "$0")/.." && pwd)
demo=${1:?usage: demo.sh FOLDER}
repo=$demo/hello-http
key=$demo/keys/release.key
public=$key.pub
started=$SECONDS

if [[ -t 1 ]]; then bold=$'\e[1m' green=$'\e[32m' red=$'\e[31m' plain=$'\e[0m'; else bold='' green='' red='' plain=''; fi
say() { printf '\n%s%s%s\n' "$bold" "$*" "$plain"; }
die() { printf '%sdemo: %s%s\n' "$red" "$*" "$plain" >&2; exit 1; }

# A fixed identity and time: whoever runs the demo gets the same commits.
export GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_SYSTEM=/dev/null
export GIT_AUTHOR_NAME='Demo' GIT_AUTHOR_EMAIL=demo@example.org GIT_AUTHOR_DATE='2026-01-01T00:00:00Z'
export GIT_COMMITTER_NAME=$GIT_AUTHOR_NAME GIT_COMMITTER_EMAIL=$GIT_AUTHOR_EMAIL GIT_COMMITTER_DATE=$GIT_AUTHOR_DATE
# Even inside a job of a CI this is a demonstration on one machine.
unset GITHUB_ACTIONS ACTIONS_ID_TOKEN_REQUEST_URL ACTIONS_ID_TOKEN_REQUEST_TOKEN CARGO_TARGET_DIR RUSTFLAGS

# expect CODE NAME COMMAND…: runs it, keeps what it says in a log, demands the exit code.
expect() {
    local want=$1 log=$demo/logs/$2.log code=0
    shift 2
    printf '$ %s\n' "$(printf '%s ' "$@" | sed -e "s#$ci_intel#ci-intel#g" -e "s#$root/##g")"
    "$@" >"$log" 2>&1 || code=$?
    if [[ $code != "$want" ]]; then
        cat "$log" >&2
        die "exit code $code, expected $want (whole output: $log)"
    fi
}

# Shows the lines that say why; a rejection that gives none of the expected reasons is a surprise too.
because() {
    local name=$1 reason=$2
    grep -m 3 -iE "$reason" "$demo/logs/$name.log" | sed 's/^ */    /' || die "$name: rejected, but not because of: $reason"
    printf '%srejected%s as it should be\n' "$red" "$plain"
}

# Branches are numbered: a name like `secret-in-evidence` would show up in the output and pass for a reason.
candidate() { git -C "$repo" switch --quiet --create "candidate-$1" main; }
commit() {
    git -C "$repo" add --all
    git -C "$repo" commit --quiet --message "$1"
}
release() { expect "$1" "$2" "$ci_intel" release --repo "$repo" --env local --key "$key"; }
bundles() { find "$repo/.ci-intel/state/releases" -name 'evidence-*.tar.zst' -type f | sort; }

rm -rf "$demo"
mkdir -p "$demo/logs" "$demo/keys" "$repo"
(cd "$source" && git ls-files -z --cached --others --exclude-standard . | xargs -0 cp --parents --target-directory="$repo")
git -C "$repo" init --quiet --initial-branch=main
commit 'A small HTTP service'

say '1. A good commit is accepted'
release 0 good
tail -n 12 "$demo/logs/good.log"
bundle=$(bundles)
[[ -f $bundle ]] || die "expected one bundle, found: $bundle"
expect 0 verify "$ci_intel" verify "$bundle" --key "$public"
tail -n 3 "$demo/logs/verify.log"
expect 0 why "$ci_intel" why "$bundle" --repo "$repo" --key "$public"
cat "$demo/logs/why.log"
printf '%saccepted%s\n' "$green" "$plain"

say '2. An undeclared file: the image wants a file that the build context does not declare'
candidate 1
echo 'not in the contract' >"$repo/motd.txt"
sed -i 's#^    entrypoint:#      - { from: motd.txt, to: /etc/motd }\n&#' "$repo/.ci-intel/config.yml"
commit 'Add a message of the day'
release 1 undeclared-file
because undeclared-file 'motd\.txt'

say '3. Missing evidence: the scanner says nothing, and exits 0'
candidate 2
sed -i '/^    - run:$/,/^      format: sarif/c\    - { run: ["true", "{sbom}", "{output}"], format: sarif }' "$repo/.ci-intel/config.yml"
commit 'Stop scanning, it is slow'
release 1 missing-evidence
because missing-evidence 'scan-results-missing'

say '4. A critical vulnerability: smallvec 1.6.0 has CVE-2021-25900 (RUSTSEC-2021-0003, CVSS 9.8)'
candidate 3
sed -i 's/^smallvec = .*/smallvec = "=1.6.0"/' "$repo/Cargo.toml"
(cd "$repo" && cargo update --quiet --package smallvec --precise 1.6.0)
commit 'Pin smallvec'
release 1 critical-vulnerability
because critical-vulnerability 'RUSTSEC-2021-0003|[1-9][0-9]* critical'

say '5. A secret in the evidence: a test prints a token'
candidate 4
# The test puts it together, so that the token is in its output and in no file of the project.
token="ghp_$(printf 'a1B2c3D4e5F6g7H8i9%.0s' 1 2)"
cat >>"$repo/tests/service.rs" <<'TEST'

#[test]
fn login_works() {
    println!("Authorization: token ghp_{}", "a1B2c3D4e5F6g7H8i9".repeat(2));
}
TEST
commit 'Debug the login'
release 1 secret-in-evidence
because secret-in-evidence 'secret-in-evidence|github-pat.*junit'
if grep -rqF "$token" "$demo/logs"; then die 'the token reached the screen or a log'; fi
if command -v zstd >/dev/null; then
    while read -r file; do
        # The trailer is a frame that zstd skips.
        zstd -dqc "$file" >"$demo/unpacked.tar" || die "zstd cannot read $file"
        if grep -qaF "$token" "$demo/unpacked.tar"; then die "the token reached $file"; fi
    done < <(bundles)
    rm -f "$demo/unpacked.tar"
    echo '    and the token is in no log and no bundle'
else
    echo '    and the token is in no log (install zstd to have the bundles searched too)'
fi

say '6. A tampered bundle: one byte of the accepted one is changed'
tampered=$demo/tampered.tar.zst
cp "$bundle" "$tampered"
size=$(stat -c %s "$tampered")
byte=$(od -An -tu1 -j $((size / 2)) -N1 "$tampered")
printf "\\x$(printf %x $((byte ^ 1)))" | dd of="$tampered" bs=1 seek=$((size / 2)) conv=notrunc status=none
cmp -s "$bundle" "$tampered" && die 'the bundle was not changed'
expect 1 tampered "$ci_intel" verify "$tampered" --key "$public"
because tampered 'digest|trailer|checksum|corrupt|integrity|malformed'
# The untouched one still holds: it is the byte that was rejected.
expect 0 verify-again "$ci_intel" verify "$bundle" --key "$public"

git -C "$repo" switch --quiet main
expect 0 report "$ci_intel" history --repo "$repo" --format html --out "$demo/report.html"
[[ -s $demo/report.html ]] || die 'the report is empty'

say "One accepted, five rejected, in $((SECONDS - started)) s. Look at:"
cat <<PATHS
  report   $demo/report.html
  bundle   $bundle
  key      $public
  image    $repo/.ci-intel/state/images
  logs     $demo/logs
Check the bundle anywhere, without a network:
  $ci_intel verify $bundle --key $public
PATHS
