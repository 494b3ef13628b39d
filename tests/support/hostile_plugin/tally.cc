// SPDX-License-Identifier: Apache-2.0
#include <cstdlib>
#include <cstring>

#include "attempts.h"

namespace talon::hostile {

long Number(const Facts& facts, const char* name) {
  return std::strtol(Text(facts, name).c_str(), nullptr, 10);
}

std::string Text(const Facts& facts, const char* name) {
  const auto found = facts.find(name);
  return found == facts.end() ? "" : found->second;
}

Tally& Tally::Way(const char* how, long result) {
  if (result < 0) {
    Refused(how, errno);
  } else {
    Got(how);
  }
  return *this;
}

void Tally::Got(const std::string& what) {
  got_ += (got_.empty() ? "" : ", ") + what;
}

void Tally::Refused(const std::string& how, int error) {
  refused_ += (refused_.empty() ? "" : ", ") + how + " " + strerrorname_np(error);
}

std::string Tally::Say() const {
  return got_.empty() ? refused_ : "GOT " + got_;
}

}  // namespace talon::hostile
