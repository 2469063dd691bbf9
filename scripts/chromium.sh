#!/usr/bin/env bash
# Print the path of a Chromium for the browser tests, installing one where that is allowed; print nothing if there is none.
# Usage: scripts/chromium.sh BIN, where BIN is the virtual environment's bin folder. What it does is said on stderr.
set -uo pipefail

bin=$1

on_path() {
  local name
  for name in chromium chromium-browser google-chrome google-chrome-stable chrome; do
    command -v "$name" && return
  done
  return 1
}

from_playwright() {
  "$bin/python" - <<'PY'
import pathlib
import sys

from playwright.sync_api import sync_playwright

with sync_playwright() as playwright:
    path = pathlib.Path(playwright.chromium.executable_path)
print(path if path.is_file() else "", end="")
sys.exit(not path.is_file())
PY
}

apt_install() {
  local sudo=""
  command -v apt-get >/dev/null 2>&1 || return 1
  if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null 2>&1 && sudo -n true >/dev/null 2>&1 || return 1
    sudo="sudo -n"
  fi
  echo "chromium: installing Debian's package" >&2
  export DEBIAN_FRONTEND=noninteractive
  $sudo apt-get install -y --no-install-recommends chromium >&2 2>&1 && return
  # The package lists of a fresh machine are empty or old.
  $sudo apt-get update >&2 2>&1 && $sudo apt-get install -y --no-install-recommends chromium >&2 2>&1
}

if [ -n "${DNALM_CHROMIUM:-}" ] && [ -x "$DNALM_CHROMIUM" ]; then
  echo "$DNALM_CHROMIUM"
elif on_path; then
  :
elif from_playwright 2>/dev/null; then
  :
elif apt_install && on_path; then
  :
else
  echo "chromium: asking playwright for its own build" >&2
  "$bin/python" -m playwright install chromium >&2 2>&1 && from_playwright 2>/dev/null
fi
exit 0
