#!/usr/bin/env bash
# library.sh LIBRARY NM OBJDUMP STRIP: liblowbit exports the C interface alone, needs nothing but the
# system's libraries, and has at most 768 KiB without its symbols. The tools are those of its
# machine.
set -euo pipefail

library=$1
nm=$2
objdump=$3
strip=$4
stripped=$(mktemp)
trap 'rm -f "$stripped"' EXIT

complain() {
  echo "$library $1" >&2
  exit 1
}

others=$("$nm" -D --defined-only "$library" | awk '$3 !~ /^lowbit_/ { print $3 }')
[ -z "$others" ] || complain "exports ${others//$'\n'/, }"
"$nm" -D --defined-only "$library" | grep -q ' T lowbit_run$' || complain "lacks lowbit_run"
needed=$("$objdump" -p "$library" | awk '$1 == "NEEDED" && $2 !~ /^(libc|libm|libpthread|ld-linux.*)\.so/ { print $2 }')
[ -z "$needed" ] || complain "needs ${needed//$'\n'/, }"
"$strip" -o "$stripped" "$library"
bytes=$(stat -c %s "$stripped")
[ "$bytes" -le 786432 ] || complain "has $bytes bytes"
