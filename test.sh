#!/usr/bin/env bash
# Builds and runs the tests; what is missing for it is set up first.
#
#   bash test.sh                    every test, then those without LibTorch under the sanitizers
#   bash test.sh [ctest options]    as `bash test.sh -R quant` or `bash test.sh -L cuda`
#
# LOWBIT_DEPS and LOWBIT_PRESET are those of setup.sh.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
export OMP_WAIT_POLICY=${OMP_WAIT_POLICY:-passive}

bash "$root/setup.sh" --tests
source "$root/tools/setup/progress.sh"
source "$root/tools/setup/build.sh"

# run_tests PRESET [ctest options]
run_tests() {
  ctest --test-dir "$root/build/$1" --output-on-failure --no-tests=error --parallel "$(nproc)" "${@:2}"
}

run_tests "$(choose_preset)" "$@"
if (($# == 0)); then
  # LibTorch itself is not built for the sanitizers, and its headers take long under them.
  log_steps "$root/build/setup.log"
  deps=$(libtorch_folder "$root")
  step "build with the sanitizers" build "$root" asan "$deps" tests_without_torch
  run_tests asan --label-exclude torch
fi
