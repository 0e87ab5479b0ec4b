#!/bin/sh
# Installs, upgrades and removes Nibble as a systemd service on this machine. Each command may be repeated: it does what is left to do.
#
#   install.sh install [FILE]       the executable FILE (default target/nibble, else nibble beside this script), the service, its settings; starts it
#   install.sh upgrade [FILE]       another executable; if the service is not well with it within a minute, the one before comes back
#   install.sh remove [--purge]     all of it but settings and data; with --purge those too
#   install.sh status               what is installed, and whether it serves
#
#   --root DIR      act on a system below DIR, such as an image being made: it starts with that system, nothing is started or stopped now
#   --no-start      install without starting; whoever installs enables it
#
# It writes: /usr/local/bin/nibble, nibble.previous beside it, /etc/systemd/system/nibble.service, a drop-in folder of that name, and
# /etc/nibble/nibble.env, which it never changes once it is there. The service's data is in /var/lib/nibble and /var/cache/nibble.
#
#   NIBBLE_SYSTEMCTL  a program to call instead of systemctl, even with --root: for tests
#   NIBBLE_PATIENCE   seconds to wait for a service to serve; default 60
set -eu
here=$(dirname "$(readlink -f "$0")")
die() { printf 'install: %s\n' "$1" >&2; exit 2; }
fail() { printf 'install: %s\n' "$1" >&2; exit 1; }
say() { printf 'install: %s\n' "$1"; }
usage() { die "$1; allowed: install [FILE], upgrade [FILE], remove [--purge], status, each with --root DIR, --no-start"; }

action='' file='' root='' purge='' start=yes
while [ $# -gt 0 ]; do
  case $1 in
    --root)
      [ $# -ge 2 ] || die "--root needs a folder"
      root=$2
      shift
      ;;
    --root=*) root=${1#--root=} ;;
    --purge) purge=yes ;;
    --no-start) start='' ;;
    -h | --help)
      sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//;p}' "$0"
      exit 0
      ;;
    -*) usage "unknown option $1" ;;
    install | upgrade | remove | status)
      if [ -z "$action" ]; then action=$1; else file=${file:-$1}; fi
      ;;
    *)
      [ -n "$action" ] || usage "unknown command $1"
      [ -z "$file" ] || usage "one executable, not also $1"
      file=$1
      ;;
  esac
  shift
done
[ -n "$action" ] || usage "needs a command"
case $action in
  remove | status) [ -z "$file" ] || usage "$action takes no file" ;;
esac
[ -z "$purge" ] || [ "$action" = remove ] || usage "--purge goes with remove"
if [ -n "$root" ]; then
  [ -d "$root" ] || die "--root is $root; allowed: a folder that is there"
  root=$(readlink -f "$root")
  [ "$root" != / ] || root=''
fi
[ -n "$root" ] || [ "$action" = status ] || [ "$(id -u)" -eq 0 ] || die "needs root: sudo $0 $action"

program=$root/usr/local/bin/nibble
unit=$root/etc/systemd/system/nibble.service
dropin=$unit.d/backoff.conf
settings=$root/etc/nibble/nibble.env
wanted=$root/etc/systemd/system/multi-user.target.wants/nibble.service

# Whether there is a systemd to talk to: not below --root.
if [ -n "${NIBBLE_SYSTEMCTL:-}" ]; then
  systemctl=$NIBBLE_SYSTEMCTL
elif [ -z "$root" ] && [ -d /run/systemd/system ]; then
  systemctl=systemctl
else
  systemctl=''
fi
control() { [ -z "$systemctl" ] || "$systemctl" "$@"; }

# put SOURCE TARGET MODE: only if it differs, and at once, so that nobody ever sees half a file.
put() {
  if cmp -s "$1" "$2"; then return 0; fi
  mkdir -p "$(dirname "$2")"
  cp "$1" "$2.new"
  chmod "$3" "$2.new"
  mv -f "$2.new" "$2"
  say "wrote $2"
}

