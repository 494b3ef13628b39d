# SPDX-License-Identifier: Apache-2.0
# Compiler, linker, warnings, sanitizers and the shared precompiled headers.
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(TALON_SANITIZE "" CACHE STRING "Sanitizers for -fsanitize=, such as address,undefined or thread")

find_program(CCACHE_PROGRAM ccache)
if(CCACHE_PROGRAM)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CCACHE_PROGRAM})
  set(CMAKE_C_COMPILER_LAUNCHER ${CCACHE_PROGRAM})
endif()

add_library(talon_options INTERFACE)
target_compile_options(talon_options INTERFACE
  -Wall -Wextra -Wconversion -Wno-sign-conversion -Werror -Wno-missing-field-initializers)
if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
  # -fpch-instantiate-templates moves template work into the precompiled header, once.
  add_compile_options(-fpch-instantiate-templates)
  add_link_options(-fuse-ld=lld $<$<CONFIG:Release>:-Wl,--icf=safe>)
endif()
# Not -O3: its code is larger, which is memory, and no faster.
string(REPLACE "-O3" "-O2" CMAKE_CXX_FLAGS_RELEASE "${CMAKE_CXX_FLAGS_RELEASE}")
if(NOT CMAKE_BUILD_TYPE STREQUAL "Release")
  string(REPLACE "-g" "-g1" CMAKE_CXX_FLAGS_DEBUG "${CMAKE_CXX_FLAGS_DEBUG}")
endif()
add_link_options(-Wl,--gc-sections -Wl,--as-needed)
add_compile_options(-ffunction-sections -fdata-sections -fstack-protector-strong)
if(TALON_SANITIZE)
  add_compile_options(-fsanitize=${TALON_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${TALON_SANITIZE})
endif()

# Beast and other giants: one at a time, they need 2 GB each.
set_property(GLOBAL APPEND PROPERTY JOB_POOLS heavy=1)
