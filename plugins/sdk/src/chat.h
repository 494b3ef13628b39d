// SPDX-License-Identifier: Apache-2.0
// talon.v1.ModelProvider: between its messages and an author's ModelProvider. Pure but for the
// author's code. Internal to the SDK.
#pragma once

#include "absl/status/status.h"
#include "outlet.h"
#include "talon/sdk/model.h"
#include "talon/v1/model.pb.h"

namespace talon::sdk {

absl::Status Complete(ModelProvider& provider, const v1::ChatRequest& request, const CallInfo& call,
                      Outlet<v1::ChatDelta>& out);

}  // namespace talon::sdk
