#!/usr/bin/env bash
# Training speed of every method on CIFAR-100: images a second of the last of a few epochs, alone on the
# machine.
#
#   bash bench/methods.sh PROGRAM CIFAR100_FOLDER WEIGHTS [options]
#
# PROGRAM: build/cuda/lowbit. WEIGHTS: the full-precision checkpoint that the configs start from.
# Options go to `lowbit train`, as --fp16, --epochs 3 or --device cpu.
set -euo pipefail

program=$1 data=$2 weights=$3
shift 3
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

printf '%-58s %10s\n' config images/s
for config in "$root"/config/config.{baseline.train-scratch,*.finetune}.cifar100.*.resnet20; do
  log=$scratch/$(basename "$config").log
  if ! "$program" train "$config" --root "$data" --pretrained "$weights" --epochs 3 \
    --weights_dir "$scratch" --log_dir "$scratch" "$@" >"$log" 2>&1; then
    printf '%-58s failed: %s\n' "$(basename "$config")" "$(tail -n 1 "$log")"
    continue
  fi
  printf '%-58s %10s\n' "$(basename "$config")" \
    "$(sed -nE 's/.*train_loss [^,]*, ([0-9]+) images.*/\1/p' "$log" | tail -n 1)"
done
