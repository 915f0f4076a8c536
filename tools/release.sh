#!/usr/bin/env bash
# Build genre-edge's sdist and wheels for x86-64 and 64-bit Arm in dist/, twice, and compare the bytes; then install them
# in new environments and check them there.
#
#     tools/release.sh                    # in the host's Pythons
#     sudo tools/release.sh --roots DIR   # also in Debian 12 and 13 without a compiler, which are created in DIR
#
# Needs python3.10, python3.11, python3.12, gcc and gcc-aarch64-linux-gnu; checks also in python3.13 and python3.14 where
# they are installed. The commit that is checked out is built, not the working tree. build/release/report.md has the sizes and the table of results.
set -euo pipefail
shopt -s inherit_errexit # also in $(...)

cd "$(dirname "$0")/.."
. tools/release/root.sh
work=$PWD/build/release report=$PWD/build/release/report.md
ROOTS=
case "${1:-}" in
    --roots) ROOTS=$(realpath -m "${2:?--roots needs a folder}") ;;
    "") ;;
    *) sed -n '2,/^set/s/^# \{0,1\}//p' "$0" && exit 2 ;;
esac
commit=$(git rev-parse HEAD)
SOURCE_DATE_EPOCH=$(git log -1 --format=%ct "$commit")
export SOURCE_DATE_EPOCH PIP_DISABLE_PIP_VERSION_CHECK=1
export PYTHONHASHSEED=0 # Cython declares some constants in the order of a set
umask 022 # wheels keep the modes of files

# build_tools VERSION: an environment of this Python with the pinned build tools; prints its folder.
build_tools() {
    local tools="$work/tools-$1"
    if [ ! -e "$tools/.installed" ] || [ packaging/build.txt -nt "$tools/.installed" ]; then
        "python$1" -m venv --clear "$tools"
        "$tools/bin/pip" install --quiet --require-hashes --requirement packaging/build.txt >&2
        touch "$tools/.installed"
    fi
    printf '%s\n' "$tools"
}

