// SPDX-License-Identifier: Apache-2.0
// What a call with many messages is to the code behind it. Internal to the SDK.
#pragma once

#include "absl/status/status.h"
#include "talon/sdk/call.h"

namespace talon::sdk {

// Where the messages of a call go. Thread-safe.
template <class Message>
class Outlet {
 public:
  virtual ~Outlet() = default;
  // Waits while many messages are on their way. False: the call is over, nothing more is taken.
  virtual bool Send(Message message) = 0;
  // The same without waiting.
  virtual bool Post(Message message) = 0;
  // Takes the place of the one given before, when that has not left yet. Never waits.
  virtual void PostLatest(Message message) = 0;
};

// What a call makes of the messages that come.
template <class Message>
class Inlet {
 public:
  virtual ~Inlet() = default;
  // The handler, on its own thread; the others run on further threads meanwhile.
  virtual absl::Status Run(const Message& first, const CallInfo& call) = 0;
  virtual void Came(const Message& message) = 0;
  // No more will come. May be told before Run, and twice.
  virtual void Ended() = 0;
};

}  // namespace talon::sdk
