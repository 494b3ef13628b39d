// SPDX-License-Identifier: Apache-2.0
#include "gateway/surfaces.h"

#include <fmt/format.h>

#include "base/digest.h"
#include "base/status.h"

namespace talon::gateway {

journal::EventEnvelope EventOf(const ApiRequest& request, std::string_view source,
                               std::string_view origin, std::string session_key) {
  journal::EventEnvelope event;
  event.source = source;
  event.principal = PrincipalOf(request, origin);
  event.label.integrity = Integrity::kUser;
  event.session_key = std::move(session_key);
  event.dedupe_key = std::string(request.headers.Get("Idempotency-Key"));
  if (!event.dedupe_key.empty()) {
    event.payload_digest =
        Sha256Hex(fmt::format("{}\n{}\n{}", request.target, event.session_key, request.body));
  }
  return event;
}

CancelRegistration CancelWhenGone(agent::Agent& agent, const StartedTurn& started) {
  if (started.keyed) return {};
  return started.client_gone.OnCancel([&agent, turn = started.accepted.turn] {
    agent.Cancel(turn, Cancelled("the client went away"));
  });
}

}  // namespace talon::gateway
