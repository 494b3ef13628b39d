// SPDX-License-Identifier: Apache-2.0
// How the machine is: a page for people at /plugins/<name>/, the same as JSON at …/status.json, and
// a bare "ok" for a monitor at …/ping, which may be public.
#pragma once

#include <string>

#include "talon/sdk/http.h"
#include "talon/sdk/plugin.h"

namespace talon::examples {

class HttpStatus : public sdk::Plugin, public sdk::HttpEndpoint {
 public:
  HttpStatus();
  absl::Status Configure(const sdk::Args& config, const sdk::Folders& folders) override;

 private:
  sdk::HttpResponse Page() const;
  sdk::HttpResponse Json() const;

  std::string title_;
};

}  // namespace talon::examples
