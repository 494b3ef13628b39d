// SPDX-License-Identifier: Apache-2.0
// The messages of talon.v1.Plugin as bytes: the only place, with manifest.cc, that knows protobuf.
// Pure, any thread.
#pragma once

#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "base/principal.h"
#include "plugin/credentials.h"
#include "tool/tool.h"

namespace talon::plugin {

inline constexpr std::string_view kDescribeMethod = "/talon.v1.Plugin/Describe";
inline constexpr std::string_view kConfigureMethod = "/talon.v1.Plugin/Configure";
inline constexpr std::string_view kExecuteMethod = "/talon.v1.Plugin/Execute";
inline constexpr std::string_view kShutdownMethod = "/talon.v1.Plugin/Shutdown";

std::string EncodeDescribe();
// `config_json` empty is "{}".
std::string EncodeConfigure(std::string_view config_json, const std::string& workspace,
                            const std::string& data_directory, const Credentials& credentials);
// InvalidArgument when an id or name is not UTF-8, which the wire cannot carry.
absl::StatusOr<std::string> EncodeExecute(const tool::Invocation& invocation,
                                          const std::string& tool_name, const Principal& actor);
// Internal/kPluginMisbehaved when `bytes` is no ExecuteResponse.
absl::StatusOr<tool::ToolOutput> DecodeExecute(std::string_view bytes);

}  // namespace talon::plugin
