# LibTorch as its PyPI wheel lays it out: ${LOWBIT_DEPS}/site/torch/{include,lib}, the NVIDIA
# libraries beside it in ${LOWBIT_DEPS}/site/nvidia. The wheel's own TorchConfig.cmake asks for CUDA
# scripts that current CMake no longer has, hence this module.
#
# Defines the imported target LibTorch::torch: CPU only, or with CUDA where LOWBIT_CUDA is on; and
# LOWBIT_PYTHON, a Python that can import this torch from ${LOWBIT_DEPS}/site (the wheel is of one
# version), if the machine has it.

set(LibTorch_ROOT "${LOWBIT_DEPS}/site/torch")
find_path(LibTorch_INCLUDE_DIR torch/csrc/api/include/torch/torch.h
          PATHS "${LibTorch_ROOT}/include" NO_DEFAULT_PATH)
find_library(LibTorch_CPU_LIBRARY torch_cpu PATHS "${LibTorch_ROOT}/lib" NO_DEFAULT_PATH)
find_library(LibTorch_C10_LIBRARY c10 PATHS "${LibTorch_ROOT}/lib" NO_DEFAULT_PATH)

file(GLOB extension "${LibTorch_ROOT}/_C.cpython-*")
if(extension MATCHES "/_C.cpython-3([0-9]+)-")
  find_program(LOWBIT_PYTHON "python3.${CMAKE_MATCH_1}")
endif()

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(
  LibTorch
  REQUIRED_VARS LibTorch_INCLUDE_DIR LibTorch_CPU_LIBRARY LibTorch_C10_LIBRARY
  REASON_FAILURE_MESSAGE "LibTorch is not in ${LibTorch_ROOT}: run `bash setup.sh`, which brings it")

if(LibTorch_FOUND AND NOT TARGET LibTorch::torch)
  add_library(LibTorch::torch INTERFACE IMPORTED)
  target_include_directories(LibTorch::torch SYSTEM
                             INTERFACE "${LibTorch_INCLUDE_DIR}/torch/csrc/api/include")
  # After the system's folders: the wheel carries copies of fmt, pybind11 and others that must not
  # stand before those that spdlog and this project are built with.
  target_compile_options(
    LibTorch::torch
    INTERFACE "$<$<COMPILE_LANGUAGE:CXX>:SHELL:-idirafter \"${LibTorch_INCLUDE_DIR}\">")
  # The libraries register their operators from static constructors: no symbol need be used for them
  # to be needed.
  target_link_options(LibTorch::torch INTERFACE "LINKER:--no-as-needed"
                      "LINKER:--allow-shlib-undefined" "LINKER:-rpath,${LibTorch_ROOT}/lib")
  target_link_libraries(LibTorch::torch INTERFACE "${LibTorch_CPU_LIBRARY}"
                                                  "${LibTorch_C10_LIBRARY}")
  if(LOWBIT_CUDA)
    target_link_libraries(
      LibTorch::torch
      INTERFACE "${LibTorch_ROOT}/lib/libtorch.so" "${LibTorch_ROOT}/lib/libtorch_cuda.so"
                "${LibTorch_ROOT}/lib/libc10_cuda.so" CUDA::cudart)
    # Where a program finds those of NVIDIA's libraries that it loads itself.
    target_link_options(LibTorch::torch INTERFACE
                        "LINKER:-rpath,${LOWBIT_DEPS}/site/nvidia/cu13/lib")
  endif()
endif()
