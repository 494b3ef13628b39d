// SPDX-License-Identifier: Apache-2.0
// How one-time codes reach the person: by the notification channel where one is configured, else as
// a file that only this machine's user can read. Never by the API that asks for them. Loop's
// thread.
#pragma once

#include <string>

#include "agent/approvals.h"

namespace talon::plugin {
class Notifier;
}

namespace talon::daemon {

class PersonalCodes : public agent::CodeChannel {
 public:
  // `folder`: made with mode 0700 when it is needed. `notifier` must outlive this.
  PersonalCodes(plugin::Notifier& notifier, std::string folder)
      : notifier_(notifier), folder_(std::move(folder)) {}
  io::Task<absl::StatusOr<std::string>> Send(std::string approval, std::string code,
                                             std::string what) override;
  void Withdraw(const std::string& approval) override;

 private:
  std::string FileOf(const std::string& approval) const { return folder_ + "/" + approval; }
  plugin::Notifier& notifier_;
  const std::string folder_;
};

}  // namespace talon::daemon
