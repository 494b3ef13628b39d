// SPDX-License-Identifier: Apache-2.0
#include "plugin/extension/storage.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/status.h"
#include "base/text.h"
#include "io/http_types.h"
#include "plugin/extension/options.h"
#include "plugin/h2/wire.h"
#include "plugin/host.h"
#include "talon/v1/storage.pb.h"

namespace talon::plugin {
namespace {

constexpr std::string_view kGet = "/talon.v1.Storage/Get";
constexpr std::string_view kPut = "/talon.v1.Storage/Put";
constexpr std::string_view kDelete = "/talon.v1.Storage/Delete";
constexpr std::string_view kList = "/talon.v1.Storage/List";
constexpr std::int64_t kLastMs = 253'402'300'799'999;  // of the year 9999

// Parts are escaped, so no two principals share one.
std::string NamespaceOf(const Principal& principal) {
  return fmt::format("{}/{}/{}", io::PercentEncode(principal.tenant),
                     io::PercentEncode(principal.user), io::PercentEncode(principal.agent));
}

template <class Message>
absl::StatusOr<Message> Read(const absl::StatusOr<std::string>& answer) {
  if (!answer.ok()) return answer.status();
  Message message;
  if (!message.ParseFromString(*answer)) return h2::Misbehaved("the answer cannot be read");
  return message;
}

bool IsPlain(std::string_view text, std::size_t most) {
  return text.size() <= most && IsValidUtf8(text) && std::ranges::none_of(text, [](char c) {
           return static_cast<unsigned char>(c) < 32 || c == 127;
         });
}

// It becomes an ETag, and a condition that somebody sends back.
absl::Status CheckVersion(std::string_view version) {
  if (IsPlain(version, kMaxKeyBytes)) return absl::OkStatus();
  return h2::Misbehaved(
      fmt::format("the version is not printable text of at most {} bytes", kMaxKeyBytes));
}

}  // namespace

absl::Status KeyValues::Check(std::string_view key) const {
  if (!key.empty() && IsPlain(key, kMaxKeyBytes)) return absl::OkStatus();
  return InvalidArgument(
      fmt::format("key: 1 to {} bytes of UTF-8 without control characters", kMaxKeyBytes));
}

io::Task<absl::StatusOr<std::string>> KeyValues::Ask(std::string_view method, std::string request,
                                                     CallContext context, bool repeat) {
  if (plugin_.empty()) {
    co_return absl::UnimplementedError(
        "nothing keeps values here; name a plugin with `storage.plugin` in talon.yaml");
  }
  const Manifest* manifest = host_.ManifestOf(plugin_);
  if (manifest != nullptr && !manifest->storage) {
    co_return absl::UnimplementedError(
        fmt::format("plugin '{}' is no storage; name another with `storage.plugin`", plugin_));
  }
  co_return co_await host_.Call(plugin_, method, std::move(request),
                                context.Until(clock_.SteadyNow() + kStorageTimeout),
                                repeat ? Repeat::kIfCrashed : Repeat::kOnce);
}

io::Task<absl::StatusOr<KeptValue>> KeyValues::Get(std::string key, CallContext context) {
  TALON_CO_RETURN_IF_ERROR(Check(key));
  v1::GetRequest request;
  request.set_namespace_(NamespaceOf(context.principal));
  request.set_key(key);
  auto response = Read<v1::GetResponse>(
      co_await Ask(kGet, request.SerializeAsString(), std::move(context), true));
  if (!response.ok()) co_return response.status();
  TALON_CO_RETURN_IF_ERROR(CheckVersion(response->version()));
  if (response->updated_at_ms() < 0 || response->updated_at_ms() > kLastMs) {
    co_return h2::Misbehaved("the time of the last change is none");
  }
  co_return KeptValue{std::move(*response->mutable_value()),
                      std::move(*response->mutable_version()),
                      WallTime(std::chrono::milliseconds(response->updated_at_ms()))};
}

io::Task<absl::StatusOr<std::string>> KeyValues::Put(std::string key, std::string value,
                                                     PutTerms terms, CallContext context) {
  TALON_CO_RETURN_IF_ERROR(Check(key));
  if (const Manifest* manifest = host_.ManifestOf(plugin_); manifest && manifest->storage) {
    const Manifest::Storage& can = *manifest->storage;
    if (value.size() > can.max_value_bytes) {
      co_return InvalidArgument(fmt::format("value: {} bytes; plugin '{}' takes at most {}",
                                            value.size(), plugin_, can.max_value_bytes));
    }
    if (!terms.if_version.empty() && !can.compare_and_set) {
      co_return absl::UnimplementedError(
          fmt::format("plugin '{}' does not compare versions", plugin_));
    }
    if (terms.ttl.count() > 0 && !can.ttl) {
      co_return absl::UnimplementedError(fmt::format("plugin '{}' keeps values for ever", plugin_));
    }
  }
  v1::PutRequest request;
  request.set_namespace_(NamespaceOf(context.principal));
  request.set_key(key);
  request.set_value(std::move(value));
  request.set_if_version(RepairUtf8(terms.if_version));
  request.set_ttl_ms(static_cast<std::uint64_t>(std::max<std::int64_t>(terms.ttl.count(), 0)));
  // The same value put twice is put once, unless the first put changed what the second compares to.
  auto response = Read<v1::PutResponse>(co_await Ask(kPut, request.SerializeAsString(),
                                                     std::move(context), terms.if_version.empty()));
  if (!response.ok()) co_return response.status();
  TALON_CO_RETURN_IF_ERROR(CheckVersion(response->version()));
  co_return std::move(*response->mutable_version());
}

io::Task<absl::StatusOr<bool>> KeyValues::Delete(std::string key, CallContext context) {
  TALON_CO_RETURN_IF_ERROR(Check(key));
  v1::DeleteRequest request;
  request.set_namespace_(NamespaceOf(context.principal));
  request.set_key(key);
  const auto response = Read<v1::DeleteResponse>(
      co_await Ask(kDelete, request.SerializeAsString(), std::move(context), false));
  if (!response.ok()) co_return response.status();
  co_return response->existed();
}

io::Task<absl::StatusOr<KeyPage>> KeyValues::List(std::string prefix, std::string after,
                                                  std::size_t limit, CallContext context) {
  if (!prefix.empty()) TALON_CO_RETURN_IF_ERROR(Check(prefix));
  if (!after.empty()) TALON_CO_RETURN_IF_ERROR(Check(after));
  v1::ListRequest request;
  request.set_namespace_(NamespaceOf(context.principal));
  request.set_prefix(prefix);
  request.set_after(after);
  request.set_limit(static_cast<std::uint32_t>(std::min(limit, kMaxKeysListed)));
  const auto response = Read<v1::ListResponse>(
      co_await Ask(kList, request.SerializeAsString(), std::move(context), true));
  if (!response.ok()) co_return response.status();
  // What was not asked for is not passed on, and who pages has to get on.
  const std::size_t most = request.limit() == 0 ? kMaxKeysListed : request.limit();
  const bool fits = static_cast<std::size_t>(response->keys_size()) <= most &&
                    (!response->more() || response->keys_size() > 0) &&
                    std::ranges::all_of(response->keys(), [&](const std::string& key) {
                      return Check(key).ok() && key.starts_with(prefix) && key != after;
                    });
  if (!fits) co_return h2::Misbehaved("the keys are not those that were asked for");
  KeyPage page;
  page.keys.assign(response->keys().begin(), response->keys().end());
  page.more = response->more();
  co_return page;
}

}  // namespace talon::plugin
