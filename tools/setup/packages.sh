# shellcheck shell=bash
# The packages of Debian 12 and Ubuntu 24.04 that the build, the default run and the tests need.
# Sourced, after progress.sh, by setup.sh.
# shellcheck disable=SC2034

build_packages=(
  build-essential ccache cmake flatbuffers-compiler ninja-build python3 python3-pip
  libarchive-dev libcli11-dev libcurl4-openssl-dev libflatbuffers-dev libfmt-dev libgloo-dev
  libgmock-dev libgtest-dev libjpeg-dev libpng-dev libprotobuf-dev libspdlog-dev libssl-dev
  libxxhash-dev nlohmann-json3-dev protobuf-compiler zlib1g-dev
)
# What the program and most tests can do without: where a release lacks one, that is a warning.
optional_packages=(dataset-fashion-mnist)
# The sources are formatted by this version of clang-format; others format a few places differently.
# clang and its run-time library have the fuzzer. The tests of the runtime are built for 64-bit ARM,
# too, and run in an emulator.
optional_test_packages=(
  clang clang-format-14 g++-aarch64-linux-gnu libclang-rt-dev qemu-user shellcheck
)

# missing_of PACKAGE...: those that are not installed, one a line.
missing_of() {
  local installed package
  (($#)) || return 0
  installed=" $(dpkg-query -W -f '${db:Status-Status}=${Package} ' "$@" 2>/dev/null || true)"
  for package; do
    [[ $installed == *" installed=$package "* ]] || echo "$package"
  done
}

# known_of PACKAGE...: those that the package lists of this machine have, one a line.
known_of() {
  local package
  for package; do
    if apt-cache show --no-all-versions "$package" >/dev/null 2>&1; then echo "$package"; fi
  done
}

# The command that gives root's rights, empty for root; fails where there are none to get. At a
# terminal sudo may ask for the password, elsewhere it must not.
root_command() {
  if [ "$(id -u)" = 0 ]; then
    return
  fi
  command -v sudo >/dev/null || return 1
  if [ -t 0 ]; then sudo -v || return 1; else sudo -n true 2>/dev/null || return 1; fi
  echo sudo
}

# apt_get RIGHTS ARGUMENT...: RIGHTS is sudo or nothing.
apt_get() {
  local rights=$1
  shift
  ${rights:+"$rights"} env DEBIAN_FRONTEND=noninteractive \
    apt-get --yes -o Acquire::Retries=3 -o DPkg::Lock::Timeout=300 "$@"
}

# apt_install RIGHTS REQUIRED... -- OPTIONAL...
apt_install() {
  local rights=$1 required=() optional
  shift
  while [ "$1" != -- ]; do
    required+=("$1")
    shift
  done
  shift
  apt_get "$rights" update
  mapfile -t optional < <(known_of "$@")
  apt_get "$rights" install --no-install-recommends "${required[@]}" "${optional[@]}"
}

# install_packages UNAVAILABLE OPTIONAL...: what of build_packages and of OPTIONAL is missing. The
# file UNAVAILABLE keeps the optional ones that could not be had: they are asked for once.
install_packages() {
  local unavailable=$1 required optional rights
  shift
  if ! command -v dpkg-query >/dev/null; then
    echo "setup.sh: neither Debian nor Ubuntu: what is installed is not checked" >&2
    return
  fi
  mapfile -t required < <(missing_of "${build_packages[@]}")
  mapfile -t optional < <(missing_of "$@" | grep -vxFf <(cat "$unavailable" 2>/dev/null) || true)
  ((${#required[@]} + ${#optional[@]})) || return 0
  if rights=$(root_command); then
    step "$((${#required[@]} + ${#optional[@]})) packages" \
      apt_install "$rights" "${required[@]}" -- "${optional[@]}"
  else
    say_what_to_install "${required[@]}" "${optional[@]}"
    ((${#required[@]} == 0)) || exit 1
  fi
  mapfile -t optional < <(missing_of "${optional[@]}")
  ((${#optional[@]})) || return 0
  echo "setup.sh: going on without ${optional[*]}" >&2
  printf '%s\n' "${optional[@]}" >>"$unavailable"
}

# say_what_to_install PACKAGE...
say_what_to_install() {
  echo "setup.sh: these packages are missing, and only root or sudo can install them:" >&2
  echo "  apt-get install $*" >&2
}
