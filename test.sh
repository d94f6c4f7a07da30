#!/usr/bin/env bash
# Builds and runs the tests; what is missing for it is set up first.
#
#   bash test.sh                    every test
#   bash test.sh [ctest options]    as `bash test.sh -R quant` or `bash test.sh -L cuda`
#   bash test.sh sanitize           the tests without LibTorch under the sanitizers
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

# LibTorch itself is not built for the sanitizers, and its headers take long under them.
run_sanitized_tests() {
  local deps
  log_steps "$root/build/setup.log"
  deps=$(libtorch_folder "$root")
  step "build with the sanitizers" build "$root" asan "$deps" tests_without_torch
  run_tests asan --label-exclude torch
}

if [[ ${1:-} == sanitize ]]; then
  run_sanitized_tests
else
  run_tests "$(choose_preset)" "$@"
fi
