#!/usr/bin/env bash
# Trains when a process has ended; what is missing for it is set up first.
#
#   bash start_on_terminate.sh PID CONFIG [repeat] [options]
#
# A run that fails is started again up to `repeat` times, from its last checkpoint. The options are
# those of `lowbit train -h`; LOWBIT_DEPS and LOWBIT_PRESET are those of setup.sh.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)

bash "$root/setup.sh"
source "$root/tools/setup/build.sh"

exec "$root/build/$(choose_preset)/lowbit" after "$@"
