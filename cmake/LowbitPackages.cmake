# What the whole of it is built with, beside what the runtime of packed networks needs.
lowbit_find_package(OpenMP build-essential COMPONENTS CXX)
lowbit_find_package(CLI11 libcli11-dev)
lowbit_find_package(CURL libcurl4-openssl-dev)
lowbit_find_package(fmt libfmt-dev)
lowbit_find_package(JPEG libjpeg-dev)
lowbit_find_package(LibArchive libarchive-dev)
lowbit_find_package(nlohmann_json nlohmann-json3-dev)
lowbit_find_package(OpenSSL libssl-dev)
lowbit_find_package(PNG libpng-dev)
set(Protobuf_USE_STATIC_LIBS ON)
lowbit_find_package(Protobuf "libprotobuf-dev, protobuf-compiler")
lowbit_find_package(spdlog libspdlog-dev)
lowbit_find_package(ZLIB zlib1g-dev)
find_path(GLOO_INCLUDE_DIR gloo/context.h)
if(NOT GLOO_INCLUDE_DIR)
  message(FATAL_ERROR "the headers of Gloo were not found: `bash setup.sh` installs what the build "
                      "needs (this is the package libgloo-dev of Debian and Ubuntu)")
endif()

if(LOWBIT_CUDA)
  if(NOT CMAKE_CUDA_ARCHITECTURES)
    # Machine code for Ampere, which Ada runs too, and for Hopper; PTX for what comes after it.
    set(CMAKE_CUDA_ARCHITECTURES 80-real 90)
  endif()
  set(CMAKE_CUDA_STANDARD 20)
  enable_language(CUDA)
  if(NOT CMAKE_CUDA20_STANDARD_COMPILE_OPTION)
    # CMake before 3.26 does not know that nvcc can C++20.
    set(CMAKE_CUDA20_STANDARD_COMPILE_OPTION -std=c++20)
    set(CMAKE_CUDA20_EXTENSION_COMPILE_OPTION -std=c++20)
  endif()
  find_package(CUDAToolkit REQUIRED)
  # Of the toolkit, or of the wheel that setup.sh brings where the toolkit has none.
  find_path(NCCL_INCLUDE_DIR nccl.h HINTS ${CUDAToolkit_INCLUDE_DIRS}
            PATHS "${LOWBIT_DEPS}/site/nvidia/nccl/include" REQUIRED)
endif()
find_package(LibTorch REQUIRED)
