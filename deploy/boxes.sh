#!/usr/bin/env bash
# The program under the constraints of its containers and manifests, by this machine's own namespaces and cgroups, without a container engine:
# a read-only root and no /tmp that can be written, a user that no list knows, no HOME, no capabilities, no new privileges, the system calls that engines
# refuse refused, an empty environment, the locale C, and the memory and processors that `nibble k3s-size` prints.
#
#   deploy/boxes.sh                        what is built: target/nibble, and what Java runs, target/quarkus-app
#   deploy/boxes.sh native | jvm           one of them
#   deploy/boxes.sh --executable FILE      another native executable
#
# It needs root on Linux; where namespaces can't be made or a cgroup can't be written, that is skipped, and said.
#
#   NIBBLE_BOX_HTTP_PORT, NIBBLE_BOX_GRPC_PORT   ports to serve on meanwhile; default 18380 and 19300
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")/.."
http=${NIBBLE_BOX_HTTP_PORT:-18380} grpc=${NIBBLE_BOX_GRPC_PORT:-19300}
model=$PWD/src/main/resources/models/nibble-home.gguf
executable=$PWD/target/nibble
jvm_memory=768 # MiB: a JVM with the embedded model takes 510 to 600 (README, "Measured")
passed=0 failed=0 skipped=0
server='' cgroups=()
work=$(mktemp -d)
chmod 755 "$work"

pass() { passed=$((passed + 1)); printf 'ok       %s\n' "$1"; }
miss() { failed=$((failed + 1)); printf 'FAILED   %s\n' "$1"; if [ -s "$work/out" ]; then sed 's/^/         /' "$work/out" | cut -c 1-300 | tail -n 15; fi; }
skip() { skipped=$((skipped + 1)); printf 'skipped  %s\n' "$1"; }
# check WHAT COMMAND…: the command's exit code decides; what it printed is shown if it failed.
check() {
  local what=$1
  shift
  if "$@" >"$work/out" 2>&1; then pass "$kind: $what"; else miss "$kind: $what"; fi
}

end() {
  if [ -n "$server" ]; then kill -9 "$server" 2>/dev/null || true; wait "$server" 2>/dev/null || true; fi
  for folder in ${cgroups[@]+"${cgroups[@]}"}; do for _ in 1 2 3 4 5 6 7 8 9 10; do rmdir "$folder" 2>/dev/null && break; sleep 0.1; done; done
  rm -rf "$work"
}
trap end EXIT

if [ "$(id -u)" -ne 0 ] || ! unshare --mount --ipc true 2>/dev/null; then skip "boxes: namespaces can't be made here (needs root on Linux)"; exit 0; fi
for program in setpriv perl curl; do command -v $program >/dev/null || { skip "boxes: there is no $program here"; exit 0; }; done

# ---- the box

# Refuses the system calls that container engines' default filters refuse to processes without capabilities; on x86-64, elsewhere nothing.
cat >"$work/filter.pl" <<'END'
use strict;
my ($arch) = (split ' ', `uname -m`);
if ($arch eq 'x86_64') {
  # add_key bpf keyctl request_key ptrace perf_event_open mount umount2 pivot_root unshare setns userfaultfd io_uring_* kexec_load *_module
  # set_mempolicy get_mempolicy mbind move_pages open_by_handle_at reboot swapon swapoff settimeofday syslog quotactl fsopen
  my @denied = (248, 321, 250, 249, 101, 298, 165, 166, 155, 272, 308, 323, 425, 426, 427, 246, 175, 176, 313, 238, 239, 237, 279, 304, 169, 167, 168, 164, 103, 179, 430);
  my @code = ([0x20, 0, 0, 4], [0x15, 1, 0, 0xC000003E], [0x06, 0, 0, 0x7FFF0000], [0x20, 0, 0, 0]);
  push @code, [0x15, 0, 1, 435], [0x06, 0, 0, 0x00050000 | 38]; # clone3: ENOSYS, so that the C library takes clone
  push @code, [0x15, 0, 1, $_], [0x06, 0, 0, 0x00050000 | 1] for @denied; # EPERM
  push @code, [0x06, 0, 0, 0x7FFF0000];
  my $program = join '', map { pack 'SCCL', @$_ } @code;
  my $filter = pack 'S x![P] P', scalar @code, $program;
  syscall(157, 38, 1, 0, 0, 0) == 0 or die "no_new_privs: $!";
  syscall(157, 22, 2, $filter, 0, 0) == 0 or die "seccomp: $!";
}
exec { $ARGV[0] } @ARGV or die "$ARGV[0]: $!";
END

