// SPDX-License-Identifier: Apache-2.0
// Sends a reply as its Delivery says: whole, in pieces, late, cut, never. Loop's thread.
#pragma once

#include "base/cancel.h"
#include "io/http_server.h"
#include "io/loop.h"
#include "rules.h"

namespace talon::mockllm {

// Ends when the answer is sent, or when it is cut: then the connection must be closed, which
// HttpServer does with an incomplete answer.
io::Task<void> Deliver(io::Loop& loop, io::ResponseWriter& writer, Reply reply,
                       CancelToken client_gone);

}  // namespace talon::mockllm
