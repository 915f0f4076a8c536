#!/usr/bin/env bash
# Runs in the machine that tools/arm64.sh boots: the guide's commands as the user `pi`, and checks after each section. The line
# that begins with RESULT is for the table; without it, the run has failed.
set -euo pipefail

here=/run/guide
say() { printf '== %s, %s\n' "$(cut -d ' ' -f 1 /proc/uptime) s" "$*"; }
trap 'echo "FAILED in line $LINENO"; journalctl --no-pager -u genre-edge | tail -n 20' ERR

# section HEADING [--only NUMBER]: paste a section's commands into a shell of the user `pi`.
section() {
    local commands
    say "$1"
    commands=$(python3 $here/guide.py $here/raspberry-pi.md "$@")
    printf '%s\n' "$commands" | sed 's/^/$ /'
    printf 'set -e\n%s\n' "$commands" | sudo -u pi -i bash
}

# verdict: wait until the station has classified the radio as classical music.
verdict() {
    python3 - <<'END'
import json, time, urllib.request
for _ in range(600):
    status = json.load(urllib.request.urlopen("http://127.0.0.1:8000/api/v1/status", timeout=60))
    if (status["verdict"] or {}).get("genre") == "classical":
        print("the service says: classical")
        break
    time.sleep(1)
else:
    raise SystemExit(f"no verdict: {status}")
END
}

chmod -R a+rX $here
cp $here/ca-certificates.crt /etc/ssl/certs/
# The constraint keeps pip from taking another version from the package index.
{ echo '[global]' && cat $here/pip.conf && printf '[install]\nfind-links = %s\nconstraint = %s\n' $here/index $here/constraint; } >/etc/pip.conf
release() { # FOLDER: offer the wheel in this folder
    ln -sfn "$here/$1" $here/index
    version=$(cd $here/index && compgen -G 'genre_edge-*' | head -n 1 | cut -d - -f 2)
    echo "genre-edge == $version" >$here/constraint
}
release old
say "$(. /etc/os-release && echo "$PRETTY_NAME"), $(uname -m), $(python3 --version), memory $(free -m | awk '/^Mem/ {print $2}') MB"
if command -v gcc || command -v cc; then false; fi

section "2. Install the prerequisites"
section "3. Install genre-edge"
[ "$(/opt/genre-edge/bin/genre-edge --version)" = "genre-edge $version" ]
sudo -u pi -i /opt/genre-edge/bin/python $here/check_install.py $here/song.ogg $here/expected.json
installed=$(du -sm /opt/genre-edge | cut -f 1)
section "4. Run it as a service"
say "the service waits for a microphone"
systemctl is-active genre-edge

say "the service plays a radio"
(cd $here && exec python3 -m http.server --bind 127.0.0.1 8765 >/dev/null 2>&1) &
sleep 5
echo 'GENRE_EDGE_OPTIONS="http://127.0.0.1:8765/song.ogg --interval 5"' >/etc/genre-edge.conf
systemctl restart genre-edge
verdict
systemd-analyze security genre-edge --no-pager | tail -n 1
memory=$(($(systemctl show -P MemoryCurrent genre-edge) >> 20))
test -s /var/lib/genre-edge/history.db

release new
section "6. Upgrade and uninstall" --only 0
[ "$(/opt/genre-edge/bin/genre-edge --version)" = "genre-edge $version" ]
verdict
section "6. Upgrade and uninstall" --only 1
if systemctl is-active --quiet genre-edge; then false; fi
left=$(find / -xdev -name '*genre[-_]edge*' -not -path '/run/*' -not -path '/proc/*' -not -path '/tmp/*' -not -path '/var/log/*')
[ -z "$left" ] || { echo "left: $left" && false; }
printf 'RESULT: works; Python %s, %s MB on disk, service %s MB, %s s\n' "$(python3 -c 'import platform; print(platform.python_version())')" \
    "$installed" "$memory" "$(cut -d . -f 1 /proc/uptime)"
