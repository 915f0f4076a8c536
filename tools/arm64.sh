#!/usr/bin/env bash
# Follow the guide for the Raspberry Pi (docs/raspberry-pi.md) without the hardware: boot 64-bit Debian 12 and 13 in emulated
# machines with the processors of a Raspberry Pi 3 (Cortex-A53), 4 (A72) and 5 (A76), and run the guide's commands as a
# newcomer, with the wheels in dist/ as the package index.
#
#     tools/release.sh                            # once: builds dist/
#     sudo tools/arm64.sh FOLDER                  # all
#     sudo tools/arm64.sh FOLDER trixie cortex-a76  # one
#
# Needs root on x86-64 Debian, 10 GB in FOLDER, and time: emulation shows that it works, not how fast. The first run creates
# the systems in FOLDER. build/release/guide.md has the table of results, and FOLDER/*.log what the machines printed.
set -euo pipefail

case "${1:-}" in "" | -*) sed -n '2,/^set/s/^# \{0,1\}//p' "$0" && exit 2 ;; esac
ROOTS=$(realpath -m "$1")
cd "$(dirname "$0")/.."
. tools/release/root.sh
[ "$(id -u)" = 0 ] || die "must run as root: mount and chroot need it"
work=$PWD/build/release report=$PWD/build/release/guide.md
compgen -G "dist/*aarch64.whl" >/dev/null || die "dist/ has no wheel for 64-bit Arm: run tools/release.sh"
# The guide's packages are there already, which saves hours of emulated unpacking; its apt commands find nothing to do.
packages=ca-certificates,systemd-sysv,udev,dbus,sudo,iproute2,procps,linux-image-cloud-arm64,initramfs-tools,zstd
packages+=,python3,python3-venv,libportaudio2,ffmpeg

# make_image SUITE: the disk of a Debian with a user `pi` who may use sudo, as the Raspberry Pi Imager makes it, and with a
# service that runs the program on the second disk.
make_image() {
    local root="$ROOTS/machine-$1" image="$ROOTS/machine-$1.img"
    [ ! -e "$image" ] || return 0
    create_root arm64 "$1" "$packages" "machine-$1"
    mount_root "$root"
    in_root "$root" sh -c 'id -u pi >/dev/null 2>&1 || useradd --create-home --shell /bin/bash pi'
    echo 'pi ALL=(ALL) NOPASSWD: ALL' >"$root/etc/sudoers.d/pi"
    echo hifi >"$root/etc/hostname"
    printf '127.0.0.1 localhost hifi\n' >"$root/etc/hosts"
    echo 'nameserver 10.0.2.3' >"$root/etc/resolv.conf" # qemu's
    printf '[Match]\nName=en* eth*\n[Network]\nDHCP=yes\n' >"$root/etc/systemd/network/guide.network"
    printf '%s\n' '[Unit]' 'Wants=network-online.target' 'After=network-online.target' '[Service]' Type=oneshot TimeoutStartSec=infinity \
        'ExecStart=/bin/bash -c "mkdir -p /run/guide && tar -x -C /run/guide -f /dev/vdb && exec bash /run/guide/machine.sh >/dev/ttyAMA0 2>&1 </dev/null"' \
        'ExecStopPost=/bin/systemctl poweroff --force' '[Install]' WantedBy=multi-user.target >"$root/etc/systemd/system/guide.service"
    in_root "$root" systemctl --quiet mask serial-getty@ttyAMA0
    in_root "$root" systemctl --quiet enable guide systemd-networkd systemd-networkd-wait-online
    unmount_root "$root"
    say "writing the disk of Debian $1"
    cp "$(compgen -G "$root/boot/vmlinuz-*" | tail -n 1)" "$ROOTS/machine-$1.vmlinuz"
    cp "$(compgen -G "$root/boot/initrd.img-*" | tail -n 1)" "$ROOTS/machine-$1.initrd"
    rm -f "$image.partial"
    mke2fs -q -t ext4 -d "$root" "$image.partial" 4G
    mv "$image.partial" "$image"
}

