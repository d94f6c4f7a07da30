#!/usr/bin/env bash
# Brings what is missing, and builds: packages of Debian 12 or Ubuntu 24.04, LibTorch, the program.
#
#   bash setup.sh            the program
#   bash setup.sh --tests    and the tests with what they need
#
# LOWBIT_DEPS    folder of LibTorch, which several checkouts may share; .deps of the project
# LOWBIT_PRESET  cpu or cuda; by itself cuda where nvcc is found
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
source "$root/tools/setup/progress.sh"
source "$root/tools/setup/packages.sh"
source "$root/tools/setup/build.sh"

# find_python: one that can run tools/setup/libtorch.py; the first on PATH may lack pip.
find_python() {
  local python
  for python in python3 /usr/bin/python3; do
    if "$python" -c 'import sys, pip; sys.exit(sys.version_info < (3, 9))' 2>/dev/null; then
      echo "$python"
      return
    fi
  done
  echo "setup.sh: no Python 3.9 or later with pip was found" >&2
  return 1
}

# bring_libtorch DEPS PURPOSE: unless all that this version of the list names is there.
bring_libtorch() {
  local deps=$1 purpose=$2 list=$root/tools/setup/libtorch.py python title
  if [ "$(cat "$deps/ready-$purpose" 2>/dev/null)" = "$(sha256sum <"$list" | cut -d ' ' -f 1)" ]; then
    return
  fi
  python=$(find_python)
  case $purpose in
    cpu) title="LibTorch 2.11" ;;
    cuda) title="LibTorch 2.11 with CUDA" ;;
    python) title="PyTorch, TensorBoard, Pillow, ONNX Runtime: for the tests" ;;
  esac
  step "$title" "$python" "$list" "$deps" "$purpose"
}

main() {
  local tests=$1 preset deps
  log_steps "$root/build/setup.log"
  deps=$(libtorch_folder "$root")
  preset=$(choose_preset)
  if [ "$tests" = yes ]; then
    install_packages "$root/build/packages-unavailable" "${optional_packages[@]}" \
      "${optional_test_packages[@]}"
    bring_libtorch "$deps" "$preset"
    bring_libtorch "$deps" python
    step "build of the program and the tests, preset $preset" build "$root" "$preset" "$deps" all
  else
    install_packages "$root/build/packages-unavailable" "${optional_packages[@]}"
    bring_libtorch "$deps" "$preset"
    step "build, preset $preset" build "$root" "$preset" "$deps" lowbit
  fi
}

case "${1:-}" in
  "") main no ;;
  --tests) main yes ;;
  *)
    echo "usage: bash setup.sh [--tests]" >&2
    exit 2
    ;;
esac
