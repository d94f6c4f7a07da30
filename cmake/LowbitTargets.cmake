# One folder, one target. Each folder's CMakeLists.txt says only what it depends on.

# lowbit_find_package(PACKAGE DEBIAN [argument of find_package...]): DEBIAN is the package of Debian
# and Ubuntu that has it.
macro(lowbit_find_package package debian)
  find_package(${package} QUIET ${ARGN})
  if(NOT ${package}_FOUND)
    message(FATAL_ERROR "${package} was not found: `bash setup.sh` installs what the build needs "
                        "(this is the package ${debian} of Debian and Ubuntu)")
  endif()
endmacro()

# All of them here: a target that one folder finds is unknown to the next. First what the runtime
# needs.
find_package(Threads REQUIRED)
lowbit_find_package(xxhash libxxhash-dev)
find_program(FLATC flatc)
find_path(FLATBUFFERS_INCLUDE_DIR flatbuffers/flatbuffers.h)
if(NOT FLATC OR NOT FLATBUFFERS_INCLUDE_DIR)
  message(FATAL_ERROR "FlatBuffers was not found: `bash setup.sh` installs what the build needs "
                      "(these are the packages flatbuffers-compiler and libflatbuffers-dev of "
                      "Debian and Ubuntu)")
endif()
if(LOWBIT_RUNTIME_ONLY)
  # Of fmt the headers, which serve every machine: its file for CMake names libraries of this one.
  find_path(FMT_INCLUDE_DIR fmt/format.h)
  if(NOT FMT_INCLUDE_DIR)
    message(FATAL_ERROR "the headers of fmt were not found: this is the package libfmt-dev of "
                        "Debian and Ubuntu")
  endif()
  add_library(fmt::fmt-header-only INTERFACE IMPORTED)
  target_include_directories(fmt::fmt-header-only INTERFACE "${FMT_INCLUDE_DIR}")
else()
  include(LowbitPackages)
endif()

find_program(CCACHE ccache)
if(CCACHE)
  # A precompiled header defeats the cache unless it may ignore what the header defines.
  set(launcher "${CMAKE_COMMAND}" -E env
               CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime
               "${CCACHE}")
  set(CMAKE_CXX_COMPILER_LAUNCHER ${launcher})
  set(CMAKE_CUDA_COMPILER_LAUNCHER ${launcher})
endif()

add_library(lowbit_flags INTERFACE)
target_include_directories(lowbit_flags INTERFACE "${CMAKE_SOURCE_DIR}/src")
# -ffp-contract=off: a multiply and an add that the source writes stay two roundings, so that every
# kernel, compiler and instruction set gives the same bits. -Wno-restrict: gcc 12 sees overlap in
# `"x" + std::string` where there is none (its bug 105651).
target_compile_options(
  lowbit_flags
  INTERFACE
    $<$<COMPILE_LANGUAGE:CXX>:-Wall;-Wextra;-Wpedantic;-Werror;-Wshadow;-Wno-unused-parameter;$<$<CXX_COMPILER_ID:GNU>:-Wno-restrict>;-ffp-contract=off;$<$<CXX_COMPILER_ID:GNU>:-fpch-preprocess>>
    $<$<COMPILE_LANGUAGE:CUDA>:--expt-relaxed-constexpr;--fmad=false;-Werror=all-warnings>)
# fmt and spdlog as headers only: the program then needs no shared library of theirs.
target_compile_definitions(lowbit_flags INTERFACE FMT_HEADER_ONLY SPDLOG_FMT_EXTERNAL
                                                  $<$<BOOL:${LOWBIT_CUDA}>:LOWBIT_CUDA>)
target_link_libraries(lowbit_flags INTERFACE Threads::Threads)
if(LOWBIT_FUZZ)
  target_compile_options(lowbit_flags INTERFACE -fsanitize=fuzzer-no-link)
endif()
if(LOWBIT_SANITIZE)
  target_compile_options(
    lowbit_flags INTERFACE -fsanitize=address,undefined -fno-sanitize-recover=undefined
                           -fno-omit-frame-pointer)
  target_link_options(lowbit_flags INTERFACE -fsanitize=address,undefined)
  # With the sanitizers in between GCC takes what std::regex moves for uninitialized.
  target_compile_options(lowbit_flags
                         INTERFACE $<$<CXX_COMPILER_ID:GNU>:-Wno-maybe-uninitialized>)
endif()

# LibTorch's headers take 15 s to read: they are compiled once, and every target with TORCH uses the
# result.
set(LOWBIT_PCH "${CMAKE_SOURCE_DIR}/cmake/precompiled.h")
function(lowbit_precompiled_torch)
  file(CONFIGURE OUTPUT "${CMAKE_BINARY_DIR}/precompiled_torch.cpp"
       CONTENT "// carries the precompiled header\n")
  add_library(precompiled_torch OBJECT "${CMAKE_BINARY_DIR}/precompiled_torch.cpp")
  target_link_libraries(precompiled_torch PRIVATE lowbit_flags LibTorch::torch)
  target_precompile_headers(precompiled_torch PRIVATE "${LOWBIT_PCH}")
endfunction()
if(NOT LOWBIT_RUNTIME_ONLY)
  lowbit_precompiled_torch()
endif()

