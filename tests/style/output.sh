#!/usr/bin/env bash
# output.sh ROOT: no file of the program writes to the standard files but apps/lowbit/output.cpp, which shows
# text from files harmlessly and notices lost output.
set -eu
cd "$1"
found=$(grep -rnE --include='*.cpp' --include='*.h' --include='*.cu' \
    'fmt::print\(|std::(cout|cerr|clog)\b|\b(std::)?(printf|puts|putchar|vprintf)\(|\bf(print|put|write)[a-z]*\(.*\bstd(out|err)\b' \
    apps src | grep -v '^apps/lowbit/output\.cpp:' || true)
[ -z "$found" ] && exit
echo "these write to the standard files; use apps/lowbit/output.h:"
echo "$found"
exit 1
