// SPDX-License-Identifier: Apache-2.0
// talon.v1.Plugin without its wire: from request messages to an author's Plugin and back. The order
// of calls is kept here (Configure once, before any Execute). Thread-safe. Internal to the SDK.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <mutex>
#include <string>

#include "absl/status/status.h"
#include "extensions.h"
#include "outlet.h"
#include "talon/sdk/plugin.h"
#include "talon/v1/plugin.pb.h"

namespace talon::sdk {

class Dispatcher {
 public:
  // `plugin` outlives the dispatcher.
  Dispatcher(Plugin& plugin, std::size_t max_content_bytes)
      : plugin_(plugin), extensions_(plugin), max_content_bytes_(max_content_bytes) {}

  // OK when the plugin and all it also is can be served.
  absl::Status Validate() const;
  const Extensions& extensions() const { return extensions_; }

  v1::Manifest Describe();
  absl::Status Configure(const v1::ConfigureRequest& request);
  absl::Status Execute(const v1::ExecuteRequest& request, const CallInfo& call,
                       v1::ExecuteResponse& response);
  // Tells of every change of the tools since the last Describe, until `over` answers true. Whoever
  // makes it so wakes it.
  absl::Status Watch(Outlet<v1::PluginEvent>& out, const std::function<bool()>& over);
  void WakeWatchers();
  // Every Watch ends.
  void StopWatching();
  // Once configured; exceptions of the author's code become errors.
  absl::Status Guarded(const std::function<absl::Status()>& ask);
  // A call of an extension point, by one of the functions in extensions.h.
  template <class Extension, class Request, class Response>
  absl::Status Ask(absl::Status (*ask)(Extension&, const Request&, const CallInfo&, Response&),
                   Extension& extension, const Request& request, const CallInfo& call,
                   Response& response) {
    return Guarded([&] { return ask(extension, request, call, response); });
  }

 private:
  Result Run(const Tool& tool, const std::string& arguments_json, const CallInfo& call);

  Plugin& plugin_;
  const Extensions extensions_;
  const std::size_t max_content_bytes_;
  std::mutex configure_mutex_;                // one Configure at a time
  std::atomic<bool> configured_ = false;      // set once, before the first Execute
  std::atomic<std::uint64_t> described_ = 0;  // version of the tools last told
  std::atomic<bool> stopping_ = false;
};

std::string ManifestJson(const Plugin& plugin);

}  // namespace talon::sdk
