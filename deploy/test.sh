#!/usr/bin/env bash
# Containers, unit, notices to systemd, installer, alerts and dashboard, tried on this machine without a Docker engine.
#
#   deploy/test.sh              everything that can be tried here
#   deploy/test.sh PART …       parts: files, unit, installer, alerts, notices, container, boxes, boot
#
# It needs target/nibble (./nibble native) and root on Debian or Ubuntu, where it installs what is missing: buildah, systemd, and for `boot`, which
# starts the unit under a systemd of its own in a container, systemd-container and debootstrap. What can't be installed or run here is skipped, and said.
#
#   NIBBLE_HTTP_PORT, NIBBLE_GRPC_PORT   ports to serve on meanwhile; default 18280 and 19200
#   NIBBLE_DEBIAN_MIRROR                 a Debian mirror for `boot`, where apt knows none
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")/.."
http=${NIBBLE_HTTP_PORT:-18280} grpc=${NIBBLE_GRPC_PORT:-19200}
most_image_mb=100
most_exposure=20 # of systemd-analyze security: 2.0
passed=0 failed=0 skipped=0
work=$(mktemp -d)
server=''

pass() { passed=$((passed + 1)); printf 'ok       %s\n' "$1"; }
miss() { failed=$((failed + 1)); printf 'FAILED   %s\n' "$1"; }
skip() { skipped=$((skipped + 1)); printf 'skipped  %s\n' "$1"; }
# check WHAT COMMAND…: the command's exit code decides; what it printed is shown if it failed.
check() {
  local what=$1
  shift
  if "$@" >"$work/check.out" 2>&1; then pass "$what"; else miss "$what"; sed 's/^/         /' "$work/check.out" | tail -n 15; fi
}
# refused PATTERN COMMAND…: exit code 2 and one line like PATTERN.
refused() {
  local pattern=$1 status=0
  shift
  "$@" >"$work/refused.out" 2>&1 || status=$?
  cat "$work/refused.out"
  [ "$status" -eq 2 ] && [ "$(wc -l <"$work/refused.out")" -eq 1 ] && grep -q -e "$pattern" "$work/refused.out"
}

end() {
  [ -z "$server" ] || kill "$server" 2>/dev/null || true
  wait 2>/dev/null || true
  # Layers of the images are made for other users, and mounts must be gone first.
  if command -v buildah >/dev/null && [ -d "$work/storage" ]; then store rm --all >/dev/null 2>&1 || true; fi
  rm -rf "$work"
}
trap end EXIT