# build_wheel FOLDER PYTHON ARCHITECTURE: build the sources in FOLDER/source; auditwheel decides whether the tag is true.
build_wheel() {
    local bin include="$work/include"
    bin=$(build_tools "$2")/bin
    # Debian's pyconfig.h includes that of the target's package; both processors have the same sizes and byte order.
    mkdir -p "$include"
    ln -sfn "/usr/include/$(uname -m)-linux-gnu" "$include/$3-linux-gnu"
    rm -rf "$1/source/build" "$1/raw" "$1"/source/src/genre_edge/mel/_logmel.c
    (
        cd "$1/source"
        export CC="$3-linux-gnu-gcc" LDSHARED="$3-linux-gnu-gcc -shared" _PYTHON_HOST_PLATFORM="linux-$3"
        # dlopen was in libdl before glibc 2.34, and an empty libdl is there since.
        export LDFLAGS="-s -Wl,--no-as-needed -l:libdl.so.2"
        export CFLAGS="-g0 -I$include -include $work/old_glibc.h" SETUPTOOLS_EXT_SUFFIX=".cpython-${2/./}-$3-linux-gnu.so"
        "$bin/python" -m build --no-isolation --wheel --outdir "$1/raw" . >"$1/log" 2>&1 || { cat "$1/log" && exit 1; }
    )
    PATH="$bin:$PATH" "$bin/auditwheel" repair --only-plat --plat auto --wheel-dir "$1/dist" "$1"/raw/*.whl >"$1/log" 2>&1 ||
        { cat "$1/log" && exit 1; }
    compgen -G "$1/dist/*-cp${2/./}-*manylinux_2_17_$3.whl" >/dev/null || { cat "$1/log" && die "the wheel needs a newer glibc than 2.17"; }
}

# build_all FOLDER: build the sdist, and the wheels from it, in FOLDER/dist.
build_all() {
    local architecture python bin
    bin=$(build_tools 3.11)/bin
    rm -rf "$1" && mkdir -p "$1/checkout" "$1/source" "$1/dist"
    git archive "$commit" | tar -x -C "$1/checkout"
    (cd "$1/checkout" && "$bin/python" -m build --no-isolation --sdist --outdir "$1/dist" . >"$1/log" 2>&1) || { cat "$1/log" && exit 1; }
    "$bin/python" tools/release/repack_sdist.py "$1"/dist/*.tar.gz
    tar -x -C "$1/source" --strip-components 1 -f "$1"/dist/*.tar.gz
    for architecture in x86_64 aarch64; do
        for python in 3.10 3.11 3.12; do build_wheel "$1" "$python" "$architecture"; done
    done
}

# install_release PIP DIST: install the wheel in DIST, and its dependencies from the package index.
install_release() {
    "${@:1:$#-1}" install --quiet --no-index --no-deps --find-links "${!#}" genre-edge &&
        "${@:1:$#-1}" install --quiet --only-binary :all: genre-edge
}

# check NAME PYTHON: install the wheels' release in a new environment of this Python and check it; add a line to the report.
check() {
    local result="works" environment="$work/environment"
    "$2" -m venv --clear "$environment"
    install_release "$environment/bin/pip" dist &&
        "$environment/bin/python" tools/release/check_install.py demo/song.ogg "$work/expected.json" || result="**fails**"
    report_line "$1" "$("$2" -c 'import platform; print(platform.python_version())')" "$environment" "$result"
}

# check_root ARCHITECTURE SUITE: the same in a Debian, which must have no compiler.
check_root() {
    local root="$ROOTS/$1-$2" result="works" version
    create_root "$1" "$2" ca-certificates,python3,python3-venv
    mount_root "$root"
    ! in_root "$root" sh -c 'command -v gcc || command -v cc' || die "$root has a compiler"
    rm -rf "$root/release" && mkdir "$root/release"
    cp -r dist demo/song.ogg tools/release/check_install.py "$work/expected.json" "$root/release"
    version=$(in_root "$root" python3 -c 'import platform; print(platform.python_version())')
    in_root "$root" python3 -m venv --clear /release/environment
    install_release in_root "$root" /release/environment/bin/pip /release/dist &&
        in_root "$root" /release/environment/bin/python /release/check_install.py /release/song.ogg /release/expected.json || result="**fails**"
    report_line "Debian $2, $1${QEMU_CPU:+ ($QEMU_CPU, emulated)}" "$version" "$root/release/environment" "$result"
    rm -rf "$root/release"
    unmount_root "$root"
}

# report_line MACHINE PYTHON ENVIRONMENT RESULT
report_line() {
    printf '| %s | %s | %s MB | %s |\n' "$1" "$2" "$(du -sm "$3" | cut -f 1)" "$4" | tee -a "$report"
}

for program in x86_64-linux-gnu-gcc aarch64-linux-gnu-gcc python3.10 python3.11 python3.12; do
    $program --version >/dev/null 2>&1 || die "$program is missing"
done
[ -z "$ROOTS" ] || [ "$(id -u)" = 0 ] || die "--roots must run as root: chroot needs it"
mkdir -p "$work"
cp tools/release/old_glibc.h "$work" # outside of the folders that are compared

say "building twice"
build_all "$work/first"
(export TZ=Asia/Tokyo LC_ALL=C && build_all "$work/second/in another folder")
for file in "$work"/first/dist/*; do
    cmp "$file" "$work/second/in another folder/dist/$(basename "$file")" || die "the two builds differ"
done
rm -rf dist && cp -r "$work/first/dist" dist
{
    printf '| file | bytes | SHA-256 |\n| --- | --- | --- |\n'
    for file in dist/*; do printf '| %s | %s | %s |\n' "$(basename "$file")" "$(stat -c %s "$file")" "$(sha256sum "$file" | cut -c -16)..."; done
    printf '\n| machine | Python | installed | result |\n| --- | --- | --- | --- |\n'
} | tee "$report"

python3.11 -m venv --clear "$work/environment"
install_release "$work/environment/bin/pip" dist
for model in edge nano paper; do
    "$work/environment/bin/genre-edge" classify --model $model --format jsonl demo/song.ogg
done >"$work/expected.json"
for python in 3.10 3.11 3.12 3.13 3.14; do
    if "python$python" -c '' 2>/dev/null; then
        check "$(uname -m), host" "python$python"
    else
        printf '| %s, host | %s | | not checked: no python%s |\n' "$(uname -m)" "$python" "$python" | tee -a "$report"
    fi
done
if [ -n "$ROOTS" ]; then
    require_packages mmdebstrap arch-test debian-archive-keyring
    trap clean_up_roots EXIT
    enable_arm64
    for suite in bookworm trixie; do
        check_root amd64 $suite
        QEMU_CPU=cortex-a72 check_root arm64 $suite
    done
    check_root amd64 forky # with Python 3.14; there is no Debian 14 yet
fi
! grep -q fails "$report" || die "a check failed; see $report"
