# SPDX-License-Identifier: Apache-2.0
# talon_room(<folder> DEPS <rooms and libraries…> PRIVATE <libraries…> [EMBED <files…>] [LEAN] [SMALL])
#   One folder = one static library talon_<folder>. LEAN uses the precompiled header without Asio.
#   SMALL: code that runs once is compiled for size, for it is memory of an idle daemon as well.
# talon_test(<room> DEPS …)    one test executable a room from tests/unit/<room>/*_test.cc
# talon_embed(<target> <namespace> <files…>)  std::optional<std::string_view> Embedded(name); a file may be
#   given as name=path

function(_talon_pch target lean)
  if(lean)
    target_precompile_headers(${target} REUSE_FROM talon_pch)
  else()
    target_precompile_headers(${target} REUSE_FROM talon_pch_async)
  endif()
endfunction()

function(talon_embed target namespace)
  set(out ${CMAKE_CURRENT_BINARY_DIR}/${target}_embedded.cc)
  string(REPLACE ";" "|" files "${ARGN}")
  list(TRANSFORM ARGN REPLACE "^[^=]*=" "" OUTPUT_VARIABLE paths)
  add_custom_command(
    OUTPUT ${out}
    COMMAND ${CMAKE_COMMAND} -DOUT=${out} -DNAMESPACE=${namespace} "-DFILES=${files}"
            -P ${PROJECT_SOURCE_DIR}/deploy/cmake/EmbedFiles.cmake
    DEPENDS ${paths} ${PROJECT_SOURCE_DIR}/deploy/cmake/EmbedFiles.cmake
    VERBATIM)
  target_sources(${target} PRIVATE ${out})
  set_source_files_properties(${out} PROPERTIES SKIP_PRECOMPILE_HEADERS ON)
endfunction()

function(talon_room folder)
  cmake_parse_arguments(ROOM "LEAN;SMALL" "" "DEPS;PRIVATE;EMBED" ${ARGN})
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS *.cc *.h)
  set(target talon_${folder})
  add_library(${target} STATIC ${sources})
  target_include_directories(${target} PUBLIC ${PROJECT_SOURCE_DIR}/src)
  target_link_libraries(${target} PUBLIC ${ROOM_DEPS} absl::status absl::statusor fmt::fmt
                        PRIVATE talon_options ${ROOM_PRIVATE})
  if(NOT ROOM_LEAN)
    target_link_libraries(${target} PUBLIC talon_asio)
  endif()
  if(ROOM_SMALL AND CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
    target_compile_options(${target} PRIVATE "SHELL:$<$<CONFIG:Release>:-mllvm -inline-threshold=20>")
  endif()
  _talon_pch(${target} ${ROOM_LEAN})
  if(ROOM_EMBED)
    talon_embed(${target} talon::${folder} ${ROOM_EMBED})
  endif()
endfunction()

function(talon_test room)
  cmake_parse_arguments(TEST "LEAN" "" "DEPS;LABELS" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*_test.cc
       ${CMAKE_CURRENT_SOURCE_DIR}/fake_*.cc)
  if(NOT sources)
    return()
  endif()
  set(target ${room}_test)
  add_executable(${target} ${sources})
  target_include_directories(${target} PRIVATE ${PROJECT_SOURCE_DIR})
  target_link_libraries(${target} PRIVATE talon_options ${TEST_DEPS} GTest::gmock GTest::gtest_main)
  target_compile_options(${target} PRIVATE -fPIC)  # as the precompiled header; executables get -fPIE
  _talon_pch(${target} ${TEST_LEAN})
  if(NOT TEST_LEAN)
    target_link_libraries(${target} PRIVATE talon_asio)
  endif()
  add_test(NAME ${target} COMMAND ${target})
  set_tests_properties(${target} PROPERTIES LABELS "unit;${TEST_LABELS}" TIMEOUT 300)
  set_property(GLOBAL APPEND PROPERTY TALON_UNIT_TESTS ${target})
  if("concurrent" IN_LIST TEST_LABELS)
    set_property(GLOBAL APPEND PROPERTY TALON_CONCURRENT_TESTS ${target})
  endif()
endfunction()
