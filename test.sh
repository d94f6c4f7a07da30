#!/usr/bin/env bash
# Builds and runs the tests; what is missing for it is set up first.
#
#   bash test.sh                    every test
#   bash test.sh [ctest options]    as `bash test.sh -R quant` or `bash test.sh -L cuda`
#   bash test.sh fuzz               with clang, each fuzz target for LOWBIT_FUZZ_SECONDS (60)
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

# fuzz TARGET: what it finds on the way stays in build/fuzz/found/NAME for the next time; an input
# that crashes it, takes more than ten seconds or a gigabyte is written there, too.
fuzz() {
  local name=${1##*/fuzz_} found
  found=$root/build/fuzz/found/$name
  mkdir -p "$found/inputs"
  if ! "$1" -max_total_time="${LOWBIT_FUZZ_SECONDS:-60}" -timeout=10 -rss_limit_mb=1024 \
    -artifact_prefix="$found/" "$found/inputs" "$root/tests/fuzz/corpus/$name" \
    >"$found/log" 2>&1; then
    echo "fuzz_$name failed: the end of $found/log:"
    tail -n 40 "$found/log"
    return 1
  fi
  echo "fuzz_$name: $(grep -o '^Done .*' "$found/log")"
}

# All at once: each is given its time, and none needs a core of its own.
run_fuzzers() {
  local deps target run runs=() failed=0
  if ! command -v clang++ >/dev/null; then
    echo "skipped: there is no clang++ for the fuzz targets (package clang)"
    return
  fi
  log_steps "$root/build/setup.log"
  deps=$(libtorch_folder "$root")
  step "build of the fuzz targets" build "$root" fuzz "$deps" fuzzers
  for target in "$root"/build/fuzz/tests/fuzz/fuzz_*; do
    if [[ -x $target && -f $target ]]; then
      fuzz "$target" &
      runs+=($!)
    fi
  done
  for run in "${runs[@]}"; do wait "$run" || failed=1; done
  return "$failed"
}

case ${1:-} in
  sanitize) run_sanitized_tests ;;
  fuzz) run_fuzzers ;;
  *) run_tests "$(choose_preset)" "$@" ;;
esac
