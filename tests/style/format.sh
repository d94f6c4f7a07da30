#!/usr/bin/env bash
# format.sh ROOT: the sources are formatted as .clang-format says.
set -euo pipefail

# Versions differ in a few places, so one is the project's.
version=14

for tool in clang-format-$version clang-format none; do
  if "$tool" --version 2>/dev/null | grep -q "version $version\."; then break; fi
done
if [ "$tool" = none ]; then
  echo "skipped: clang-format $version is not installed"
  exit 77
fi

cd "$1"
find src apps tests bench \( -name '*.h' -o -name '*.cpp' -o -name '*.cu' -o -name '*.cuh' \) \
  -print0 | xargs -0 "$tool" --dry-run -Werror
