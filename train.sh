#!/usr/bin/env bash
# Trains; what is missing for it is set up first.
#
#   bash train.sh [CONFIG] [options]    without CONFIG: 2 bits on Fashion-MNIST, a few minutes
#
# The options are those of `lowbit train -h`; LOWBIT_DEPS and LOWBIT_PRESET are those of setup.sh.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
export LOWBIT_DEFAULT_CONFIG=$root/config/config.lsq.train-scratch.fashion.2bit.resnet20

bash "$root/setup.sh"
source "$root/tools/setup/build.sh"

exec "$root/build/$(choose_preset)/lowbit" train "$@"
