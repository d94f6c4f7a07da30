#!/usr/bin/env bash
# aarch64.sh ROOT: builds the runtime for 64-bit ARM and runs its tests in an emulator. It says why it
# skips (status 77): a tool is not installed.
set -euo pipefail

root=$1
for tool in aarch64-linux-gnu-g++ qemu-aarch64; do
  if ! command -v "$tool" >/dev/null; then
    echo "skipped: $tool is not installed (packages g++-aarch64-linux-gnu and qemu-user)"
    exit 77
  fi
done

source "$root/tools/setup/build.sh"
build "$root" aarch64 "$(libtorch_folder "$root")" all
ctest --test-dir "$root/build/aarch64" --output-on-failure --no-tests=error --parallel 2
