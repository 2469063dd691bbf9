#!/usr/bin/env bash
# Print the folder of PostgreSQL's programs for the tests, installing Debian's package where that is allowed; print
# nothing if there is none. What it does is said on stderr. No server is left running: the tests start their own.
set -uo pipefail

programs() {
  local folder
  for folder in $(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -Vr); do
    [ -x "$folder/initdb" ] && [ -x "$folder/postgres" ] && echo "$folder" && return
  done
  return 1
}

apt_install() {
  local sudo=""
  command -v apt-get >/dev/null 2>&1 || return 1
  if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null 2>&1 && sudo -n true >/dev/null 2>&1 || return 1
    sudo="sudo -n"
  fi
  echo "postgres: installing Debian's package" >&2
  # The package would set up a server of its own; that it may not start one is said before.
  if [ ! -e /etc/postgresql-common/createcluster.conf ]; then
    $sudo mkdir -p /etc/postgresql-common
    echo "create_main_cluster = false" | $sudo tee /etc/postgresql-common/createcluster.conf >/dev/null
  fi
  local install=(env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends
    -o Dpkg::Options::=--force-confold postgresql)
  $sudo "${install[@]}" >&2 2>&1 && return
  # The package lists of a fresh machine are empty or old.
  $sudo apt-get update >&2 2>&1 && $sudo "${install[@]}" >&2 2>&1
}

if [ -n "${DNALM_POSTGRES_BIN:-}" ] && [ -x "$DNALM_POSTGRES_BIN/initdb" ]; then
  echo "$DNALM_POSTGRES_BIN"
elif programs; then
  :
elif apt_install; then
  programs
fi
exit 0
