#!/usr/bin/env bash
# The kernel and model tests on an emulated 64-bit ARM processor, and the digest of logits there against this machine's.
#
#   deploy/arm64/test.sh                 sets everything up if need be, and runs
#   deploy/arm64/test.sh --setup         sets up only
#   deploy/arm64/test.sh --digest        compares digests only
#   deploy/arm64/test.sh --pages         tries memory pages of 4, 16 and 64 KiB only
#   deploy/arm64/test.sh CLASS …         other test classes than those of the packages kernel and model, by full name
#
# What it installs: on this machine, if they are missing and it may (root on Debian or Ubuntu), the packages debootstrap and qemu-user-static; and a folder,
# 0.5 GB, with Debian trixie's openjdk-25-jre-headless for arm64 and what that needs, from the Debian mirror that apt is set up with. Nothing in the folder
# is run but Java, by user-mode emulation, without chroot. It takes some minutes, ten or so times slower than the machine.
#
#   NIBBLE_ARM64          the folder; default ${XDG_CACHE_HOME:-~/.cache}/nibble-arm64
#   NIBBLE_DEBIAN_MIRROR  a Debian mirror, where apt knows none
#   NIBBLE_SHARED         the fixtures of the tests; default ../shared
#   QEMU_CPU              default cortex-a72: NEON, 128-bit vectors. "max" has SVE, of which Java takes wider vectors.
#   JAVA_OPTS             more options for the emulated Java. Should its compilers crash in a later emulator, -XX:TieredStopAtLevel=1 or -Xint is slower but simpler.
set -euo pipefail
root=$(readlink -f "$(dirname "$(readlink -f "$0")")/../..")
folder=${NIBBLE_ARM64:-${XDG_CACHE_HOME:-$HOME/.cache}/nibble-arm64}
suite=trixie
jre=usr/lib/jvm/java-25-openjdk-arm64
export QEMU_CPU=${QEMU_CPU:-cortex-a72}
die() { printf 'arm64: %s\n' "$1" >&2; exit 2; }
say() { printf 'arm64: %s\n' "$1" >&2; }