# The second disk: the guide's commands, what they install, and the checks, as a tar archive.
make_program() {
    local folder="$ROOTS/program" bin="$work/tools-3.11/bin" wheel unpacked
    rm -rf "$folder" && mkdir -p "$folder/new" "$folder/old"
    cp demo/song.ogg "$work/expected.json" tools/release/{machine.sh,check_install.py,guide.py} docs/raspberry-pi.md "$folder"
    cp dist/*aarch64.whl "$folder/new"
    # An earlier version to upgrade from: the same wheels under another number.
    for wheel in "$folder"/new/*.whl; do
        "$bin/python" -m wheel unpack --dest "$folder/unpacked" "$wheel"
        unpacked=$(compgen -G "$folder/unpacked/*")
        sed -i 's/^Version: .*/Version: 0.0.9/' "$unpacked"/*.dist-info/METADATA
        sed -i 's/^__version__ = .*/__version__ = "0.0.9"/' "$unpacked/genre_edge/__init__.py"
        mv "$unpacked"/*.dist-info "$unpacked/genre_edge-0.0.9.dist-info"
        mv "$unpacked"/*.data "$unpacked/genre_edge-0.0.9.data"
        "$bin/python" -m wheel pack --dest-dir "$folder/old" "$unpacked"
        rm -r "$folder/unpacked"
    done
    { pip config list 2>/dev/null || true; } | sed -n "s/^global\.\(.*\)='\(.*\)'$/\1 = \2/p" >"$folder/pip.conf"
    cp -L /etc/ssl/certs/ca-certificates.crt "$folder"
    tar -C "$folder" -cf "$ROOTS/program.tar" .
    truncate -s %1M "$ROOTS/program.tar"
}

# boot SUITE PROCESSOR: run the program in an emulated machine that forgets its changes; the log's end has the result.
boot() {
    local log="$ROOTS/$1-$2.log" line
    say "Debian $1 on $2"
    timeout --foreground "${GUIDE_TIMEOUT:-7200}" chroot "$ROOTS/emulator" qemu-system-aarch64 -machine virt -cpu "$2" -smp 2 -m 1024 \
        -kernel "/machines/machine-$1.vmlinuz" -initrd "/machines/machine-$1.initrd" -append "root=/dev/vda rw console=ttyAMA0 quiet loglevel=3" \
        -drive "file=/machines/machine-$1.img,if=none,format=raw,snapshot=on,id=system" -device virtio-blk-pci,drive=system \
        -drive file=/machines/program.tar,if=none,format=raw,readonly=on,id=program -device virtio-blk-pci,drive=program \
        -netdev user,id=net -device virtio-net-pci,netdev=net,romfile= -nographic -no-reboot </dev/null >"$log" 2>&1 || true
    line=$(tr -d '\r' <"$log" | sed -n 's/^RESULT: //p' | tail -n 1)
    printf '| %s | %s | %s |\n' "$1" "$2" "${line:-**fails**, see the log}" | tee -a "$report"
}

clean_up() {
    disable_arm64
    ! mountpoint -q "$ROOTS/emulator/machines" || umount -l "$ROOTS/emulator/machines"
    unmount_root "$ROOTS/emulator"
    for suite in bookworm trixie; do unmount_root "$ROOTS/machine-$suite"; done
}

require_packages mmdebstrap arch-test debian-archive-keyring e2fsprogs
trap clean_up EXIT
mkdir -p "$ROOTS" "$work"
enable_arm64
make_program
read -ra suites <<<"${2:-bookworm trixie}"
read -ra processors <<<"${3:-cortex-a53 cortex-a72 cortex-a76}"
for suite in "${suites[@]}"; do make_image "$suite"; done
mount_root "$ROOTS/emulator"
mkdir -p "$ROOTS/emulator/machines"
mount --bind "$ROOTS" "$ROOTS/emulator/machines"
printf '| Debian | processor | result |\n| --- | --- | --- |\n' | tee "$report"
for suite in "${suites[@]}"; do
    for processor in "${processors[@]}"; do boot "$suite" "$processor"; done
done
! grep -q fails "$report" || die "the guide fails; see $report"
