# SPDX-License-Identifier: Apache-2.0
# talon_plugin_grpc(<out>): what a plugin links for gRPC. Statically where its archives are there: such a
# plugin starts in 3 ms, one with 60 shared libraries in 15. The variant without TLS is enough for a Unix
# socket. Libraries are named by file, since the imported targets would bring the shared ones and -pthread,
# which the daemon's precompiled header lacks. Also sets TALON_RE2 to what RE2 needs besides.
option(TALON_STATIC_PLUGINS "Link gRPC statically into plugins" ON)
find_package(PkgConfig REQUIRED)
pkg_check_modules(GRPCPP REQUIRED grpc++_unsecure)

# Answers the archives of gRPC, Protobuf and what they need, or nothing when one is missing.
function(_talon_static_grpc out)
  set(${out} "" PARENT_SCOPE)
  # The last ones are not named by gRPC's pkg-config files.
  set(names protobuf ${GRPCPP_STATIC_LIBRARIES} address_sorting re2 upb cares)
  list(REMOVE_DUPLICATES names)
  foreach(name IN LISTS names)
    if(name MATCHES "^(rt|dl|pthread|atomic|m|z)$")
      continue()
    endif()
    find_library(ARCHIVE_${name} lib${name}.a)
    mark_as_advanced(ARCHIVE_${name})
    if(NOT ARCHIVE_${name})
      message(STATUS "plugins: lib${name}.a is missing, gRPC is linked dynamically")
      return()
    endif()
    list(APPEND archives ${ARCHIVE_${name}})
  endforeach()
  string(REPLACE ";" "," group "${archives}")
  set(${out} "$<LINK_GROUP:RESCAN,${group}>" z rt ${CMAKE_DL_LIBS} PARENT_SCOPE)
endfunction()

function(talon_plugin_grpc out)
  if(TALON_STATIC_PLUGINS)
    _talon_static_grpc(grpc)
  endif()
  set(re2 "")  # the archive comes with gRPC's
  if(NOT grpc)
    set(grpc ${GRPCPP_LIBRARIES} protobuf)
    set(re2 re2)
  endif()
  set(${out} ${grpc} PARENT_SCOPE)
  set(TALON_RE2 ${re2} PARENT_SCOPE)
endfunction()