# The packages that give the two programs.
tools() {
  local missing=()
  command -v debootstrap >/dev/null || missing+=(debootstrap)
  command -v qemu-aarch64-static >/dev/null || command -v qemu-aarch64 >/dev/null || missing+=(qemu-user-static)
  [ ${#missing[@]} -gt 0 ] || return 0
  if [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null; then
    say "installing ${missing[*]}"
    apt-get update -q >&2
    apt-get install -y -q --no-install-recommends "${missing[@]}" >&2
  else
    die "needs: apt-get install ${missing[*]}"
  fi
}

# The first Debian archive among the sources of apt, whatever form they are written in.
mirror() {
  local found
  found=${NIBBLE_DEBIAN_MIRROR:-$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 2>/dev/null | sed -n 's,/*$,,; /\/debian$/p' | head -n 1)}
  [ -n "$found" ] || die "apt is not set up with a Debian mirror (an address that ends in /debian): name one in NIBBLE_DEBIAN_MIRROR"
  printf '%s\n' "$found"
}

# Only unpacks: emulating the packages' own scripts would need a kernel that starts foreign programs, and Java does not need what they do.
setup() {
  local new=$folder/root.new from deb link target
  [ ! -e "$folder/root/.complete" ] || return 0
  [ "$(id -u)" -eq 0 ] || command -v fakeroot >/dev/null || die "needs root, or fakeroot, to unpack: apt-get install fakeroot"
  from=$(mirror)
  mkdir -p "$folder"
  rm -rf "$new" "$folder/root"
  say "unpacking $suite's openjdk-25-jre-headless for arm64 from $from to $folder"
  $([ "$(id -u)" -eq 0 ] || echo fakeroot) debootstrap --foreign --arch=arm64 --variant=minbase --include=openjdk-25-jre-headless \
    "$suite" "$new" "$from" >"$folder/debootstrap.log" 2>&1 || { tail -n 5 "$folder/debootstrap.log" >&2; die "debootstrap failed; all of it is in $folder/debootstrap.log"; }
  for deb in "$new"/var/cache/apt/archives/*.deb; do
    dpkg-deb --fsys-tarfile "$deb" | tar -x -C "$new" --keep-directory-symlink --no-same-owner
  done
  # Links to absolute places would lead out of the folder.
  find "$new/usr/lib/jvm" -type l -lname '/*' -print | while read -r link; do
    target=$(readlink "$link")
    ln -sfn "$(realpath -m --relative-to "$(dirname "$link")" "$new$target")" "$link"
  done
  rm -f "$new"/var/cache/apt/archives/*.deb
  touch "$new/.complete"
  mv "$new" "$folder/root"
}

emulated() {
  # shellcheck disable=SC2086 # JAVA_OPTS is a list of words
  "$qemu" -L "$folder/root" "$folder/root/$jre/bin/java" -Xmx2g -XX:-UsePerfData @src/main/jvm/options \
    -Djava.util.logging.manager=org.jboss.logmanager.LogManager ${JAVA_OPTS:-} "$@"
}

here() {
  "$JAVA_HOME/bin/java" @src/main/jvm/options -Djava.util.logging.manager=org.jboss.logmanager.LogManager "$@"
}

# digests: one of this machine's for each run, and the emulated machine's, with one and with three threads.
digests() {
  local run expected got
  for run in "--prompt 180 --gen 16" "--prompt 7 --gen 3"; do
    # shellcheck disable=SC2086 # a list of words
    expected=$(here -cp "$classpath" dev.nibble.cli.Main bench --digest --threads 2 $run 2>/dev/null) || die "no digest on this machine"
    for threads in 1 3; do
      # shellcheck disable=SC2086
      got=$(emulated -cp "$classpath" dev.nibble.cli.Main bench --digest --threads $threads $run 2>"$work/digest.err") || got="none: $(tail -n 1 "$work/digest.err")"
      compare "$got" "$expected" "bench --digest $run, $threads threads"
    done
  done
}

# pages: packs written on machines of each page size are the same bytes, and each machine computes the same from the pack of another.
pages() {
  local model=src/main/resources/models/nibble-home.gguf sizes=(4096 16384 65536) expected got index size other
  if ! grep -q QEMU_PAGESIZE <<<"$("$qemu" -help 2>&1)"; then
    say "page sizes are not tried: this emulator takes the machine's (qemu before version 10 can choose)"
    return
  fi
  here -cp "$classpath" dev.nibble.cli.Main pack --force "$model" "$work/here.nib" >"$work/pack.log" 2>&1 || { tail -n 1 "$work/pack.log" >&2; die "no pack on this machine"; }
  expected=$(here -cp "$classpath" dev.nibble.cli.Main bench --digest --prompt 7 --gen 3 2>/dev/null) || die "no digest on this machine"
  for size in "${sizes[@]}"; do
    QEMU_PAGESIZE=$size emulated -cp "$classpath" dev.nibble.cli.Main pack --force "$model" "$work/$size.nib" >"$work/pack.log" 2>&1 || tail -n 1 "$work/pack.log" >&2
    compare "$(cmp "$work/here.nib" "$work/$size.nib" 2>&1 && echo same)" same "pack, pages of $size bytes"
  done
  for index in 0 1 2; do
    size=${sizes[index]} other=${sizes[(index + 1) % 3]}
    got=$(QEMU_PAGESIZE=$size emulated -cp "$classpath" dev.nibble.cli.Main bench --digest --prompt 7 --gen 3 --model "$work/$other.nib" 2>"$work/pages.err") ||
      got="none: $(tail -n 1 "$work/pages.err")"
    compare "$got" "$expected" "bench --digest, pages of $size bytes, pack from pages of $other"
  done
}

# compare GOT EXPECTED WHAT
compare() {
  if [ "$1" = "$2" ]; then
    equal=$((equal + 1))
    printf 'equal      %s  %s\n' "$1" "$3"
  else
    different=$((different + 1))
    printf 'DIFFERENT  %s  %s; this machine: %s\n' "$1" "$3" "$2"
  fi
}

[ "$(uname -m)" != aarch64 ] || die "this machine is one: ./nibble test"
only=''
case "${1:-}" in
  --setup | --digest | --pages) only=$1; shift ;;
  -*) die "unknown option $1" ;;
esac
tools
qemu=$(command -v qemu-aarch64-static || command -v qemu-aarch64)
setup
say "$("$qemu" -L "$folder/root" "$folder/root/$jre/bin/java" -version 2>&1 | sed -n 2p) on $QEMU_CPU ($("$qemu" --version | head -n 1))"
[ "$only" != --setup ] || exit 0

for home in "${JAVA_HOME:-/nonexistent}" /usr/lib/jvm/*; do
  if grep -q '^JAVA_VERSION="25[."]' "$home/release" 2>/dev/null; then export JAVA_HOME=$home; break; fi
done
grep -q '^JAVA_VERSION="25[."]' "${JAVA_HOME:-/nonexistent}/release" 2>/dev/null || die "needs a JDK 25 for this machine too: set JAVA_HOME to it"
cd "$root"
work=$root/target/arm64
mkdir -p "$work"
say "compiling; progress is in target/arm64/build.log"
mvn -B test-compile org.apache.maven.plugins:maven-dependency-plugin:3.9.0:build-classpath -Dmdep.outputFile="$work/classpath" \
  >"$work/build.log" 2>&1 || { grep -E '^\[ERROR\]' "$work/build.log" | head -n 20 >&2; die "compiling failed; all of it is in target/arm64/build.log"; }
classpath=target/test-classes:target/classes:$(cat "$work/classpath")

classes=("$@") named=$#
if [ ${#classes[@]} -eq 0 ]; then
  mapfile -t classes < <(cd target/test-classes && find dev/nibble/kernel dev/nibble/model -name '*Test.class' | sort | sed 's,/,.,g; s,\.class$,,')
fi
status=0 tests='' equal=0 different=0
if [ -z "$only" ]; then
  emulated ${NIBBLE_SHARED:+-Dnibble.shared="$NIBBLE_SHARED"} -cp "$classpath" dev.nibble.SelectedTests "${classes[@]}" 2>"$work/tests.err" | tee "$work/tests.log" || status=1
  tests=$(grep -E '^[0-9]+ passed, [0-9]+ failed' "$work/tests.log" | tail -n 1) || true
  [ -n "$tests" ] || { tail -n 5 "$work/tests.err" >&2; tests="the tests did not end"; }
fi
[ "$only" = --pages ] || digests
[ "$only" = --digest ] || [ $named -gt 0 ] || pages
[ "$different" -eq 0 ] || status=1
printf 'arm64, %s: %s%s digests and packs equal, %s different\n' "$QEMU_CPU" "${tests:+$tests; }" "$equal" "$different"
exit $status
