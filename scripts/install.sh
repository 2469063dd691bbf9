#!/usr/bin/env bash
# Create the virtual environment and install the pinned versions, then dnalm itself, editable.
# Usage: scripts/install.sh VENV [PYTHON]; with no PYTHON the first of at least 3.11 on the PATH is taken.
set -euo pipefail

venv=$1
python=${2:-}

is_new_enough() {
  "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1
}

find_python() {
  local name
  for name in python3.11 python3.12 python3.13 python3 python; do
    if command -v "$name" >/dev/null 2>&1 && is_new_enough "$name"; then
      command -v "$name"
      return
    fi
  done
  local found
  found=$(python3 --version 2>&1 || echo "no python3")
  echo "make: dnalm needs Python 3.11 or newer, but the PATH has $found; install one, or name it: make PYTHON=/path/to/python3.11 run" >&2
  return 1
}

if [ -z "$python" ]; then
  python=$(find_python)
elif ! command -v "$python" >/dev/null 2>&1; then
  echo "make: PYTHON=$python is not a program here; name a Python 3.11 or newer" >&2
  exit 1
elif ! is_new_enough "$python"; then
  echo "make: PYTHON=$python is $("$python" --version 2>&1), but dnalm needs Python 3.11 or newer" >&2
  exit 1
fi

# An environment whose interpreter has gone (a system upgrade) is made anew; one that works is brought up to date.
if ! "$venv/bin/python" -m pip --version >/dev/null 2>&1; then
  echo "make: creating $venv with $("$python" --version)" >&2
  if ! "$python" -m venv --clear "$venv"; then
    echo "make: $python cannot create a virtual environment; on Debian and Ubuntu: apt-get install python3-venv" >&2
    exit 1
  fi
fi

echo "make: installing the versions in requirements.txt into $venv (minutes the first time)" >&2
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check -r requirements.txt
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps -e .

# What draws the genome browser; without it, everything else works.
"$venv/bin/python" scripts/fetch_igv.py || true
