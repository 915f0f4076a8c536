#!/usr/bin/env bash
# Test genre-edge on 64-bit Arm (a Raspberry Pi 4) without the hardware: build the wheel in an emulated Debian,
# install it there with its dependencies from the package index, compare the numbers of spectrograms and networks with
# the golden ones (`genre-edge doctor`) and the demo song's verdicts with this machine's.
#
#     make demo                           # once: install genre-edge on this machine, in .venv
#     sudo tools/arm64.sh ~/arm64-debian  # the first run creates the Debian there, later runs only build and check
#
# Requires root on x86-64 Debian and about 1 GB of disk space. Installs qemu-user-static, binfmt-support and debootstrap if missing.
# pip in the emulated system uses the host's pip.conf, PIP_* and *_proxy variables. An interrupted run can be repeated.
#
#     PYTHON        a Python with this working tree's genre-edge installed (default: .venv/bin/python)
#     ARM64_MIRROR  Debian mirror for debootstrap (default: the mirror that apt uses)
#     QEMU_CPU      processor to emulate (default: cortex-a72, Raspberry Pi 4; cortex-a76 is Raspberry Pi 5)
set -euo pipefail

say() { printf '== %s\n' "$*"; }
die() { printf 'arm64.sh: %s\n' "$*" >&2 && exit 1; }

case "${1:-}" in "" | -*) sed -n '2,/^set/s/^# \{0,1\}//p' "$0" && exit 2 ;; esac
[ "$(id -u)" = 0 ] || die "must run as root: debootstrap and chroot need it"
root=$(realpath -m "$1")
cd "$(dirname "$0")/.."
python=${PYTHON:-.venv/bin/python}
"$python" -c 'import genre_edge.mel' || die "$python cannot import genre_edge: run make demo, or set PYTHON"
export PATH=$PATH:/usr/sbin:/sbin LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive QEMU_CPU=${QEMU_CPU:-cortex-a72}

