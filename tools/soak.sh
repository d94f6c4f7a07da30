#!/usr/bin/env bash
# soak.sh SECONDS [SEED] [FOLDER]: runs random packed networks with every instruction set of this machine
# and several numbers of threads against the plain loops, from a seed on (default: of the clock). It ends
# with status 1 at the first network that differs, is refused or ends the process; the network stays in
# FOLDER (default: a new one) as program-SEED.lowbit. LOWBIT_TEST names another test program than that of
# the preset cpu: for the sanitizers build/asan/tests/runtime/test_runtime.
set -euo pipefail

if [ $# -lt 1 ] || [ $# -gt 3 ]; then
  sed -n '2,/^set/s/^# //p' "$0" >&2
  exit 2
fi
root=$(cd "$(dirname "$0")/.." && pwd)
program=${LOWBIT_TEST:-$root/build/cpu/tests/runtime/test_runtime}
seed=${2:-$(date +%s)}
folder=${3:-$(mktemp -d)}
mkdir -p "$folder"
echo "seed $seed for $1 seconds; networks that fail stay in $folder"
LOWBIT_SOAK_SECONDS=$1 LOWBIT_SOAK_SEED=$seed LOWBIT_SOAK_FOLDER=$folder \
  "$program" --gtest_filter=RandomPrograms.GiveTheBitsOfThePlainLoops --gtest_brief=1 && exit 0
status=$?
for network in "$folder"/program-*.lowbit; do
  number=${network##*/program-}
  [ -e "$network" ] && echo "failed: $network; again by: tools/soak.sh 1 ${number%.lowbit}" >&2
done
exit "$status"