updated=''
# need PROGRAM PACKAGE: true if the program is there, or could be installed.
need() {
  command -v "$1" >/dev/null && return 0
  [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null || return 1
  [ -n "$updated" ] || apt-get update -q >/dev/null 2>&1 || return 1
  updated=yes
  DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "$2" >"$work/apt.log" 2>&1 && command -v "$1" >/dev/null
}

# The first Debian archive among the sources of apt, whatever form they are written in.
mirror() {
  printf '%s\n' "${NIBBLE_DEBIAN_MIRROR:-$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 2>/dev/null | sed -n 's,/*$,,; /\/debian$/p' | head -n 1)}"
}

ready() { curl -sf "localhost:$http/q/health/ready" >/dev/null 2>&1; }
# await_ready PID
await_ready() {
  for _ in $(seq 3000); do
    ready && return 0
    kill -0 "$1" 2>/dev/null || return 1
    sleep 0.005
  done
  return 1
}
now_ms() { date +%s%3N; }

# ---- files: what can be seen without running anything

files_part() {
  local file
  for file in deploy/*.sh; do check "$file is a script" bash -n "$file"; done
  if need shellcheck shellcheck; then check "shellcheck finds nothing" shellcheck -e SC2016,SC2015,SC1091 deploy/install.sh deploy/test.sh deploy/boxes.sh; else skip "shellcheck can't be installed here"; fi
  for file in native prebuilt jvm; do
    check "Dockerfile.$file: not root, checks its health, takes other base images" awk '
      /^USER [1-9]/ {user=1} /^HEALTHCHECK/ {health=1} /"health"/ {asks=1} /^ARG BASE=/ {base=1} /^FROM \$\{BASE\}/ {last=NR} /:latest/ {latest=1}
      END {exit !(user && health && asks && base && last && !latest)}' "deploy/Dockerfile.$file"
  done
  check "compose names no moving tags and makes nothing writable" bash -c '! grep -n "latest" deploy/compose.yaml && grep -q "read_only: true" deploy/compose.yaml'
}

# ---- unit

unit_part() {
  if ! need systemd-analyze systemd; then skip "unit: systemd can't be installed here"; return; fi
  # The executable that it starts is not installed here.
  mkdir -p "$work/unit"
  sed "s,^ExecStart=/usr/local/bin/nibble,ExecStart=$PWD/target/nibble," deploy/systemd/nibble.service >"$work/unit/nibble.service"
  check "systemd-analyze verify" bash -c "out=\$(systemd-analyze verify '$work/unit/nibble.service' 2>&1); status=\$?; printf '%s' \"\$out\"; [ \$status -eq 0 ] && [ -z \"\$out\" ]"
  systemd-analyze security --offline=true --no-pager "$work/unit/nibble.service" 2>/dev/null | tail -n 1 | sed 's/^[^O]*/         /'
  check "exposure at most 2.0" systemd-analyze security --offline=true --no-pager --threshold=$most_exposure "$work/unit/nibble.service"
}

# ---- installer: in a root of its own, with a systemctl that only notes what it is told

stub() { # stub FILE VERSION healthy|ill: an executable that answers as Nibble does
  printf '#!/bin/sh\ncase $1 in --version) echo "nibble %s" ;; health) exit %s ;; esac\n' "$2" "$([ "$3" = healthy ] && echo 0 || echo 1)" >"$1"
  chmod 755 "$1"
}

same() { cmp "$1" "$2"; }
absent() { for each in "$@"; do [ ! -e "$each" ] || { echo "$each is there"; return 1; }; done; }

installer_part() {
  local root=$work/root bin=$work/root/usr/local/bin/nibble unit=$work/root/etc/systemd/system/nibble.service settings=$work/root/etc/nibble/nibble.env
  local install=(deploy/install.sh --root "$root") before
  mkdir -p "$root"
  stub "$work/one" 1.0 healthy; stub "$work/two" 2.0 healthy; stub "$work/bad" 3.0 ill
  printf 'no executable\n' >"$work/text"
  check "install" "${install[@]}" install "$work/one"
  check "the executable is in place" same "$bin" "$work/one"
  check "so is the unit" same "$unit" deploy/systemd/nibble.service
  check "it starts with the system" test -L "$root/etc/systemd/system/multi-user.target.wants/nibble.service"
  echo 'NIBBLE_THREADS=3' >>"$settings"
  before=$(find "$root" -type f -printf '%p %i %T@\n' | sort)
  check "install again" "${install[@]}" install "$work/one"
  check "changes no file" test "$before" = "$(find "$root" -type f -printf '%p %i %T@\n' | sort)"
  check "upgrade" "${install[@]}" upgrade "$work/two"
  check "the new executable is in place" same "$bin" "$work/two"
  check "the old one beside it" same "$bin.previous" "$work/one"
  check "settings stay" grep -q '^NIBBLE_THREADS=3' "$settings"
  check "install of another executable upgrades too" "${install[@]}" install "$work/one"
  check "and it is in place" same "$bin" "$work/one"
  check "what is no executable is refused" refused 'not a Nibble executable' "${install[@]}" upgrade "$work/text"
  check "what is not there is refused" refused 'no such file' "${install[@]}" upgrade "$work/nowhere"
  check "and the installed one stays" same "$bin" "$work/one"

  # A systemctl that notes its arguments and says yes.
  printf '#!/bin/sh\necho "$*" >>%s\n' "$work/told" >"$work/systemctl"
  chmod 755 "$work/systemctl"
  export NIBBLE_SYSTEMCTL=$work/systemctl NIBBLE_PATIENCE=2
  check "upgrade of a running service" "${install[@]}" upgrade "$work/two"
  check "restarts it" grep -q '^restart nibble.service' "$work/told"
  check "an upgrade that is not well fails" bash -c '! "$@"' - "${install[@]}" upgrade "$work/bad"
  check "and the one before is back" same "$bin" "$work/two"
  check "remove" "${install[@]}" remove
  check "stops and disables it" grep -q '^disable --now' "$work/told"
  unset NIBBLE_SYSTEMCTL NIBBLE_PATIENCE
  check "nothing is left but settings" absent "$bin" "$bin.previous" "$unit" "$unit.d" "$root/etc/systemd/system/multi-user.target.wants/nibble.service"
  check "settings are" test -e "$settings"
  check "remove again" "${install[@]}" remove
  check "upgrade of nothing is refused" refused 'nothing is installed' "${install[@]}" upgrade "$work/one"
  check "remove --purge" "${install[@]}" remove --purge
  check "leaves no file" test -z "$(find "$root" -type f -o -type l)"
  check "unknown commands are refused" refused 'unknown command bogus' deploy/install.sh bogus
  check "unknown options are refused" refused 'unknown option --bogus' deploy/install.sh install --bogus
  check "no command is refused" refused 'needs a command' deploy/install.sh
  check "a root that is not there is refused" refused 'allowed: a folder that is there' deploy/install.sh install --root "$work/nowhere"
}

# ---- alerts: by Prometheus' own tool, unpacked and not installed, since its package starts a server

alerts_part() {
  local promtool=promtool
  if ! command -v promtool >/dev/null; then
    promtool=$work/prometheus/usr/bin/promtool
    mkdir -p "$work/prometheus"
    if ! (cd "$work/prometheus" && apt-get download -q prometheus && dpkg-deb -x prometheus_*.deb .) >"$work/apt.log" 2>&1; then
      skip "alerts: promtool can't be had here"
      return
    fi
  fi
  check "Prometheus' configuration" "$promtool" check config deploy/prometheus/prometheus.yaml
  check "alerts fire when they should" "$promtool" test rules deploy/prometheus/alerts.test.yaml
}

# The metrics that the dashboard and the alerts ask for, without the endings of histograms.
metrics_asked() {
  cat deploy/grafana/dashboards/nibble.json deploy/prometheus/alerts.yaml | grep -oE '\b(nibble|gen_ai_server|http_server)_[a-z_]+\b' | sort -u
}
metrics_are_served() {
  local metric absent=0 page
  page=$(curl -sf "localhost:$http/q/metrics")
  for metric in $(metrics_asked); do
    grep -qE "^$metric(\{| )" <<<"$page" || { echo "not served: $metric"; absent=1; }
  done
  return $absent
}

# ---- notices: what systemd would hear

notices_part() {
  if ! need perl perl-base || ! need systemd-notify systemd; then skip "notices: perl or systemd can't be installed here"; return; fi
  local heard=$work/heard ear
  # Plain recv: what comes with a message, such as the end of a pipe by which systemd-notify waits until it was read, is thereby closed.
  perl -MSocket -e 'socket(S, AF_UNIX, SOCK_DGRAM, 0) && bind(S, pack_sockaddr_un($ARGV[0])) or die $!; $| = 1; while (defined recv(S, $m, 4096, 0)) { print "$m\n" }' \
    "$work/notify" >"$heard" &
  ear=$!
  for _ in $(seq 100); do [ -S "$work/notify" ] && break; sleep 0.02; done
  QUARKUS_HTTP_PORT=$http QUARKUS_GRPC_SERVER_PORT=$grpc NOTIFY_SOCKET=$work/notify WATCHDOG_USEC=400000 target/nibble serve >"$work/serve.log" 2>&1 &
  server=$!
  if await_ready $server; then
    sleep 1.5
    kill $server
    wait $server || true
    check "systemd hears that it is ready" grep -aq 'READY=1' "$heard"
    check "its heartbeat" test "$(grep -ao 'WATCHDOG=1' "$heard" | wc -l)" -ge 3
    check "and that it stops" grep -aq 'STOPPING=1' "$heard"
  else
    miss "the service did not become ready"
    cat "$work/serve.log"
  fi
  kill $ear 2>/dev/null || true
  # Told to nobody: said once, and it serves all the same.
  QUARKUS_HTTP_PORT=$http QUARKUS_GRPC_SERVER_PORT=$grpc NOTIFY_SOCKET=$work/nowhere WATCHDOG_USEC=200000 target/nibble serve >"$work/serve.log" 2>&1 &
  server=$!
  check "it serves where nobody hears" await_ready $server
  sleep 1
  check "and says so once" test "$(grep -c "systemd can't be told" "$work/serve.log")" -eq 1
  kill $server
  wait $server || true
  server=''
}

# ---- container

store() { buildah --root "$work/storage" --runroot "$work/run" --storage-driver vfs "$@"; }

# A root file system of what the executable needs and no more, from this machine's Debian packages: no shell, no package manager.
make_base() {
  local base=$work/base packages=(libc6 ca-certificates)
  if ldd target/nibble | grep -q 'libz\.so'; then packages+=(zlib1g); fi
  mkdir -p "$base" "$work/debs"
  (cd "$work/debs" && apt-get download -q "${packages[@]}") || return 1
  for package in "$work"/debs/*.deb; do dpkg-deb --fsys-tarfile "$package" | tar -x -C "$base" --keep-directory-symlink; done
  # /tmp is nobody's to write: the program needs none.
  mkdir -p "$base/etc/ssl/certs" "$base/tmp"
  cat "$base"/usr/share/ca-certificates/mozilla/*.crt >"$base/etc/ssl/certs/ca-certificates.crt"
  printf 'root:x:0:0:root:/:/nonexistent\nnonroot:x:65532:65532:nonroot:/:/nonexistent\n' >"$base/etc/passwd"
  printf 'root:x:0:\nnonroot:x:65532:\n' >"$base/etc/group"
  # Programs of the C library's package, translations and manuals: nothing runs or reads them here.
  rm -rf "${base:?}"/{usr/bin,usr/sbin,sbin,bin} "$base"/usr/share/{doc,lintian,man,ca-certificates} "$base"/usr/lib/*/gconv "$base"/usr/lib/locale
  local container
  container=$(store from scratch)
  store copy -q "$container" "$base" / >/dev/null
  store commit -q "$container" localhost/nibble-base >/dev/null
  store rm "$container" >/dev/null
}

# The process whose environment has our port and whose program is the container's.
container_process() {
  local each
  for each in /proc/[0-9]*; do
    case $(readlink "$each/exe" 2>/dev/null) in
      */usr/bin/nibble) if tr '\0' '\n' <"$each/environ" 2>/dev/null | grep -qx "QUARKUS_HTTP_PORT=$http"; then echo "${each#/proc/}"; return; fi ;;
    esac
  done
}

