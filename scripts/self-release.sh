#!/bin/bash
# ci-intel releases itself with its own lane and keeps the bundle: self-release.sh FOLDER, with CI_INTEL naming the program.
set -euo pipefail
ci_intel=${CI_INTEL:?set CI_INTEL to the ci-intel program}
root=$(cd "$(dirname "$0")/.." && pwd)
out=${1:?usage: self-release.sh FOLDER}
# What the caller's jobs build with must not decide what the release builds.
unset CARGO_TARGET_DIR RUSTFLAGS CARGO_INCREMENTAL
mkdir -p "$out/keys"
key=$out/keys/self.key

# A clone: the release is about the commit, and a half-edited tree of whoever runs this is no part of it.
work=$out/self
rm -rf "$work"
git clone --quiet --no-hardlinks "$root" "$work"
commit=$(git -C "$work" rev-parse HEAD)
if [[ -n $(git -C "$root" status --porcelain) ]]; then
    echo "self-release: the tree has changes that are not committed; releasing $commit without them" >&2
fi

code=0
"$ci_intel" release --repo "$work" --env local --key "$key" | tee "$out/self-release.log" || code=$?
if [[ $code != 0 ]]; then
    echo "self-release: rejected (exit code $code)" >&2
    exit "$code"
fi
bundle=$(find "$work/.ci-intel/state/releases" -name 'evidence-*.tar.zst' -type f)
[[ -f $bundle ]] || { echo "self-release: expected one bundle, found: $bundle" >&2; exit 1; }
cp "$bundle" "$out/"
kept=$out/$(basename "$bundle")
"$ci_intel" verify "$kept" --key "$key.pub"
echo "self-release: $kept (key: $key.pub)"
