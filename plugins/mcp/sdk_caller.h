// SPDX-License-Identifier: Apache-2.0
// A call of the daemon as the client library sees it: its deadline and cancellation, its progress,
// and the person it may ask.
#pragma once

#include <map>
#include <string>

#include "mcp/caller.h"
#include "talon/sdk/call.h"

namespace talon::plugins::mcp {

class SdkCaller : public Caller {
 public:
  // Both outlive it. `context_headers`: header → what of the call it holds.
  SdkCaller(const sdk::CallInfo& call, const std::map<std::string, std::string>& context_headers)
      : call_(call), context_headers_(context_headers) {}

  bool cancelled() const override { return call_.cancelled(); }
  int cancel_fd() const override { return call_.cancel_fd(); }
  Clock::time_point deadline() const override { return call_.deadline(); }
  void Progress(const std::string& text, double done, double total) override {
    call_.Progress(text, done, total);
  }
  Answer Ask(const Question& question) override;
  std::string person() const override;
  std::vector<std::pair<std::string, std::string>> headers() const override;

 private:
  const sdk::CallInfo& call_;
  const std::map<std::string, std::string>& context_headers_;
};

}  // namespace talon::plugins::mcp