find_executable() {
  if [ -z "$file" ]; then
    for file in "$here/../target/nibble" "$here/nibble" ''; do
      [ -z "$file" ] || [ ! -f "$file" ] || break
    done
    [ -n "$file" ] || die "no executable beside this script: name one, or build it with ./nibble native"
  fi
  [ -f "$file" ] || die "no such file: $file"
  # Runs it: one for another processor, or a text file of that name, must not replace a working one.
  case $("$file" --version 2>/dev/null || true) in
    'nibble '*) ;;
    *) die "$file is not a Nibble executable for this machine: $file --version does not answer" ;;
  esac
}

# setting NAME: what the settings file says, empty if nothing.
setting() { sed -n "s/^$1=//p" "$settings" 2>/dev/null | tail -n 1 | tr -d "\"'"; }

# Asks where the settings have the service listen.
healthy() {
  port=$(setting QUARKUS_GRPC_SERVER_PORT)
  host=$(setting QUARKUS_GRPC_SERVER_HOST)
  QUARKUS_GRPC_SERVER_PORT=${port:-9000} QUARKUS_GRPC_SERVER_HOST=${host:-0.0.0.0} "$program" health --timeout 5
}

serves() { control is-active --quiet nibble.service && healthy >/dev/null 2>&1; }

await() {
  left=${NIBBLE_PATIENCE:-60}
  while ! serves; do
    left=$((left - 1))
    [ "$left" -gt 0 ] || return 1
    sleep 1
  done
}

version() { "$1" --version 2>/dev/null || echo "nothing"; }

# Restart steps that grow came with systemd 254.
newer_systemd() {
  number=$(systemctl --version 2>/dev/null | sed -n '1s/^systemd \([0-9]*\).*/\1/p')
  [ "${number:-0}" -ge 254 ]
}

files() {
  put "$here/systemd/nibble.service" "$unit" 644
  if newer_systemd; then put "$here/systemd/backoff.conf" "$dropin" 644; fi
  [ -e "$settings" ] || put "$here/systemd/nibble.env" "$settings" 640
}

install_all() {
  find_executable
  if [ -e "$program" ] && ! cmp -s "$file" "$program"; then
    upgrade_all
    return
  fi
  put "$file" "$program" 755
  files
  control daemon-reload
  [ -n "$start" ] || return 0
  if [ -n "$systemctl" ]; then
    control enable --quiet nibble.service
  else
    mkdir -p "$(dirname "$wanted")"
    ln -sfn /etc/systemd/system/nibble.service "$wanted"
  fi
  control start nibble.service || fail "the service does not start: journalctl -u nibble tells why"
  [ -z "$systemctl" ] || await || fail "the service does not serve: journalctl -u nibble tells why"
  say "installed: $(version "$program")"
}

upgrade_all() {
  find_executable
  [ -e "$program" ] || die "nothing is installed: $0 install"
  if cmp -s "$file" "$program"; then
    files
    control daemon-reload
    say "$(version "$program") is what is installed"
    return
  fi
  before=$(version "$program")
  cp -p "$program" "$program.previous"
  put "$file" "$program" 755
  files
  control daemon-reload
  # One that is stopped stays so.
  if [ -n "$systemctl" ] && control is-active --quiet nibble.service; then
    if ! control restart nibble.service || ! await; then
      cp -p "$program.previous" "$program.new"
      mv -f "$program.new" "$program"
      control restart nibble.service || true
      fail "the service is not well with $(version "$file"), so $before is back: journalctl -u nibble tells why"
    fi
  fi
  say "upgraded from $before to $(version "$program"); the one before is $program.previous"
}

remove_all() {
  if [ -e "$unit" ]; then
    control disable --now --quiet nibble.service || true
  fi
  rm -f "$program" "$program.previous" "$program.new" "$unit" "$dropin" "$wanted"
  rmdir "$unit.d" 2>/dev/null || true
  control daemon-reload
  if [ -n "$purge" ]; then
    # DynamicUser keeps them below private/, with links to them.
    rm -rf "$root/etc/nibble" "$root/var/lib/nibble" "$root/var/lib/private/nibble" "$root/var/cache/nibble" "$root/var/cache/private/nibble"
  fi
  say "removed${purge:+, with settings and data}"
}

case $action in
  install) install_all ;;
  upgrade) upgrade_all ;;
  remove) remove_all ;;
  status)
    [ -e "$program" ] || { say "nothing is installed"; exit 1; }
    say "$(version "$program"); $(healthy 2>&1 || true)"
    ;;
esac