# What runs first in the namespaces: brings the program in, makes all mounts read-only but the volume, and becomes nobody.
cat >"$work/enter.sh" <<'END'
set -euo pipefail
work=$1 volume=$2 jdk=$3 application=$4 options=$5 executable=$6
shift 6
[ -z "$jdk" ] || mount --bind "$jdk" "$work/jdk"
[ -z "$application" ] || { mount --bind "$application" "$work/app"; mount --bind "$options" "$work/options"; }
[ -z "$executable" ] || mount --bind "$executable" "$work/nibble"
if [ -n "$volume" ]; then mount --bind "$volume" "$volume"; fi
awk '{print $5}' /proc/self/mountinfo | while read -r mount; do
  mount=$(printf '%b' "$mount")
  [ "$mount" = "$volume" ] || mount -o remount,ro,bind "$mount" 2>/dev/null || true
done
if touch /tmp/writable 2>/dev/null; then echo "box: /tmp can be written" >&2; exit 99; fi
cd /
exec setpriv --reuid 4711 --regid 4711 --clear-groups --no-new-privs --bounding-set=-all --inh-caps=-all perl "$work/filter.pl" "$@"
END

mkdir -p "$work/jdk" "$work/app" "$work/volume"
touch "$work/nibble" "$work/options"
chown 4711:4711 "$work/volume"

# in_box [NAME=VALUE…] -- WORDS…: runs the program in the box, in this shell's process, with this environment and no other. $cgroup and $volume may be set.
in_box() {
  local environment=() words=()
  while [ "$1" != -- ]; do environment+=("$1"); shift; done
  shift
  if [ "$kind" = jvm ]; then
    # As Dockerfile.jvm has it.
    environment=(LANG=C.UTF-8 LC_ALL=C.UTF-8 ${environment[@]+"${environment[@]}"})
    words=("$work/jdk/bin/java" "@$work/options" --sun-misc-unsafe-memory-access=allow -jar "$work/app/quarkus-run.jar")
  else
    words=("$work/nibble")
  fi
  [ -z "${cgroup:-}" ] || for each in $cgroup; do echo "$BASHPID" >"$each/cgroup.procs"; done
  exec unshare --mount --ipc --propagation private bash "$work/enter.sh" "$work" "${volume:-}" "$jdk" "$application" "$options" "$binary" \
    /usr/bin/env -i ${environment[@]+"${environment[@]}"} "${words[@]}" "$@"
}
nibble() { (in_box "$@"); }

# refused PATTERN WORDS…: exit code 2 and one line like PATTERN, beside what a JVM says of its modules.
refused() {
  local pattern=$1 status=0
  shift
  nibble "$@" >"$work/refused" 2>&1 || status=$?
  cat "$work/refused"
  sed -i '/^WARNING: Using incubator/d' "$work/refused"
  [ $status -eq 2 ] && [ "$(wc -l <"$work/refused")" -eq 1 ] && grep -q -e "$pattern" "$work/refused"
}

