#!/usr/bin/env bash
# Stop the Slurm that deploy/slurm/start.sh started in a folder, its jobs too, and remove the folder.
# Usage: deploy/slurm/stop.sh FOLDER. Stopping what is stopped already is no error.
set -uo pipefail

folder=${1:?usage: stop.sh FOLDER}
[ -d "$folder" ] || exit 0
folder=$(cd "$folder" && pwd)
if [ ! -e "$folder/slurm.conf" ]; then
  echo "slurm: $folder holds no Slurm that start.sh started; nothing was stopped or removed" >&2
  exit 1
fi

# The daemons and the jobs of this Slurm have its configuration in their environment. A shell that merely uses it has
# that too, but is neither a daemon nor in a job.
ours() {
  local file pid
  for file in $(grep -lzxsF "SLURM_CONF=$folder/slurm.conf" /proc/[0-9]*/environ); do
    pid=${file//[!0-9]/}
    case $(cat "/proc/$pid/comm" 2>/dev/null) in
      munged | slurmctld | slurmd | slurmstepd | slurmscriptd) echo "$pid" ;;
      *) grep -zqs '^SLURM_JOB_ID=' "$file" && echo "$pid" ;;
    esac
  done
}

gone() {
  local tries
  for ((tries = 0; tries < $1; tries++)); do
    [ -z "$(ours)" ] && return
    sleep 0.1
  done
  return 1
}

# A job may ask for time to write a checkpoint; two seconds are what it gets here.
for signal in TERM KILL; do
  for pid in $(ours); do
    kill "-$signal" "$pid" 2>/dev/null
  done
  gone 20 && break
done
if ! gone 50; then
  echo "slurm: still running: $(ours | tr '\n' ' ')" >&2
  exit 1
fi
rm -rf "$folder"
