#!/usr/bin/env bash
# Trains when a process has ended; what is missing for it is set up first.
#
#   bash start_on_terminate.sh PID CONFIG [repeat] [options]
#
# A run that fails is started again up to `repeat` times, from its last checkpoint. The options are
# those of `lowbit train -h`; LOWBIT_DEPS and LOWBIT_PRESET are those of setup.sh.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)

# Said before a setup that may take minutes; the program checks the rest.
if (($# < 2)) || ! [[ $1 =~ ^[1-9][0-9]*$ ]]; then
  echo "start_on_terminate.sh: PID and CONFIG are needed" >&2
  sed -n '2,/^[^#]/s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2
  exit 2
fi

bash "$root/setup.sh"
source "$root/tools/setup/build.sh"

exec "$root/build/$(choose_preset)/lowbit" after "$@"