run_in() { store run --isolation chroot --env QUARKUS_HTTP_PORT="$http" --env QUARKUS_GRPC_SERVER_PORT="$grpc" "$container" -- "$@"; }

container_part() {
  if [ "$(id -u)" -ne 0 ] || ! need buildah buildah; then skip "container: buildah can't be installed here"; return; fi
  local container began process answer mount size words at_process
  if ! make_base >"$work/base.log" 2>&1; then skip "container: no Debian packages for a base image here: $(tail -n 1 "$work/base.log")"; return; fi
  check "buildah bud of Dockerfile.prebuilt" store bud --isolation chroot --format docker --pull-never --layers=false -f deploy/Dockerfile.prebuilt \
    --ignorefile deploy/Dockerfile.prebuilt.dockerignore --build-arg BASE=localhost/nibble-base --build-arg REVISION=test -t localhost/nibble .
  container=$(store from --pull-never localhost/nibble) || { miss "no container"; return; }
  mount=$(store mount "$container")
  size=$(du -sm --apparent-size "$mount" | cut -f 1)
  printf '         image: %s MB, of which the base %s MB\n' "$size" "$(du -sm --apparent-size "$work/base" | cut -f 1)"
  check "image of at most $most_image_mb MB" test "$size" -le $most_image_mb
  check "its licence, and a bill of materials with those of its parts" bash -c "test -s '$mount/usr/share/doc/nibble/LICENSE' &&
    grep -q '\"bomFormat\" : \"CycloneDX\"' '$mount/usr/share/doc/nibble/nibble.cdx.json' && grep -q Apache-2.0 '$mount/usr/share/doc/nibble/nibble.cdx.json'"
  check "no shell in it" bash -c "! find '$mount' -name sh -o -name bash -o -name busybox | grep ."
  check "user, ports, labels, health check" bash -c "config=\$($(declare -f store); work=$work; store inspect --type image localhost/nibble) &&
    grep -q '\"User\": \"65532:65532\"' <<<\"\$config\" && grep -q '\"8080/tcp\"' <<<\"\$config\" && grep -q '\"9000/tcp\"' <<<\"\$config\" &&
    grep -q '\"org.opencontainers.image.revision\": \"test\"' <<<\"\$config\" && grep -q '\"/usr/bin/nibble\"' <<<\"\$config\" && grep -q Healthcheck <<<\"\$config\""

  # What the image says is run: entry point, then command.
  mapfile -t words < <(store inspect --type image --format '{{range .Docker.Config.Entrypoint}}{{println .}}{{end}}{{range .Docker.Config.Cmd}}{{println .}}{{end}}' localhost/nibble | sed '/^$/d')
  began=$(now_ms)
  run_in "${words[@]}" >"$work/serve.log" 2>&1 &
  server=$!
  if ! await_ready $server; then miss "the container's process serves"; cat "$work/serve.log"; return; fi
  local ready_at
  ready_at=$(now_ms)
  process=$(container_process)
  # When the kernel started it, in ticks of 10 ms since the machine's start.
  at_process=$(awk -v ticks="$(awk '{print $22}' "/proc/$process/stat")" -v now="$(date +%s.%N)" '{printf "%.0f", (now - $1 + ticks / 100) * 1000}' /proc/uptime)
  printf '         start to ready: %s ms of the process, %s ms with what buildah does before\n' $((ready_at - at_process)) $((ready_at - began))
  pass "the container's process serves"
  check "not as root" test "$(awk '/^Uid:/ {print $2}' "/proc/$process/status")" -eq 65532
  answer=$(curl -s "localhost:$http/v1/chat/completions" -H 'content-type: application/json' \
    -d '{"model":"nibble-home","temperature":0,"messages":[{"role":"user","content":"dim the kitchen light to 30 percent"}]}')
  check "a completion over REST" grep -qF '"content":"{\"device\":\"light\",\"room\":\"kitchen\",\"action\":\"dim\",\"value\":30}"' <<<"$answer"
  check "nibble health in the container: serving" bash -c "[ \"\$($(declare -f store run_in); work=$work http=$http grpc=$grpc container=$container; run_in /usr/bin/nibble health)\" = serving ]"
  check "dashboard and alerts ask for metrics that are served" metrics_are_served
  find "$mount" -xdev -newer "$work/serve.log" -type f -not -path "$mount/proc/*" -not -path "$mount/sys/*" -not -path "$mount/dev/*" >"$work/written"
  check "it wrote no file" test ! -s "$work/written"
  kill "$process"
  wait $server || true
  server=''
  check "nibble health after it: exit code 1" bash -c "$(declare -f store run_in); work=$work http=$http grpc=$grpc container=$container; run_in /usr/bin/nibble health; [ \$? -eq 1 ]"
}