# make_cgroup MIB PROCESSORS: sets cgroup to the folders of a new one, v2 or v1; fails where none can be made.
make_cgroup() {
  local own name=nibble-box-$$-$RANDOM folder
  cgroup=
  if [ -e /sys/fs/cgroup/cgroup.controllers ]; then
    folder=/sys/fs/cgroup/$name
    echo '+memory +cpu' >/sys/fs/cgroup/cgroup.subtree_control 2>/dev/null
    mkdir "$folder" 2>/dev/null || return 1
    cgroups+=("$folder")
    echo $(($1 << 20)) >"$folder/memory.max" && echo "$(($2 * 100000)) 100000" >"$folder/cpu.max" || return 1
    echo 0 >"$folder/memory.swap.max" 2>/dev/null || true
    cgroup=$folder
    return
  fi
  own=$(sed -n 's/^[0-9]*:memory://p' /proc/self/cgroup)
  folder=/sys/fs/cgroup/memory${own%/}/$name
  mkdir "$folder" 2>/dev/null || return 1
  cgroups+=("$folder")
  echo $(($1 << 20)) >"$folder/memory.limit_in_bytes" 2>/dev/null || return 1
  cgroup=$folder
  own=$(sed -n 's/^[0-9]*:\(cpu\|cpu,cpuacct\)://p' /proc/self/cgroup)
  folder=/sys/fs/cgroup/cpu${own%/}/$name
  if mkdir "$folder" 2>/dev/null; then
    cgroups+=("$folder")
    echo 100000 >"$folder/cpu.cfs_period_us" && echo $(($2 * 100000)) >"$folder/cpu.cfs_quota_us" && cgroup="$cgroup $folder"
  fi
}
# The most memory that the cgroup held, in MiB.
most_memory() {
  local folder=${cgroup%% *} each
  for each in memory.peak memory.max_usage_in_bytes; do if [ -r "$folder/$each" ]; then echo $(($(cat "$folder/$each") >> 20)); return; fi; done
}

# ---- a service in the box

# start [NAME=VALUE…]
start() {
  in_box QUARKUS_HTTP_PORT="$http" QUARKUS_GRPC_SERVER_PORT="$grpc" "$@" -- serve >"$work/log" 2>&1 &
  server=$!
  for _ in $(seq 1200); do
    curl -sf -m 5 "localhost:$http/q/health/ready" >/dev/null 2>&1 && return 0
    kill -0 $server 2>/dev/null || break
    sleep 0.05
  done
  cat "$work/log"
  return 1
}
stop() {
  local status=0
  kill "$server" || return 1
  wait "$server" || status=$?
  server=''
  tail -n 5 "$work/log"
  [ $status -eq 0 ] || [ $status -eq 143 ]
}
answers() {
  curl -s -m 60 "localhost:$http/v1/chat/completions" -H 'content-type: application/json' "$@" \
    -d '{"model":"nibble-home","temperature":0,"messages":[{"role":"user","content":"dim the kitchen light to 30 percent"}]}' | tee "$work/answer"
  grep -qF '"content":"{\"device\":\"light\",\"room\":\"kitchen\",\"action\":\"dim\",\"value\":30}"' "$work/answer"
}
status_of() { curl -s -m 60 -o /dev/null -w '%{http_code}' "$@" || true; }
alive() { kill -0 "$server"; }

