#!/usr/bin/env bash
# Train on the GPUs of one machine or several: dist_train.sh CONFIG GPUS [options of detcore-train]
# Several machines: set NNODES, NODE_RANK, MASTER_ADDR and PORT on each.
set -euo pipefail
config=${1:?usage: dist_train.sh CONFIG GPUS [options]}
gpus=${2:?usage: dist_train.sh CONFIG GPUS [options]}
torchrun --nnodes="${NNODES:-1}" --node_rank="${NODE_RANK:-0}" --master_addr="${MASTER_ADDR:-127.0.0.1}" \
  --master_port="${PORT:-29500}" --nproc_per_node="$gpus" \
  -m detcore.cli.train "$config" --launcher pytorch "${@:3}"
