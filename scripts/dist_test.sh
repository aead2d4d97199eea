#!/usr/bin/env bash
# Evaluate on several GPUs: dist_test.sh CONFIG CHECKPOINT GPUS [options of detcore-test]
set -euo pipefail
config=${1:?usage: dist_test.sh CONFIG CHECKPOINT GPUS [options]}
checkpoint=${2:?usage: dist_test.sh CONFIG CHECKPOINT GPUS [options]}
gpus=${3:?usage: dist_test.sh CONFIG CHECKPOINT GPUS [options]}
torchrun --nnodes="${NNODES:-1}" --node_rank="${NODE_RANK:-0}" --master_addr="${MASTER_ADDR:-127.0.0.1}" \
  --master_port="${PORT:-29500}" --nproc_per_node="$gpus" \
  -m detcore.cli.test "$config" "$checkpoint" --launcher pytorch "${@:4}"
