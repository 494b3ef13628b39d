// SPDX-License-Identifier: Apache-2.0
// Links and images of an answer are sinks: what renders them asks an address, and an address can
// carry what the conversation holds. Once something from outside is in it, an address stays only
// where somebody vouches for it; any other is made harmless to look at
// ("hxxps://evil[.]example/…"). Pure; any thread.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "guard/policy.h"
#include "guard/provenance.h"

namespace talon::guard {

// An address stays when the person or the operator said it, when its host is in the policy's list,
// or, as a link and not an image, when it leads to this machine, or stands in a tool's result just
// so and the model never put it into a call.
class AnswerLinks {
 public:
  AnswerLinks(std::shared_ptr<const Policy> policy, Origins provenance)
      : policy_(std::move(policy)), provenance_(std::move(provenance)) {}

  std::string Clean(std::string_view text);
  // The same for a text in pieces: what is safe to show of it so far. End() gives the rest.
  std::string Next(std::string_view piece);
  std::string End();
  std::size_t defused() const { return defused_; }

 private:
  // Addresses have no spaces: each run without them is taken by itself.
  std::string CleanRun(std::string_view run);
  // Takes in the text before an address; whether a renderer fetches that address by itself.
  bool Fetched(std::string_view before);
  bool Stays(std::string_view url, bool image) const;

  const std::shared_ptr<const Policy> policy_;  // a reload may bring another meanwhile
  const Origins provenance_;
  std::string held_;      // the run that may not be complete
  bool image_ = false;    // the last bracket that opened is an image's
  bool awaited_ = false;  // what follows the run before is fetched, if it is an address
  std::size_t defused_ = 0;
};

}  // namespace talon::guard