# ---- boxes: the constraints of containers and manifests by namespaces of this machine

boxes_part() {
  local line
  NIBBLE_BOX_HTTP_PORT=$((http + 100)) NIBBLE_BOX_GRPC_PORT=$((grpc + 100)) deploy/boxes.sh native >"$work/boxes.log" 2>&1 || true
  while read -r line; do
    case $line in
      'ok '*) pass "${line#ok       }" ;;
      'FAILED '*) miss "${line#FAILED   }" ;;
      'skipped '*) skip "${line#skipped  }" ;;
      *' passed, '*) ;;
      *) printf '         %s\n' "$line" ;;
    esac
  done <"$work/boxes.log"
  grep -qE ' passed, |^skipped ' "$work/boxes.log" || miss "deploy/boxes.sh reached its end"
}

# ---- boot: a Debian of its own, started by its systemd in a container without a network; install.sh there, for real

# What happens in it. Its results are lines of /result, "ok WHAT" or "FAILED WHAT".
boot_script() {
  cat <<'SCRIPT'
#!/bin/bash
note() { if "${@:2}" >/tmp/out 2>&1; then echo "ok $1"; else echo "FAILED $1"; tail -n 5 /tmp/out; journalctl -u nibble -n 15 --no-pager -o cat; fi; }
pid() { systemctl show -P MainPID nibble; }
# Served by another process than $1.
again() { for _ in $(seq 150); do [ "$(pid)" != "$1" ] && [ "$(pid)" != 0 ] && /usr/local/bin/nibble health >/dev/null 2>&1 && return; sleep 0.2; done; return 1; }
exec >/result
mkdir -p /etc/systemd/system/nibble.service.d
# Shorter times, so that the test is short.
printf '[Service]\nWatchdogSec=2s\nRestartSec=1s\n' >/etc/systemd/system/nibble.service.d/test.conf
note "install.sh install starts the service" /opt/nibble/deploy/install.sh install
note "the service is active once its model is loaded" systemctl is-active nibble
note "nibble health: serving" test "$(/usr/local/bin/nibble health)" = serving
note "it says what it serves" test "$(systemctl show -P StatusText nibble)" = "Serving nibble-home."
note "it runs as a user of its own" test "$(stat -c %u /proc/$(pid))" -ge 61184
note "install.sh install again changes nothing" test "$(/opt/nibble/deploy/install.sh install | grep -c wrote)" -eq 0
before=$(pid)
sleep 5
note "its heartbeat keeps the watchdog quiet" test "$(pid)" = "$before"
note "its cache folder is there" test -d /var/cache/nibble
before=$(pid)
kill -9 "$before"
note "after kill -9 it comes back" again "$before"
before=$(pid)
kill -STOP "$before"
note "a process that hangs is ended by the watchdog and comes back" again "$before"
note "as a watchdog's case" bash -c 'journalctl --sync; journalctl -u nibble -o cat --no-pager | grep -i watchdog'
note "systemctl stop ends it well" bash -c 'systemctl stop nibble && [ "$(systemctl show -P Result nibble)" = success ]'
note "it said that it stops" bash -c 'journalctl --sync; journalctl -u nibble -o cat --no-pager | tail -n 20 | grep "stopped in"'
note "install.sh remove --purge" /opt/nibble/deploy/install.sh remove --purge
note "nothing is left" bash -c '! ls -d /usr/local/bin/nibble* /etc/nibble /var/lib/nibble /var/lib/private/nibble /var/cache/private/nibble 2>/dev/null | grep .'
echo "ok the end was reached"
systemctl poweroff
SCRIPT
}

