#!/usr/bin/env bash
# shell.sh ROOT: shellcheck finds nothing in the scripts.
set -euo pipefail

if ! command -v shellcheck >/dev/null; then
  echo "skipped: shellcheck is not installed"
  exit 77
fi

cd "$1"
shellcheck --external-sources ./*.sh .ci/run tools/setup/*.sh tests/style/*.sh tests/setup/*.sh \
  tests/runtime/*.sh
