// SPDX-License-Identifier: Apache-2.0
#include "gateway/api.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "absl/strings/cord.h"
#include "base/digest.h"
#include "base/status.h"
#include "base/text.h"

namespace talon::gateway {
namespace {

constexpr char kMemberPayload[] = "talon/member";
constexpr char kCodePayload[] = "talon/code";

std::string PayloadOf(const absl::Status& error, const char* name) {
  const auto payload = error.GetPayload(name);
  return payload ? std::string(*payload) : "";
}

struct Mapping {
  int http;
  std::string_view type;
};

Mapping MapByReason(ErrorReason reason) {
  switch (reason) {
    case ErrorReason::kAuth:
      // The provider refused the daemon's key: the caller's own token is fine.
      return {502, "upstream_authentication_error"};
    case ErrorReason::kQuota:
      return {429, "insufficient_quota"};
    case ErrorReason::kRateLimited:
      return {429, "rate_limit_error"};
    case ErrorReason::kOverloaded:
      return {503, "overloaded_error"};
    case ErrorReason::kContextTooLong:
      return {400, "context_length_exceeded"};
    case ErrorReason::kContentFiltered:
      return {400, "content_filter"};
    case ErrorReason::kTransport:
      return {502, "upstream_error"};
    case ErrorReason::kPluginCrashed:
    case ErrorReason::kPluginMisbehaved:
      // Whatever its code: the caller has done nothing too often.
      return {502, "plugin_error"};
    case ErrorReason::kDiskFull:
      return {507, "storage_full"};
    case ErrorReason::kReadOnly:
      return {503, "storage_read_only"};
    case ErrorReason::kUnknownModel:
      return {404, "invalid_request_error"};
    case ErrorReason::kDuplicate:
      return {422, "idempotency_error"};
    default:
      return {0, ""};
  }
}

Mapping MapByCode(absl::StatusCode code) {
  switch (code) {
    case absl::StatusCode::kInvalidArgument:
    case absl::StatusCode::kOutOfRange:
      return {400, "invalid_request_error"};
    case absl::StatusCode::kUnauthenticated:
      return {401, "authentication_error"};
    case absl::StatusCode::kPermissionDenied:
      return {403, "permission_error"};
    case absl::StatusCode::kNotFound:
      return {404, "not_found_error"};
    case absl::StatusCode::kAlreadyExists:
    case absl::StatusCode::kAborted:
    case absl::StatusCode::kFailedPrecondition:
      return {409, "conflict_error"};
    case absl::StatusCode::kResourceExhausted:
      return {429, "rate_limit_error"};
    case absl::StatusCode::kCancelled:
      return {499, "cancelled"};
    case absl::StatusCode::kDeadlineExceeded:
      return {504, "timeout_error"};
    case absl::StatusCode::kUnavailable:
      return {503, "service_unavailable"};
    case absl::StatusCode::kUnimplemented:
      return {501, "not_supported"};
    default:
      return {500, "server_error"};
  }
}

Mapping MapOf(const absl::Status& error) {
  Mapping mapping = MapByReason(ReasonOf(error));
  return mapping.http != 0 ? mapping : MapByCode(error.code());
}

}  // namespace

int HttpStatusOf(const absl::Status& error) {
  return MapOf(error).http;
}

std::string ErrorBody(const absl::Status& error) {
  const Mapping mapping = MapOf(error);
  std::string member = MemberOf(error);
  std::string code = PayloadOf(error, kCodePayload);
  if (const ErrorReason reason = ReasonOf(error); reason == ErrorReason::kUnknownModel) {
    member = "model";
    code = "model_not_found";
  } else if (code.empty()) {
    code = reason == ErrorReason::kNone ? mapping.type : ErrorReasonName(reason);
  }
  Json json = {{"error",
                {{"message", std::string(Message(error))},
                 {"type", mapping.type},
                 {"param", member.empty() ? Json(nullptr) : Json(std::move(member))},
                 {"code", std::move(code)}}}};
  return DumpJson(json);
}

absl::Status AboutMember(absl::Status error, std::string_view member, std::string_view code) {
  if (error.ok()) return error;
  error.SetPayload(kMemberPayload, absl::Cord(absl::string_view(member.data(), member.size())));
  if (!code.empty())
    error.SetPayload(kCodePayload, absl::Cord(absl::string_view(code.data(), code.size())));
  return error;
}

std::string MemberOf(const absl::Status& error) {
  return PayloadOf(error, kMemberPayload);
}

io::ServerResponse ErrorResponse(const absl::Status& error) {
  io::ServerResponse response = JsonResponse(HttpStatusOf(error), ErrorBody(error));
  if (const long wait = RetryAfterMsOf(error); wait > 0) {
    response.headers.Set("Retry-After", std::to_string((wait + 999) / 1000));
  }
  if (response.status == 401) {
    response.headers.Set("WWW-Authenticate", "Bearer");
  }
  return response;
}

io::Task<void> Reply(io::ResponseWriter& writer, io::ServerResponse response) {
  (co_await writer.Send(std::move(response))).IgnoreError();
}

io::ServerResponse JsonResponse(int status, std::string body) {
  io::ServerResponse response;
  response.status = status;
  response.headers.Set("Content-Type", "application/json");
  response.body = std::move(body);
  return response;
}

io::ServerResponse Ok(const Json& json) {
  return JsonResponse(200, DumpJson(json));
}

io::ServerResponse WrongMethod(std::string_view path, std::string_view allowed) {
  io::ServerResponse response =
      ErrorResponse(InvalidArgument(fmt::format("{} takes {}", path, allowed)));
  response.status = 405;
  response.headers.Set("Allow", std::string(allowed));
  return response;
}

absl::Status CheckMember(const Json& object, std::string_view name, JsonKind kind) {
  const Json* value = JsonFind(object, name);
  if (value == nullptr || value->is_null()) return absl::OkStatus();
  auto expect = [&](bool fits, std::string_view what) {
    if (fits) return absl::OkStatus();
    return AboutMember(InvalidArgument(fmt::format("{}: must be {}", name, what)), name);
  };
  switch (kind) {
    case JsonKind::kString:
      return expect(value->is_string(), "a string");
    case JsonKind::kBool:
      return expect(value->is_boolean(), "true or false");
    case JsonKind::kNumber:
      return expect(value->is_number(), "a number");
    case JsonKind::kCount:
      return expect(value->is_number_integer() && JsonInt(object, name) > 0,
                    "a whole number of at least 1");
    case JsonKind::kArray:
      return expect(value->is_array(), "an array");
    case JsonKind::kObject:
      return expect(value->is_object(), "an object");
  }
  return absl::OkStatus();
}

std::string HealthProof(const Secret& token, std::string_view nonce) {
  return HmacSha256Hex(token.Reveal(), "talon-health:" + std::string(nonce));
}

std::string QueryValue(std::string_view query, std::string_view name) {
  while (!query.empty()) {
    const std::size_t end = query.find('&');
    const std::string_view pair = query.substr(0, end);
    const std::size_t equals = pair.find('=');
    if (pair.substr(0, equals) == name) {
      return equals == std::string_view::npos ? "" : io::PercentDecode(pair.substr(equals + 1));
    }
    if (end == std::string_view::npos) break;
    query.remove_prefix(end + 1);
  }
  return "";
}

}  // namespace talon::gateway
