#!/bin/bash
# Sets up the real programs that tests start. As root in CI or in a container it installs what is missing; elsewhere it
# prints the one command that does, and the tests skip by name. With CI=true a missing part fails.
set -euo pipefail

# program:Debian package
parts=(buildah:buildah skopeo:skopeo umoci:umoci bwrap:bubblewrap docker-registry:docker-registry podman:podman runc:runc
    openssl:openssl jq:jq zstd:zstd git:git strace:strace faketime:faketime setpriv:util-linux unshare:util-linux
    gcc:gcc ar:binutils zip:zip python3:python3 curl:curl tar:tar)
# What has no program of its own: the static C library that small test images are made of.
files=("$(gcc -print-file-name=libc.a 2>/dev/null || echo /absent)":libc6-dev)

missing() {
    local part
    for part in "${parts[@]}"; do
        # Some live in sbin, which a user's PATH may lack.
        PATH=$PATH:/usr/sbin:/sbin command -v "${part%%:*}" >/dev/null || printf '%s ' "${part##*:}"
    done
    for part in "${files[@]}"; do
        [[ -e ${part%%:*} ]] || printf '%s ' "${part##*:}"
    done
}

absent=$(missing)
if [[ -z $absent ]]; then
    echo "parts: all ${#parts[@]} are here"
    exit 0
fi
command="apt-get install --yes --no-install-recommends ${absent% }"
container=false
if [[ -e /.dockerenv || -e /run/.containerenv ]]; then container=true; fi
if [[ $(id -u) == 0 && ( ${CI:-} == true || $container == true ) ]] && command -v apt-get >/dev/null; then
    echo "parts: $command"
    export DEBIAN_FRONTEND=noninteractive
    # Debian's docker-registry starts a server on installation unless told not to.
    policy=/usr/sbin/policy-rc.d
    if [[ ! -e $policy ]]; then
        printf '#!/bin/sh\nexit 101\n' >$policy
        chmod +x $policy
        trap 'rm -f $policy' EXIT
    fi
    { apt-get update -qq && $command -qq >/dev/null; } || echo "parts: apt-get failed" >&2
    absent=$(missing)
fi
if [[ -n $absent ]]; then
    echo "parts: missing: $absent" >&2
    echo "parts: to run every test: sudo apt-get update && sudo $command" >&2
    if [[ ${CI:-} == true ]]; then exit 1; fi
fi
