// SPDX-License-Identifier: Apache-2.0
// What the HTTP surfaces share: one error shape, authentication, the request's principal. Loop's
// thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "base/json.h"
#include "base/secret.h"
#include "io/http_server.h"

namespace talon::gateway {

// OpenAI's error object with the HTTP status that fits: {"error":{message,type,code,param}}; adds
// Retry-After where the error has one.
io::ServerResponse ErrorResponse(const absl::Status& error);
// The object alone, for errors inside a stream.
std::string ErrorBody(const absl::Status& error);
int HttpStatusOf(const absl::Status& error);

// Names the member of the request that `error` is about, and OpenAI's code for it where that is not
// the error's type: told as `param` and `code`.
absl::Status AboutMember(absl::Status error, std::string_view member, std::string_view code = "");
// The member AboutMember() named; empty when none.
std::string MemberOf(const absl::Status& error);

// Sends the answer; whether the client is still there does not matter to the handler.
io::Task<void> Reply(io::ResponseWriter& writer, io::ServerResponse response);

io::ServerResponse JsonResponse(int status, std::string body);
io::ServerResponse Ok(const Json& json);  // 200

inline constexpr std::int64_t kMaxListed = 1000;  // items of one answer

// 405, with the methods `path` takes: "GET, POST".
io::ServerResponse WrongMethod(std::string_view path, std::string_view allowed);

// InvalidArgument naming the member of `object` that is there, not null and of another kind.
// Reading it as absent would do something else than was asked.
enum class JsonKind { kString, kBool, kNumber, kCount, kArray, kObject };  // kCount: at least 1
absl::Status CheckMember(const Json& object, std::string_view name, JsonKind kind);

// What `GET /health` with `X-Talon-Nonce: nonce` answers in X-Talon-Proof: only who knows the token
// can say it.
std::string HealthProof(const Secret& token, std::string_view nonce);

// The value of `name` in a query string, percent-decoded; empty when absent.
std::string QueryValue(std::string_view query, std::string_view name);

}  // namespace talon::gateway
