# Functions for Debian systems in folders, sourced by tools/release.sh and tools/arm64.sh. They need root on Debian.
# shellcheck shell=bash
#
#     ROOTS          folder with the systems, named ARCHITECTURE-SUITE
#     DEBIAN_MIRROR  mirror for new systems (default: the one that apt uses)
#     QEMU_CPU       processor that qemu emulates

say() { printf '== %s\n' "$*"; }
die() { printf '%s: %s\n' "$(basename "$0")" "$*" >&2 && exit 1; }

# Install the host's packages that are missing.
require_packages() {
    local package missing=()
    for package in "$@"; do
        dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q ' installed' || missing+=("$package")
    done
    [ ${#missing[@]} != 0 ] || return 0
    say "apt-get install ${missing[*]}"
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends "${missing[@]}" >/dev/null
}

debian_mirror() {
    # shellcheck disable=SC2016  # apt expands it
    printf '%s\n' "${DEBIAN_MIRROR:-$(apt-get indextargets --format '$(SITE)' 'Created-By: Packages' 'Origin: Debian' | sed -n 1p)}"
}

# Let the kernel run Arm programs with Debian 13's qemu: that of Debian 12, version 7.2, crashes LiteRT 2.2 and later.
# With flag F the kernel keeps qemu open, so the systems need no copy. A later registration has priority.
enable_arm64() {
    local binfmt=/proc/sys/fs/binfmt_misc
    create_root amd64 trixie qemu-user,qemu-system-arm,e2fsprogs emulator
    [ -e $binfmt/register ] || mount -t binfmt_misc binfmt_misc $binfmt
    disable_arm64
    printf '%s' ':genre-edge-arm64:M::\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00:' \
        '\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff:' \
        "$ROOTS/emulator/usr/bin/qemu-aarch64:FOC" | cat >$binfmt/register
}

disable_arm64() {
    local entry=/proc/sys/fs/binfmt_misc/genre-edge-arm64
    [ ! -e $entry ] || echo -1 >$entry
}

# create_root ARCHITECTURE SUITE PACKAGES [NAME]: a Debian with these packages, comma-separated, unless it is there already.
# An interrupted run leaves no incomplete one.
create_root() {
    local root="$ROOTS/${4:-$1-$2}"
    [ ! -d "$root" ] || return 0
    say "creating Debian $2 for $1"
    rm -rf --one-file-system "$root.partial"
    # The mirror of a suite in preparation may be late.
    mmdebstrap --quiet --aptopt='Acquire::Check-Valid-Until "false"' --variant=minbase --arch="$1" --include="$3" "$2" "$root.partial" "$(debian_mirror)"
    mv "$root.partial" "$root"
}

# Mount what programs need, and copy the host's network and pip configuration.
mount_root() {
    local root="$1" file
    unmount_root "$root"
    mount -t proc proc "$root/proc"
    mount -t sysfs -o ro sysfs "$root/sys"
    mount --bind /dev "$root/dev"
    for file in /etc/resolv.conf /etc/hosts /etc/pip.conf ~/.config/pip/pip.conf /etc/ssl/certs/ca-certificates.crt "${PIP_CERT:-}" \
        "${SSL_CERT_FILE:-}" "${REQUESTS_CA_BUNDLE:-}"; do
        if [ -f "$file" ]; then install -D -m 644 "$(realpath "$file")" "$root$file"; fi
    done
    case "$root" in */arm64-*) mount_cpuinfo "$root" ;; esac
}

# qemu passes the host's /proc/cpuinfo through, and LiteRT crashes unless it lists an Arm processor.
mount_cpuinfo() {
    local i
    for i in 0 1 2 3; do
        printf '%s\t: %s\n' processor $i Features 'fp asimd evtstrm crc32 cpuid' 'CPU implementer' 0x41 'CPU architecture' 8 \
            'CPU variant' 0x0 'CPU part' "$(cpu_part)" 'CPU revision' $'3\n'
    done >"$ROOTS/cpuinfo"
    mount --bind "$ROOTS/cpuinfo" "$1/proc/cpuinfo"
}

cpu_part() {
    case "${QEMU_CPU:-}" in cortex-a53) echo 0xd03 ;; cortex-a76) echo 0xd0b ;; *) echo 0xd08 ;; esac
}

unmount_root() {
    local at
    for at in "$1"/{sys,proc,dev}; do
        if mountpoint -q "$at"; then umount -R -l "$at"; fi
    done
}

# For a trap on EXIT.
clean_up_roots() {
    local root
    disable_arm64
    for root in "$ROOTS"/*-*/; do unmount_root "${root%/}"; done
}

# in_root ROOT COMMAND...: run a command with a login's environment, and the host's configuration of pip.
in_root() {
    local root="$1"
    shift
    env -i HOME=/root PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 TMPDIR=/var/tmp \
        DEBIAN_FRONTEND=noninteractive QEMU_CPU="${QEMU_CPU:-cortex-a72}" PIP_DISABLE_PIP_VERSION_CHECK=1 \
        PIP_ROOT_USER_ACTION=ignore ${PIP_CERT:+PIP_CERT="$PIP_CERT"} ${PIP_INDEX_URL:+PIP_INDEX_URL="$PIP_INDEX_URL"} \
        ${https_proxy:+https_proxy="$https_proxy"} ${http_proxy:+http_proxy="$http_proxy"} chroot "$root" "$@"
}