boot_part() {
  if [ "$(id -u)" -ne 0 ] || ! need systemd-nspawn systemd-container || ! need debootstrap debootstrap; then skip "boot: systemd-container or debootstrap can't be installed here"; return; fi
  local cache=${XDG_CACHE_HOME:-$HOME/.cache}/nibble-deploy suite from box=$work/box
  suite=$(. /etc/os-release && echo "${VERSION_CODENAME:-trixie}")
  from=$(mirror)
  if [ ! -e "$cache/$suite/.complete" ]; then
    [ -n "$from" ] || { skip "boot: apt is not set up with a Debian mirror"; return; }
    rm -rf "${cache:?}/$suite"
    mkdir -p "$cache"
    debootstrap --variant=minbase --include=systemd,systemd-sysv,dbus "$suite" "$cache/$suite" "$from" >"$cache/debootstrap.log" 2>&1 ||
      { skip "boot: debootstrap failed; all of it is in $cache/debootstrap.log"; return; }
    rm -f "$cache/$suite"/var/cache/apt/archives/*.deb
    touch "$cache/$suite/.complete"
  fi
  cp -a "$cache/$suite" "$box"
  mkdir -p "$box/opt/nibble/target"
  cp -r deploy "$box/opt/nibble/"
  cp target/nibble "$box/opt/nibble/target/"
  boot_script >"$box/try.sh"
  chmod 755 "$box/try.sh"
  printf '[Service]\nType=exec\nExecStart=/try.sh\n' >"$box/etc/systemd/system/try.service"
  mkdir -p "$box/etc/systemd/system/multi-user.target.wants"
  ln -s /etc/systemd/system/try.service "$box/etc/systemd/system/multi-user.target.wants/"
  timeout -k 10 240 systemd-nspawn -D "$box" --boot --register=no --keep-unit --private-network --console=pipe -M "nibble-$$" </dev/null >"$work/boot.log" 2>&1 || true
  if [ ! -e "$box/result" ]; then skip "boot: no systemd starts in a container here: $(tail -n 1 "$work/boot.log" | tr -d '[:cntrl:]')"; return; fi
  while read -r line; do
    case $line in
      'ok '*) pass "${line#ok }" ;;
      'FAILED '*) miss "${line#FAILED }" ;;
      *) printf '         %s\n' "$line" ;;
    esac
  done <"$box/result"
  grep -q '^ok the end' "$box/result" || miss "the end was reached"
}

[ -x target/nibble ] || { echo "deploy: needs target/nibble: ./nibble native" >&2; exit 2; }
parts=("$@")
[ ${#parts[@]} -gt 0 ] || parts=(files unit installer alerts notices container boxes boot)
for part in "${parts[@]}"; do
  case $part in
    files | unit | installer | alerts | notices | container | boxes | boot) ;;
    *) echo "deploy: no part $part; allowed: files, unit, installer, alerts, notices, container, boxes, boot" >&2; exit 2 ;;
  esac
done
for part in "${parts[@]}"; do
  printf -- '---- %s\n' "$part"
  "${part}_part"
done
printf '%s passed, %s failed, %s skipped\n' $passed $failed $skipped
[ $failed -eq 0 ]