# lowbit_sources(TARGET [TORCH] [DEPENDS targets...]): what libraries, programs and tests share.
function(lowbit_sources target)
  cmake_parse_arguments(ARG "TORCH" "" "DEPENDS" ${ARGN})
  target_link_libraries(${target} PUBLIC lowbit_flags ${ARG_DEPENDS})
  if(ARG_TORCH)
    target_link_libraries(${target} PUBLIC LibTorch::torch)
    target_precompile_headers(${target} REUSE_FROM precompiled_torch)
    get_target_property(type ${target} TYPE)
    if(type STREQUAL EXECUTABLE)
      # gcc takes a precompiled header only where -fPIC or -fPIE is as it was for the header.
      set_target_properties(${target} PROPERTIES POSITION_INDEPENDENT_CODE OFF)
      target_compile_options(${target} PRIVATE -fPIC)
    endif()
  endif()
endfunction()

# lowbit_unity(TARGET): with LOWBIT_UNITY the target's files are compiled several at a time. Most of
# what a file takes is headers and the templates that it instantiates of them, which a batch does
# once: a full build takes a quarter of the time. Ten files take up to a minute and 2 GB; larger batches
# save little more.
function(lowbit_unity target)
  set_target_properties(${target} PROPERTIES UNITY_BUILD ${LOWBIT_UNITY} UNITY_BUILD_BATCH_SIZE 10)
endfunction()

# lowbit_library([TORCH] [APART] [ONLY sources...] [DEPENDS targets...]): lowbit_<folder> from this
# folder's sources, or these alone; .cu files only where CUDA is on. APART: never several files at a
# time, as files of the same names inside stand beside each other.
function(lowbit_library)
  cmake_parse_arguments(ARG "TORCH;APART" "" "ONLY;DEPENDS" ${ARGN})
  get_filename_component(folder "${CMAKE_CURRENT_SOURCE_DIR}" NAME)
  if(ARG_ONLY)
    set(sources ${ARG_ONLY})
  else()
    file(GLOB_RECURSE sources CONFIGURE_DEPENDS *.cpp)
  endif()
  if(LOWBIT_CUDA)
    file(GLOB_RECURSE cuda_sources CONFIGURE_DEPENDS *.cu)
    list(APPEND sources ${cuda_sources})
  endif()
  add_library(lowbit_${folder} STATIC ${sources})
  lowbit_sources(lowbit_${folder} ${ARGN})
  if(NOT ARG_APART)
    lowbit_unity(lowbit_${folder})
  endif()
endfunction()

# lowbit_formulas(TARGET files...): files of the target that have LOWBIT_FORMULA_KERNELS. Where CUDA
# is on they are compiled once more, as CUDA, for the loops of the GPU.
function(lowbit_formulas target)
  if(NOT LOWBIT_CUDA)
    return()
  endif()
  set(copies)
  foreach(file ${ARGN})
    set(copy "${CMAKE_CURRENT_BINARY_DIR}/${file}.cu")
    file(CONFIGURE OUTPUT "${copy}" CONTENT "#include \"${CMAKE_CURRENT_SOURCE_DIR}/${file}\"\n")
    list(APPEND copies "${copy}")
  endforeach()
  add_library(${target}_formulas STATIC ${copies})
  target_link_libraries(${target}_formulas PUBLIC lowbit_flags lowbit_kernels)
  target_link_libraries(${target} PRIVATE ${target}_formulas)
endfunction()

# lowbit_test([TORCH] [APART] [PROGRAM] [DEPENDS targets...]): test_<folder> from this folder's
# sources, one ctest entry; PROGRAM: it runs the program, LOWBIT_PROGRAM. Either with the label
# torch, or part of the target tests_without_torch.
function(lowbit_test)
  cmake_parse_arguments(ARG "TORCH;APART;PROGRAM" "" "DEPENDS" ${ARGN})
  get_filename_component(folder "${CMAKE_CURRENT_SOURCE_DIR}" NAME)
  file(GLOB sources CONFIGURE_DEPENDS *.cpp)
  add_executable(test_${folder} ${sources})
  lowbit_sources(test_${folder} ${ARGN})
  if(NOT ARG_APART)
    lowbit_unity(test_${folder})
  endif()
  # Tests need not be fast, and -O1 saves a third of the time of compiling them. It changes no value.
  target_compile_options(test_${folder} PRIVATE $<$<CONFIG:Release>:-O1>)
  target_include_directories(test_${folder} PRIVATE "${CMAKE_SOURCE_DIR}/tests")
  target_link_libraries(test_${folder} PRIVATE GTest::gtest GTest::gmock GTest::gtest_main)
  target_compile_definitions(
    test_${folder} PRIVATE LOWBIT_SOURCE_DIR="${CMAKE_SOURCE_DIR}"
                           LOWBIT_PROGRAM="${CMAKE_BINARY_DIR}/lowbit")
  add_test(NAME ${folder} COMMAND test_${folder})
  set_tests_properties(${folder} PROPERTIES ENVIRONMENT "OMP_WAIT_POLICY=passive")
  if(ARG_PROGRAM)
    add_dependencies(test_${folder} lowbit)
  endif()
  if(ARG_TORCH OR ARG_PROGRAM)
    set_tests_properties(${folder} PROPERTIES LABELS torch)
  else()
    add_dependencies(tests_without_torch test_${folder})
  endif()
endfunction()
