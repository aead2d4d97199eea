#!/usr/bin/env bash
# Train under Slurm: GPUS=8 slurm_train.sh PARTITION JOB_NAME CONFIG WORK_DIR [options of detcore-train]
set -euo pipefail
usage='usage: slurm_train.sh PARTITION JOB_NAME CONFIG WORK_DIR [options]'
partition=${1:?$usage}; job=${2:?$usage}; config=${3:?$usage}; work_dir=${4:?$usage}
gpus=${GPUS:-8}; per_node=${GPUS_PER_NODE:-8}
# shellcheck disable=SC2086  # SRUN_ARGS is a list of words
srun -p "$partition" --job-name="$job" --gres="gpu:$per_node" --ntasks="$gpus" --ntasks-per-node="$per_node" \
  --cpus-per-task="${CPUS_PER_TASK:-5}" --kill-on-bad-exit=1 ${SRUN_ARGS:-} \
  python -u -m detcore.cli.train "$config" --work-dir="$work_dir" --launcher=slurm "${@:5}"
