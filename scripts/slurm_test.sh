#!/usr/bin/env bash
# Evaluate under Slurm: GPUS=8 slurm_test.sh PARTITION JOB_NAME CONFIG CHECKPOINT [options of detcore-test]
set -euo pipefail
usage='usage: slurm_test.sh PARTITION JOB_NAME CONFIG CHECKPOINT [options]'
partition=${1:?$usage}; job=${2:?$usage}; config=${3:?$usage}; checkpoint=${4:?$usage}
gpus=${GPUS:-8}; per_node=${GPUS_PER_NODE:-8}
# shellcheck disable=SC2086  # SRUN_ARGS is a list of words
srun -p "$partition" --job-name="$job" --gres="gpu:$per_node" --ntasks="$gpus" --ntasks-per-node="$per_node" \
  --cpus-per-task="${CPUS_PER_TASK:-5}" --kill-on-bad-exit=1 ${SRUN_ARGS:-} \
  python -u -m detcore.cli.test "$config" "$checkpoint" --launcher=slurm "${@:5}"
