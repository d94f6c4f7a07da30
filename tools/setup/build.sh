# shellcheck shell=bash
# Which preset this machine builds, and building it. Sourced, after progress.sh.

# The CUDA release that LibTorch's wheel is built with; kernels of another would meet its runtime.
cuda_release=13

# The path of nvcc, if it is on PATH or where NVIDIA's packages put it.
find_nvcc() {
  local candidate
  for candidate in "${CUDACXX:-}" "$(command -v nvcc || true)" "${CUDA_HOME:-}/bin/nvcc" \
    /usr/local/cuda/bin/nvcc; do
    if [ -f "$candidate" ] && [ -x "$candidate" ]; then
      echo "$candidate"
      return
    fi
  done
  return 1
}

# choose_preset: cuda where there is an nvcc that fits LibTorch, else cpu; LOWBIT_PRESET overrides.
choose_preset() {
  local nvcc
  if [ -n "${LOWBIT_PRESET:-}" ]; then
    echo "$LOWBIT_PRESET"
  elif nvcc=$(find_nvcc) && "$nvcc" --version | grep -q "release $cuda_release\."; then
    echo cuda
  else
    echo cpu
  fi
}

# libtorch_folder ROOT
libtorch_folder() { realpath -m "${LOWBIT_DEPS:-$1/.deps}"; }

# build_jobs: as many compilers as there are cores, but no more than the memory holds: one that
# reads LibTorch's headers takes up to 2 GB.
build_jobs() {
  local cores by_memory
  cores=$(nproc)
  by_memory=$(awk '/^MemAvailable/ {print int($2 / 2e6)}' /proc/meminfo)
  if ((by_memory < 1)); then by_memory=1; fi
  echo $((cores < by_memory ? cores : by_memory))
}

# is_configured ROOT PRESET DEPS: whether the build folder is of this checkout (which may have been
# moved) and of this LibTorch.
is_configured() {
  local folder=$1/build/$2
  [ -f "$folder/build.ninja" ] &&
    grep -qxF "CMAKE_HOME_DIRECTORY:INTERNAL=$1" "$folder/CMakeCache.txt" &&
    grep -qxF "LOWBIT_DEPS:PATH=$3" "$folder/CMakeCache.txt"
}

# build ROOT PRESET DEPS TARGET: configures where that is missing, then builds; where nothing has
# changed this takes a fraction of a second.
build() {
  local root=$1 preset=$2 deps=$3 target=$4 nvcc
  if ! is_configured "$root" "$preset" "$deps"; then
    # CMake itself looks for nvcc on PATH only.
    if nvcc=$(find_nvcc); then export CUDACXX=$nvcc; fi
    (cd "$root" && cmake --fresh --preset "$preset" -D LOWBIT_DEPS:PATH="$deps")
  fi
  cmake --build "$root/build/$preset" --target "$target" --parallel "$(build_jobs)"
}
