// SPDX-License-Identifier: Apache-2.0
// `storage:` and `notifications:` of talon.yaml, and the limits of what plugins do for the daemon
// besides tools. Every number stands here once.
#pragma once

#include <chrono>
#include <cstddef>
#include <string>
#include <tuple>
#include <vector>

#include "base/option_limit.h"

namespace talon::plugin {

struct StorageOptions {
  std::string plugin;

  static constexpr auto Fields() {
    return std::make_tuple(Option(
        "plugin", &StorageOptions::plugin,
        "Plugin that keeps values for tools and /v1/kv; empty: none does.", Reload::kRestart));
  }
};

struct NotificationOptions {
  std::string plugin;
  std::chrono::milliseconds timeout{60'000};

  static constexpr auto Fields() {
    using O = NotificationOptions;
    return std::make_tuple(
        Option("plugin", &O::plugin,
               "Plugin that brings messages to the person; empty: they are logged by name only.",
               Reload::kRestart),
        Option("timeout", &O::timeout, kPositive, "Longest delivery, with all that is tried again.",
               Reload::kRestart));
  }
};

struct HookOptions {
  std::vector<std::string> plugins;
  std::chrono::milliseconds timeout{5'000};

  static constexpr auto Fields() {
    using O = HookOptions;
    return std::make_tuple(
        Option("plugins", &O::plugins,
               "Plugins that are asked at the joinpoints of a turn; each sees what passes there.",
               Reload::kRestart),
        Option("timeout", &O::timeout, kPositive,
               "Longest advice; a hook that is silent longer has failed.", Reload::kRestart));
  }
};

inline constexpr int kMaxNotes = 8;  // of one advice

// Authentication.
inline constexpr std::chrono::milliseconds kAuthTimeout{10'000};
inline constexpr std::chrono::milliseconds kLongestAuthTtl{300'000};
inline constexpr std::size_t kMaxAuthCache = 1024;  // tokens remembered
inline constexpr std::size_t kMaxNameBytes = 128;   // of a user or tenant
// Storage.
inline constexpr std::chrono::milliseconds kStorageTimeout{30'000};
inline constexpr std::size_t kMaxKeyBytes = 512;
inline constexpr std::size_t kMaxKeysListed = 1000;
// Notifications.
inline constexpr std::size_t kMaxTitleBytes = 512;
inline constexpr std::size_t kMaxNoteBytes = 64u << 10;
inline constexpr std::size_t kMaxRecipientBytes = 256;
inline constexpr std::chrono::milliseconds kFirstNotifyWait{500};  // doubles
inline constexpr int kNotifyTries = 5;
// HTTP endpoints.
inline constexpr std::chrono::milliseconds kHttpTimeout{30'000};
inline constexpr int kMaxResponseHeaders = 64;
inline constexpr std::size_t kMaxResponseHeaderBytes = 16u << 10;

}  // namespace talon::plugin
