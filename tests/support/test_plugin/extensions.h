// SPDX-License-Identifier: Apache-2.0
// Every extension point, served as honestly as a test needs and with the lie that it asks for.
#pragma once

#include <grpcpp/server_builder.h>

#include <memory>
#include <string>
#include <vector>

#include "talon/v1/plugin.pb.h"

namespace talon::test_plugin {

// What the manifest says of them.
void AddExtensions(v1::Manifest& manifest);

// A lie of streams that never end, as AllLies() names it.
inline constexpr char kEndlessDeltas[] = "ChatDelta.endless=stream";
inline constexpr char kEndlessEvents[] = "PluginEvent.endless=stream";

// The services; they live as long as the server.
std::vector<std::unique_ptr<grpc::Service>> MakeExtensions(const std::string& lie);

}  // namespace talon::test_plugin
