#!/usr/bin/env bash
# See to it that a real Slurm (slurm-wlm, munge) is here for the tests, installing Debian's packages where that is
# allowed. Prints nothing where it is; else one line that says why not. What it does is said on stderr. No daemon is left
# running: the tests start their own, see deploy/slurm/.
set -uo pipefail
PATH=$PATH:/usr/sbin:/sbin

missing() {
  local program
  for program in munged slurmctld slurmd sbatch srun squeue; do
    command -v "$program" >/dev/null 2>&1 || { echo "$program"; return; }
  done
}

apt_install() {
  # A system that runs services would be given a daemon that it did not ask for.
  if [ -d /run/systemd/system ]; then
    why="Slurm is not installed, and on a machine with systemd it is not installed unasked: apt-get install slurm-wlm munge"
    return 1
  fi
  why="Slurm is not installed, and Debian's packages slurm-wlm and munge cannot be installed here"
  local sudo=""
  command -v apt-get >/dev/null 2>&1 || return 1
  if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null 2>&1 && sudo -n true >/dev/null 2>&1 || return 1
    sudo="sudo -n"
  fi
  echo "slurm: installing Debian's packages slurm-wlm and munge" >&2
  local install=(env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends slurm-wlm munge)
  $sudo "${install[@]}" >&2 2>&1 && return
  # The package lists of a fresh machine are empty or old.
  $sudo apt-get update >&2 2>&1 && $sudo "${install[@]}" >&2 2>&1
}

if [ -n "$(missing)" ]; then
  apt_install || { echo "$why"; exit 0; }
fi
[ -z "$(missing)" ] || echo "Slurm's $(missing) is not here though its packages are"
exit 0
