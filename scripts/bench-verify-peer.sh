#!/bin/sh
# What a user runs today for less than `ci-intel verify`: unpack, digest of every file, every signature, and a look at the
# verdict, with tar, openssl and jq. It derives no facts and replays nothing. Usage: bench-verify-peer.sh BUNDLE PUBLIC_KEY_PEM
set -eu
bundle=$1
key=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
tar --zstd -xf "$bundle" -C "$work"
cd "$work"/evidence-pack/release-*
manifest=$(grep -rl --include='*.json' '"schema":"https://ci-intel.dev/schema/evidence_manifest.v1.json"' . | head -n 1)
jq -r '.files[] | "\(.digest | ltrimstr("sha256:")) *\(.path)"' "$manifest" | sort >"$work/expected"
jq -r '.files[].path' "$manifest" | xargs openssl dgst -sha256 -r | sort >"$work/actual"
cmp "$work/expected" "$work/actual"

verify() {
    case $(openssl pkey -pubin -in "$key" -noout -text) in
    ED25519*) openssl pkeyutl -verify -pubin -inkey "$key" -rawin -in "$1" -sigfile "$2" ;;
    *) openssl dgst -sha256 -verify "$key" -signature "$2" "$1" ;;
    esac
}

signed=0
for envelope in $(grep -rl '"payloadType"' .); do
    type=$(jq -r .payloadType "$envelope")
    jq -r .payload "$envelope" | base64 -d >"$work/payload"
    # DSSE v1, "PAE".
    {
        printf 'DSSEv1 %s %s %s ' "${#type}" "$type" "$(wc -c <"$work/payload")"
        cat "$work/payload"
    } >"$work/pae"
    jq -r '.signatures[0].sig' "$envelope" | base64 -d >"$work/signature"
    verify "$work/pae" "$work/signature" >/dev/null
    signed=$((signed + 1))
done
[ "$signed" -gt 0 ]
decision=$(grep -rl --include='*.json' '"schema":"https://ci-intel.dev/schema/decision.v1.json"' . | head -n 1)
jq -e '.verdict == "accepted" and all(.gates[]; .verdict == "pass")' "$decision" >/dev/null
