# SPDX-License-Identifier: Apache-2.0
# Writes OUT: a table of file name to content for NAMESPACE::Embedded and, in the order of FILES,
# NAMESPACE::EmbeddedFiles. A file is a path, or name=path. Run by talon_embed.
string(REPLACE "|" ";" files "${FILES}")
set(body "")
foreach(file IN LISTS files)
  string(REGEX REPLACE "^[^=]*=" "" path "${file}")
  file(READ "${path}" hex HEX)
  string(REGEX REPLACE "([0-9a-f][0-9a-f])" "\\\\x\\1" escaped "${hex}")
  # Pieces of 80 bytes keep the compiler's line limits away.
  string(REGEX REPLACE "((\\\\x[0-9a-f][0-9a-f])(\\\\x[0-9a-f][0-9a-f])?(\\\\x[0-9a-f][0-9a-f])?(\\\\x[0-9a-f][0-9a-f])?(\\\\x[0-9a-f][0-9a-f])?(\\\\x[0-9a-f][0-9a-f])?(\\\\x[0-9a-f][0-9a-f])?(\\\\x[0-9a-f][0-9a-f])?)" "\"\\1\"\n" escaped "${escaped}")
  get_filename_component(name "${path}" NAME)
  if(file MATCHES "^([^=]*)=")
    set(name "${CMAKE_MATCH_1}")
  endif()
  file(SIZE "${path}" size)
  string(APPEND body "    {\"${name}\", std::string_view(\n${escaped}\"\", ${size})},\n")
endforeach()
set(text "#include <optional>\n#include <span>\n#include <string_view>\n#include <utility>\n
namespace ${NAMESPACE} {\nnamespace {\nconstexpr std::pair<std::string_view, std::string_view> kFiles[] = {\n${body}};\n}  // namespace
std::optional<std::string_view> Embedded(std::string_view name);
std::optional<std::string_view> Embedded(std::string_view name) {
  for (const auto& [file, content] : kFiles) {
    if (file == name) return content;
  }
  return std::nullopt;
}
std::span<const std::pair<std::string_view, std::string_view>> EmbeddedFiles();
std::span<const std::pair<std::string_view, std::string_view>> EmbeddedFiles() { return kFiles; }
}  // namespace ${NAMESPACE}\n")
file(WRITE "${OUT}" "${text}")