install_host_tools() {
    local missing=()
    command -v qemu-aarch64-static >/dev/null || missing+=(qemu-user-static)
    command -v update-binfmts >/dev/null || missing+=(binfmt-support)
    command -v debootstrap >/dev/null || missing+=(debootstrap)
    [ ${#missing[@]} != 0 ] || return 0
    say "apt-get install ${missing[*]}"
    apt-get update -qq
    apt-get install -qq -y --no-install-recommends "${missing[@]}" >/dev/null
}

# Let the kernel run ARM programs with qemu. With flag F it keeps qemu open, so the chroot needs no copy.
enable_binfmt() {
    local binfmt=/proc/sys/fs/binfmt_misc
    [ -e $binfmt/register ] || mount -t binfmt_misc binfmt_misc $binfmt
    grep -qs '^enabled' $binfmt/qemu-aarch64 || update-binfmts --enable qemu-aarch64
    grep -q '^flags:.*F' $binfmt/qemu-aarch64 || die "binfmt_misc has registered qemu-aarch64 without flag F"
}

# Build under another name and rename at the end: an interrupted run leaves no incomplete root.
make_root() {
    [ ! -d "$root" ] || rmdir --ignore-fail-on-non-empty "$root"
    [ ! -d "$root" ] || return 0
    local mirror=${ARM64_MIRROR:-}
    # shellcheck disable=SC2016  # apt expands it
    [ -n "$mirror" ] || mirror=$(apt-get indextargets --format '$(SITE)' 'Created-By: Packages' 'Codename: bookworm' |
        sed -n 1p)
    say "debootstrap: creating an arm64 Debian in $root; this takes several minutes"
    rm -rf --one-file-system "$root.partial"
    mkdir -p "$root.partial"
    debootstrap --arch=arm64 --variant=minbase --include=python3,python3-venv,python3-dev,gcc,libc6-dev \
        bookworm "$root.partial" ${mirror:+"$mirror"}
    rm -f "$root.partial"/var/cache/apt/archives/*.deb
    mv "$root.partial" "$root"
}

# qemu passes the host's /proc/cpuinfo through, and LiteRT crashes unless it lists an ARM processor: mount a fake one.
mount_all() {
    mount -t proc proc "$root/proc"
    mount -t sysfs -o ro sysfs "$root/sys"
    for i in 0 1 2 3; do
        printf '%s\t: %s\n' processor $i Features 'fp asimd evtstrm crc32 cpuid' 'CPU implementer' 0x41 \
            'CPU architecture' 8 'CPU variant' 0x0 'CPU part' 0xd08 'CPU revision' $'3\n'
    done >"$home/cpuinfo"
    mount --bind "$home/cpuinfo" "$root/proc/cpuinfo"
}

unmount_all() {
    for at in "$root"{,.partial}/{sys,proc}; do
        if mountpoint -q "$at"; then umount -R "$at"; fi
    done
}

# Copy the host's network and pip configuration, and the tracked and untracked files of the working tree.
copy_in() {
    cp -L /etc/resolv.conf "$root/etc/resolv.conf"
    for file in /etc/hosts /etc/pip.conf ~/.config/pip/pip.conf /etc/ssl/certs/ca-certificates.crt "${PIP_CERT:-}" \
        "${SSL_CERT_FILE:-}" "${REQUESTS_CA_BUNDLE:-}"; do
        if [ -f "$file" ]; then install -D -m 644 "$file" "$root$file"; fi
    done
    mkdir "$home/src"
    git ls-files -z --cached --others --exclude-standard | while IFS= read -r -d '' file; do
        if [ -e "$file" ]; then printf '%s\0' "$file"; fi # skip deleted files
    done | sort -zu | tar -c --null -T - | tar -x --no-same-owner -C "$home/src"
}

inside() { chroot "$root" "$@"; }

# The int8 kernels of another processor round differently: at most 2 steps of the output, 0.1 in a probability.
compare_verdicts() {
    "$python" - "$@" <<'END'
import json, sys
expected, actual = (json.loads(open(path).read()) for path in sys.argv[1:])
keys = "start_s", "end_s", "genre", "reason", "input", "model"
differing = [key for key in keys if actual[key] != expected[key]]
by_genre = {item["genre"]: item["probability"] for item in actual["genres"]}
largest = max(abs(by_genre[item["genre"]] - item["probability"]) for item in expected["genres"])
print(f"{actual['genre'] or actual['reason']}: probabilities differ by at most {largest:.4f}")
sys.exit(f"FAILED: differing {differing or 'probabilities'}" if differing or largest > 0.1 else 0)
END
}

install_host_tools
enable_binfmt
trap unmount_all EXIT
unmount_all # left over from a killed run
make_root
[ "$(inside uname -m 2>/dev/null)" = aarch64 ] || die "$root exists but is not an arm64 Debian"
home=$root/genre-edge bin=/genre-edge/venv/bin
rm -rf "$home/src" "$home/wheels"
mkdir -p "$home"
copy_in
mount_all

say "$(inside uname -m), $QEMU_CPU: building the wheel"
[ -x "$root$bin/pip" ] || inside python3 -m venv /genre-edge/venv
# -qq hides warnings about package indexes that only the host can reach
inside $bin/pip wheel -qq --no-deps --wheel-dir /genre-edge/wheels /genre-edge/src
wheel=$(cd "$root" && echo genre-edge/wheels/*.whl)
say "installing $wheel"
inside $bin/pip uninstall -qq -y genre-edge # pip would keep an installed wheel of the same version
inside $bin/pip install -qq "/$wheel"

for model in edge paper; do
    say "$model: comparing the demo song's verdict with this machine's"
    "$python" -m genre_edge classify --model $model --format jsonl demo/song.ogg >"$home/expected.json"
    inside $bin/genre-edge classify --model $model --format jsonl /genre-edge/src/demo/song.ogg >"$home/actual.json"
    compare_verdicts "$home/expected.json" "$home/actual.json"
    say "$model: comparing with the golden numbers"
    inside $bin/genre-edge doctor --model $model
done
