// SPDX-License-Identifier: Apache-2.0
// HTTP endpoints that plugins serve below /plugins/<plugin>/ (proto/talon/v1/http.proto): finding
// the route and keeping the headers clean both ways. Who may call is the gateway's affair. Loop's
// thread.
#pragma once

#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "base/call_context.h"
#include "base/clock.h"
#include "io/http_server.h"
#include "io/task.h"
#include "plugin/manifest.h"

namespace talon::plugin {

class Host;

// Of a request's path; both empty when it is not below /plugins/<plugin>/.
struct EndpointPath {
  std::string plugin;
  std::string path;  // begins with '/'
};
EndpointPath SplitEndpointPath(std::string_view path);

// What a plugin may not be asked with, and may not answer: what belongs to one connection, to who
// calls, or to the daemon's own pages.
bool PassesToPlugin(std::string_view header);
bool PassesFromPlugin(std::string_view header);

class HttpPoint {
 public:
  // Both must outlive this.
  HttpPoint(Host& host, const Clock& clock) : host_(host), clock_(clock) {}

  // The exact path first, then the longest route above it; null when no route fits. `allowed` gets
  // the methods that the path takes otherwise.
  const Manifest::Route* Find(const EndpointPath& at, std::string_view method,
                              std::string* allowed) const;
  // The plugin's answer, fit to be sent on. Errors are of the call, or kPluginMisbehaved.
  io::Task<absl::StatusOr<io::ServerResponse>> Handle(EndpointPath at, io::ServerRequest request,
                                                      CallContext context);

 private:
  Host& host_;
  const Clock& clock_;
};

}  // namespace talon::plugin
