#!/usr/bin/env bash
# Lint, find a Chromium, run every test. Arguments go to pytest. With CI=true a missing Chromium is a failure.
set -euo pipefail

bin=.venv/bin

"$bin/ruff" check .
"$bin/ruff" format --check .

DNALM_CHROMIUM=$(bash scripts/chromium.sh "$bin")
export DNALM_CHROMIUM
if [ -n "$DNALM_CHROMIUM" ]; then
  echo "test: browser tests use $DNALM_CHROMIUM" >&2
elif [ "${CI:-}" = true ]; then
  echo "test: no Chromium was found or could be installed, and with CI=true the browser tests never skip" >&2
  exit 1
else
  echo "test: no Chromium was found or could be installed: the browser tests are skipped" >&2
fi

if [ -z "${DNALM_TEST_DATABASE_URL:-}" ]; then
  DNALM_POSTGRES_BIN=$(bash scripts/postgres.sh)
  if [ -n "$DNALM_POSTGRES_BIN" ]; then
    export DNALM_POSTGRES_BIN
  else
    unset DNALM_POSTGRES_BIN
    echo "test: no PostgreSQL was found or could be installed: its tests are skipped" >&2
  fi
fi

DNALM_NO_SLURM=$(bash scripts/slurm.sh)
export DNALM_NO_SLURM
[ -z "$DNALM_NO_SLURM" ] || echo "test: the tests on a real Slurm are skipped: $DNALM_NO_SLURM" >&2

if [ -z "${DNALM_DATA_MIRROR:-}" ]; then
  echo "test: DNALM_DATA_MIRROR is not set: tests on real data are skipped" >&2
fi

# Two workers, each on one thread: more would fight for the cores that a small machine has. A file's tests stay
# on one worker, since they share costly fixtures (a running dashboard, a trained model).
export OMP_NUM_THREADS=${OMP_NUM_THREADS:-1}
exec "$bin/python" -m pytest -n 2 --dist loadfile "$@"