# What strangers and heavy users do at once, for a few seconds: large bodies, long answers, unfinished requests, idle connections, words that are no HTTP.
hostile() {
  python3 - "$http" "$grpc" <<'END'
import socket, sys, threading
http, grpc = int(sys.argv[1]), int(sys.argv[2])

def send(port, data, read=True, hold=None):
  try:
    with socket.create_connection(("localhost", port), timeout=60) as s:
      s.sendall(data)
      if hold:
        hold.wait(20)
      while read and s.recv(65536):
        pass
  except OSError:
    pass

def post(path, body):
  return (b"POST %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % (path, len(body))) + body

done = threading.Event()
large = post(b"/v1/completions", b'{"max_tokens":4,"prompt":"' + b"a" * 4000000 + b'"}')
long = post(b"/v1/completions", b'{"max_tokens":400,"ignore_eos":true,"stream":true,"prompt":"Once upon a time"}')
half = post(b"/v1/completions", b'{"prompt":"' + b"a" * 2000000)[:1500000]
threads = []
def start(times, *args):
  for _ in range(times):
    threads.append(threading.Thread(target=send, args=args, daemon=True))
start(40, http, large)
start(40, http, long)
start(30, http, half, False, done)
start(200, http, b"GET / HTTP/1.1\r\nHost:", False, done)
start(50, grpc, b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
start(50, grpc, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\4\0\0\0\0\0", False, done)
for t in threads:
  t.start()
threading.Event().wait(8)
done.set()
for t in threads:
  t.join(60)
END
}

memory_and_processors() {
  local text
  text=$(nibble -- k3s-size --model "$model" 2>/dev/null) || return 1
  memory=$(sed -n 's/^ *memory: \([0-9]*\)Mi$/\1/p' <<<"$text" | tail -n 1)
  processors=$(sed -n 's/^ *cpu: "\([0-9]*\)"$/\1/p' <<<"$text" | tail -n 1)
  if [ "$kind" = jvm ]; then memory=$jvm_memory; fi
  [ -n "$memory" ] && [ -n "$processors" ]
}

program_part() { # program_part KIND
  kind=$1 jdk='' application='' options='' binary='' cgroup='' volume=''
  if [ "$kind" = jvm ]; then
    jdk=$(for home in "${JAVA_HOME:-/nonexistent}" /usr/lib/jvm/* /opt/jdk* /opt/java/*; do if grep -q '^JAVA_VERSION="25[."]' "$home/release" 2>/dev/null; then echo "$home"; break; fi; done)
    if [ -z "$jdk" ]; then skip "jvm: there is no JDK 25"; return; fi
    jdk=$(readlink -f "$jdk") application=$PWD/target/quarkus-app options=$PWD/src/main/jvm/options
  else
    binary=$executable
  fi
  cp "$model" "$work/modèle é.gguf"
  chmod 644 "$work/modèle é.gguf"
  local locale
  for locale in '' LC_ALL=C; do
    # What a JVM can't do by itself its container file does.
    [ "$kind" = native ] || [ -z "$locale" ] || continue
    check "inspect of a name with accents, environment: ${locale:-empty}" nibble ${locale:+"$locale"} -- inspect "$work/modèle é.gguf"
    check "run, environment: ${locale:-empty}" bash -c 'grep -q "^Café" <<<"$1"' - "$(nibble ${locale:+"$locale"} -- run --temp 0 --max-tokens 4 Café 2>&1)"
  done
  check "doctor" nibble -- doctor
  check "keys new that prints" nibble -- keys new --name printed
  check "keys new on a read-only root is refused in a line" refused "can't be changed, and is as before: Read-only file system" -- keys new --name a --file "$work/app/../keys"
  volume=$work/volume
  check "keys new on a volume" nibble -- keys new --name a --file "$volume/keys"
  check "keys list" bash -c '[ "$1" = "a  generate" ]' - "$(nibble -- keys list --file "$volume/keys" 2>/dev/null)"
  check "keys revoke" nibble -- keys revoke --name a --file "$volume/keys"
  check "and no other file is left" test "$(ls -A "$volume")" = keys
  rm -f "$volume/keys"
  full_disk
  volume=''

  if ! memory_and_processors; then miss "$kind: k3s-size prints memory and processors"; return; fi
  if ! make_cgroup "$memory" "$processors"; then skip "$kind: no cgroup of $memory MiB can be made here"; cgroup=''; fi
  if [ -n "$cgroup" ]; then check "doctor shares out the limit" bash -c 'grep -q "^ok *memory *$2 MB (the cgroup" <<<"$1"' - "$(nibble -- doctor 2>&1)" "$memory"; fi
  check "serve${cgroup:+ in $memory MiB and $processors processors}" start
  if [ -z "$server" ] || ! alive 2>/dev/null; then server=''; return; fi
  check "a completion over REST" answers
  check "not as root" test "$(awk '/^Uid:/ {print $2}' "/proc/$server/status")" -eq 4711
  check "a form with files is refused" bash -c '[ "$1" -ge 400 ] && [ "$1" -lt 500 ]' - "$(status_of "localhost:$http/v1/completions" -F file=@"$model")"
  check "health" nibble QUARKUS_GRPC_SERVER_PORT="$grpc" -- health
  if [ -n "$cgroup" ] && command -v python3 >/dev/null; then
    check "what strangers do" hostile
    check "and it lives" alive
    check "and answers" answers
    printf '         most memory of the box: %s of %s MiB\n' "$(most_memory)" "$memory"
  else
    skip "$kind: strangers (needs a cgroup and python3)"
  fi
  check "SIGTERM ends it" stop
  cgroup=''
  secret
}

# Keys on a full disk: said in a line, and all is as before.
full_disk() {
  local disk=$work/disk
  mkdir -p "$disk"
  mount -t tmpfs -o size=64k,mode=777 tmpfs "$disk"
  volume=$disk
  check "keys new on a small disk" nibble -- keys new --name first --file "$disk/keys"
  cp "$disk/keys" "$work/keys.before"
  head -c 100000 /dev/zero >"$disk/full" 2>/dev/null || true
  check "keys new on a full disk is refused in a line" refused 'No space left on device' -- keys new --name second --file "$disk/keys"
  check "and the file is as before, alone" bash -c 'cmp "$1/keys" "$2" && [ "$(ls -A "$1" | tr "\n" " ")" = "full keys " ]' - "$disk" "$work/keys.before"
  umount "$disk"
}

# As Kubernetes mounts a Secret: links, read-only.
secret() {
  local folder=$work/secret key
  rm -rf "$folder"
  mkdir -p "$folder/..2026_01_01"
  volume=$work/volume
  key=$(nibble -- keys new --name device --file "$volume/keys" 2>/dev/null)
  volume=''
  mv "$work/volume/keys" "$folder/..2026_01_01/keys"
  chmod 644 "$folder/..2026_01_01/keys"
  ln -s ..2026_01_01 "$folder/..data"
  ln -s ..data/keys "$folder/keys"
  check "keys new in a Secret's mount is refused in a line" refused "Read-only file system" -- keys new --name b --file "$folder/keys"
  check "serve with a Secret's keys" start NIBBLE_AUTH_KEYS_FILE="$folder/keys"
  if [ -z "$server" ] || ! alive 2>/dev/null; then server=''; return; fi
  check "without a key: 401" test "$(status_of "localhost:$http/v1/models")" = 401
  check "with it: an answer" answers -H "Authorization: Bearer $key"
  check "SIGTERM ends it" stop
}

kinds=()
case "${1:-}" in
  '')
    if [ -x "$executable" ]; then kinds+=(native); else skip "native: there is no target/nibble (./nibble native)"; fi
    if [ -e target/quarkus-app/quarkus-run.jar ]; then kinds+=(jvm); else skip "jvm: there is no target/quarkus-app (./nibble --version)"; fi
    ;;
  native) kinds=(native) ;;
  jvm) kinds=(jvm) ;;
  --executable) executable=$(readlink -f "${2:?boxes: --executable needs a file}"); kinds=(native) ;;
  *) echo "boxes: no part $1; allowed: native, jvm, --executable FILE" >&2; exit 2 ;;
esac
for each in ${kinds[@]+"${kinds[@]}"}; do program_part "$each"; done
printf '%s passed, %s failed, %s skipped\n' $passed $failed $skipped
[ $failed -eq 0 ]
