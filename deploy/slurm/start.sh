#!/usr/bin/env bash
# Start a real single-machine Slurm in a folder of its own, with made-up GPUs: to try dnalm's Slurm backend, and to test it.
# Usage: deploy/slurm/start.sh FOLDER [NODES [GPUS]]; NODES (1) nodes on this machine, each with GPUS (2) made-up GPUs.
# Needs slurm-wlm and munge (scripts/slurm.sh installs them). Prints the one line that lets a shell use it:
#   export SLURM_CONF=FOLDER/slurm.conf
# Nothing outside FOLDER is written; deploy/slurm/stop.sh FOLDER stops it all and removes the folder.
# Keep FOLDER's path short: a socket lies in it, and the system allows about 100 letters.
set -euo pipefail

folder=${1:?usage: start.sh FOLDER [NODES [GPUS]]}
nodes=${2:-1}
gpus=${3:-2}
# More cores than the machine has, so that it is the GPUs that run out; nothing is bound to a core.
cpus=16
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
PATH=$PATH:/usr/sbin:/sbin

for program in munged slurmctld slurmd sbatch srun; do
  command -v "$program" >/dev/null || { echo "slurm: $program is not installed: apt-get install slurm-wlm munge" >&2; exit 1; }
done
if [ -e "$folder/slurm.conf" ]; then
  echo "slurm: $folder holds one already; stop it first: deploy/slurm/stop.sh $folder" >&2
  exit 1
fi
mkdir -p "$folder"
folder=$(cd "$folder" && pwd)
chmod 755 "$folder"
mkdir -p "$folder/munge" "$folder/state" "$folder/log"
chmod 700 "$folder/munge"

is_free() {
  ! (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null
}

# Below the range from which the system takes the ports of outgoing connections.
free_ports() {
  local found=0 port
  while [ "$found" -lt "$1" ]; do
    port=$((20000 + (RANDOM << 15 | RANDOM) % 12000))
    if is_free "$port"; then
      echo "$port"
      found=$((found + 1))
    fi
  done
}

wait_for() {
  local what=$1 tries
  shift
  for ((tries = 0; tries < 300; tries++)); do
    "$@" >/dev/null 2>&1 && return
    sleep 0.1
  done
  echo "slurm: $what did not come up within 30 seconds; its log is in $folder/log" >&2
  exit 1
}

trap 'code=$?; [ "$code" -eq 0 ] || { tail -n 5 "$folder"/log/* >&2; bash "$here/stop.sh" "$folder"; }' EXIT

mapfile -t ports < <(free_ports $((nodes + 1)))
user=$(id -un)
host=$(hostname -s)

# A made-up GPU is a name for a device that swallows what it is given.
: >"$folder/gres.conf"
for ((gpu = 0; gpu < gpus; gpu++)); do
  mknod "$folder/nvidia$gpu" c 1 3 2>/dev/null || ln -s /dev/null "$folder/nvidia$gpu"
  echo "Name=gpu File=$folder/nvidia$gpu" >>"$folder/gres.conf"
done

dd if=/dev/urandom of="$folder/munge/key" bs=128 count=1 status=none
chmod 400 "$folder/munge/key"

cat >"$folder/slurm.conf" <<CONF
ClusterName=dnalm
SlurmctldHost=$host(127.0.0.1)
SlurmctldPort=${ports[0]}
SlurmUser=$user
SlurmdUser=$user
AuthType=auth/munge
AuthInfo=socket=$folder/munge/socket
StateSaveLocation=$folder/state
SlurmdSpoolDir=$folder/%n
SlurmctldPidFile=$folder/slurmctld.pid
SlurmdPidFile=$folder/slurmd-%n.pid
SlurmctldLogFile=$folder/log/slurmctld
SlurmdLogFile=$folder/log/slurmd-%n
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SwitchType=switch/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerType=sched/backfill
SchedulerParameters=bf_interval=1,sched_min_interval=100000,batch_sched_delay=0
SlurmdParameters=config_overrides
ReturnToService=2
GresTypes=gpu
KillWait=5
MinJobAge=300
MessageTimeout=3
SlurmctldTimeout=30
SlurmdTimeout=30
MailProg=/bin/true
CONF
for ((node = 1; node <= nodes; node++)); do
  echo "NodeName=node$node NodeHostname=$host NodeAddr=127.0.0.1 Port=${ports[node]} CPUs=$cpus RealMemory=4096 Gres=gpu:$gpus" \
    >>"$folder/slurm.conf"
done
echo "PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP" >>"$folder/slurm.conf"

export SLURM_CONF=$folder/slurm.conf
munged --force --key-file="$folder/munge/key" --socket="$folder/munge/socket" --pid-file="$folder/munged.pid" \
  --log-file="$folder/log/munged" --seed-file="$folder/munge/seed" --num-threads=2 2>>"$folder/log/munged"
wait_for munged munge --socket="$folder/munge/socket" --no-input
slurmctld
wait_for slurmctld scontrol --quiet ping
for ((node = 1; node <= nodes; node++)); do
  slurmd -N "node$node"
done
all_idle() { [ "$(sinfo --noheader --Node --format=%T | grep -c '^idle$')" -eq "$nodes" ]; }
wait_for "slurmd" all_idle
echo "export SLURM_CONF=$folder/slurm.conf"
