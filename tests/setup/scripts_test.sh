#!/usr/bin/env bash
# scripts_test.sh ROOT: the setup on machines that this one is not, played by commands of the same
# names earlier on PATH.
# shellcheck disable=SC2016  # the text of a made-up command expands when that command runs
set -euo pipefail

root=$1
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
real_path=$PATH

# fake NAME SCRIPT: the command of that name for the test that runs.
fake() {
  printf '#!/bin/bash\n%s\n' "$2" >"$folder/bin/$1"
  chmod +x "$folder/bin/$1"
}

# setup FUNCTION...: the words run as a command after setup's functions are loaded, output in
# $output, status in $status. A child, since a failing step ends its script.
setup() {
  status=0
  output=$(bash -euc '
    source "$0/tools/setup/progress.sh"
    source "$0/tools/setup/packages.sh"
    source "$0/tools/setup/build.sh"
    log_steps "$1/setup.log"
    "${@:2}"' "$root" "$folder" "$@" 2>&1 </dev/null) || status=$?
}

begin() {
  name=$1
  rm -rf "$folder"
  mkdir -p "$folder/bin"
  PATH=$folder/bin:$real_path
}

fail() {
  printf '%s: %s\nstatus %s, output:\n%s\n' "$name" "$1" "$status" "$output"
  exit 1
}

expect_status() { [ "$status" = "$1" ] || fail "status $1 was expected"; }
expect_output() { [[ $output == *"$1"* ]] || fail "output was expected with: $1"; }

# all_but PACKAGE: what dpkg-query says.
all_but() { fake dpkg-query "for p; do [ \$p = $1 ] || printf 'installed=%s ' \$p; done"; }

begin "without rights the exact line is printed and the script ends with status 1"
all_but cmake
fake id 'echo 1000'
fake sudo 'exit 1'
setup install_packages "$folder/unavailable" dataset-fashion-mnist
expect_status 1
expect_output "
  apt-get install cmake"

begin "with sudo the missing packages and no others are installed"
all_but cmake
fake id 'echo 1000'
fake sudo '[ "$1" = -n ] || "$@"'
fake apt-get 'echo "$@" >>'"$folder/calls"
setup install_packages "$folder/unavailable" dataset-fashion-mnist
grep -q ' install --no-install-recommends cmake$' "$folder/calls" || fail "cmake is not installed"

begin "a missing optional package without rights is a warning, given once"
all_but dataset-fashion-mnist
fake id 'echo 1000'
fake sudo 'exit 1'
setup install_packages "$folder/unavailable" dataset-fashion-mnist
expect_status 0
expect_output "apt-get install dataset-fashion-mnist"
setup install_packages "$folder/unavailable" dataset-fashion-mnist
expect_status 0
[ -z "$output" ] || fail "silence was expected the second time"

begin "a failing step shows the end of the log and where it lies"
setup step "the title" bash -c 'echo the reason; exit 3'
expect_status 1
expect_output "the title: failed. The end of $folder/setup.log:"
expect_output "    the reason"

begin "a step fails with the first command of a function that fails"
setup eval 'two() { false; echo went on; }; step title two'
expect_status 1
[[ $output != *"went on"* ]] || fail "the function went on"

begin "the preset is cuda only where nvcc is of LibTorch's release"
unset LOWBIT_PRESET CUDACXX
fake nvcc 'echo "Cuda compilation tools, release 13.0, V13.0.88"'
setup choose_preset
[ "$output" = cuda ] || fail "cuda was expected"
fake nvcc 'echo "Cuda compilation tools, release 12.0, V12.0.140"'
setup choose_preset
[ "$output" = cpu ] || fail "cpu was expected"

begin "LOWBIT_PRESET overrides what the machine has"
fake nvcc 'echo "Cuda compilation tools, release 13.0, V13.0.88"'
LOWBIT_PRESET=cpu setup choose_preset
[ "$output" = cpu ] || fail "cpu was expected"

# entry SCRIPT ARGUMENT...: an entry script in a project whose setup is silent and whose program prints
# its arguments.
entry() {
  local script=$1
  mkdir -p "$folder/project/tools/setup" "$folder/project/build/cpu"
  cp "$root/$script" "$folder/project/"
  cp "$root/tools/setup/build.sh" "$folder/project/tools/setup/"
  echo 'echo set up' >"$folder/project/setup.sh"
  printf '#!/bin/bash\necho "$@"\nexit 7\n' >"$folder/project/build/cpu/lowbit"
  chmod +x "$folder/project/build/cpu/lowbit"
  status=0
  output=$(LOWBIT_PRESET=cpu bash "$folder/project/$script" "${@:2}" 2>&1) || status=$?
}

begin "train.sh sets up, then hands its arguments and the status on"
entry train.sh CONFIG --lr 1
expect_status 7
[ "$output" = $'set up\ntrain CONFIG --lr 1' ] || fail "another call was expected"

begin "train.sh leaves to the program whether a config file is named, and says which is the default"
entry train.sh --lr 1 CONFIG
[ "$output" = $'set up\ntrain --lr 1 CONFIG' ] || fail "another call was expected"
grep -q '^export LOWBIT_DEFAULT_CONFIG=$root/config/' "$root/train.sh" || fail "no default is given"
[ -f "$(sed -n "s|^export LOWBIT_DEFAULT_CONFIG=\$root|$root|p" "$root/train.sh")" ] ||
  fail "the default does not exist"

begin "start_on_terminate.sh sets up, then waits as lowbit after"
entry start_on_terminate.sh 12 CONFIG 3 --lr 1
expect_status 7
[ "$output" = $'set up\nafter 12 CONFIG 3 --lr 1' ] || fail "another call was expected"

for bad in "" "12" "x CONFIG" "0 CONFIG"; do
  begin "start_on_terminate.sh $bad says how to call it, and sets nothing up"
  # shellcheck disable=SC2086  # no, one or two words
  entry start_on_terminate.sh $bad
  expect_status 2
  expect_output "start_on_terminate.sh PID CONFIG"
  [[ $output != *"set up"$'\n'* ]] || fail "it set up"
done

echo "all of the setup's tests passed"
