// SPDX-License-Identifier: Apache-2.0
#include "plugin/manifest.h"

#include <fmt/format.h>
#include <google/protobuf/util/json_util.h>

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "base/digest.h"
#include "base/status.h"
#include "base/text.h"
#include "guard/guard.h"
#include "guard/schema_text.h"
#include "plugin/h2/wire.h"
#include "plugin/handshake.h"
#include "plugin/manifest_parts.h"
#include "talon/v1/plugin.pb.h"

namespace talon::plugin {
namespace {

constexpr std::size_t kMaxPluginName = 32;
constexpr std::size_t kMaxFullName = 64;  // what every model provider accepts
constexpr std::size_t kMaxReason = 320;
constexpr int kMaxSinkArguments = 32;

tool::EffectClass EffectOf(v1::EffectClass effect) {
  switch (effect) {
    case v1::EFFECT_CLASS_READ:
      return tool::EffectClass::kRead;
    case v1::EFFECT_CLASS_WRITE:
      return tool::EffectClass::kWrite;
    case v1::EFFECT_CLASS_SEND:
      return tool::EffectClass::kSend;
    case v1::EFFECT_CLASS_SPEND:
      return tool::EffectClass::kSpend;
    case v1::EFFECT_CLASS_ADMIN:
      return tool::EffectClass::kAdmin;
    default:  // unspecified, exec, and what a later contract may add
      return tool::EffectClass::kExec;
  }
}

absl::StatusOr<Manifest::Tool> MakeTool(const v1::ToolManifest& given, std::string_view plugin,
                                        const PluginEntry& entry, const HostOptions& options) {
  const std::string full = fmt::format("{}__{}", plugin, given.name());
  if (!IsName(given.name(), kMaxToolName) || full.size() > kMaxFullName) {
    return InvalidArgument(fmt::format(
        "tool '{}': a name is 1 to {} of a-z A-Z 0-9 _ -, with its plugin's name at most {}",
        Quoted(given.name()), kMaxToolName, kMaxFullName));
  }
  if (given.sink_arguments_size() > kMaxSinkArguments) {
    return InvalidArgument(fmt::format("tool '{}': {} sink arguments; at most {}", given.name(),
                                       given.sink_arguments_size(), kMaxSinkArguments));
  }
  Manifest::Tool made;
  made.name = given.name();
  tool::ToolSpec& spec = made.spec;
  spec.name = full;
  spec.plugin = plugin;
  spec.description = CleanDescription(given.description(), options);
  auto schema = guard::SanitizeSchema(given.schema_json());
  if (!schema.ok()) return Annotate(schema.status(), fmt::format("tool '{}'", given.name()));
  spec.schema = *std::move(schema);
  spec.effect = EffectOf(given.effect());
  spec.read_only = given.read_only();
  spec.idempotent = given.idempotent();
  spec.user_only = given.user_only();
  spec.always_include = given.always_include();
  spec.sink_arguments.assign(given.sink_arguments().begin(), given.sink_arguments().end());
  if (!given.compensation().empty()) {
    spec.compensation = fmt::format("{}__{}", plugin, given.compensation());
  }
  made.streams = given.streams();
  made.asks = spec.asks = given.asks();
  spec.timeout =
      entry.timeout.count() > 0 ? entry.timeout : std::chrono::milliseconds(given.timeout_ms());
  return made;
}

// Each side's version must be at least the other's minimum.
absl::Status CheckProtocol(std::uint32_t protocol, std::uint32_t min_protocol) {
  if (protocol == 0) {
    return InvalidArgument(
        "manifest: it names no protocol version; set `protocol` to the version of talon.v1 it was "
        "built for");
  }
  if (protocol < kMinAppProtocol) {
    return FailedPrecondition(fmt::format(
        "manifest: the plugin speaks protocol {}, this daemon {} and none before {}; rebuild the "
        "plugin with a newer SDK",
        protocol, kAppProtocol, kMinAppProtocol));
  }
  if (min_protocol > kAppProtocol) {
    return FailedPrecondition(fmt::format(
        "manifest: the plugin needs protocol {} or newer, this daemon speaks {}; update "
        "the daemon or use an older version of the plugin",
        min_protocol, kAppProtocol));
  }
  return absl::OkStatus();
}

// A compensation is another tool of the same plugin.
absl::Status CheckCompensations(const Manifest& manifest) {
  for (const Manifest::Tool& tool : manifest.tools) {
    const std::string& undo = tool.spec.compensation;
    const auto is_it = [&](const Manifest::Tool& other) { return other.spec.name == undo; };
    if (undo.empty() || (undo != tool.spec.name && std::ranges::any_of(manifest.tools, is_it))) {
      continue;
    }
    return InvalidArgument(fmt::format(
        "manifest: tool '{}': its compensation must be another tool of this plugin", tool.name));
  }
  return absl::OkStatus();
}

absl::StatusOr<Manifest> Check(v1::Manifest& given, std::string_view plugin,
                               const PluginEntry& entry, const HostOptions& options) {
  TALON_RETURN_IF_ERROR(CheckProtocol(given.protocol(), given.min_protocol()));
  if (static_cast<std::size_t>(given.tools_size()) > options.max_tools) {
    return ResourceExhausted(
        fmt::format("manifest: {} tools; at most {}", given.tools_size(), options.max_tools));
  }
  Manifest manifest;
  manifest.version = Quoted(given.version());
  manifest.description = CleanDescription(given.description(), options);
  std::set<std::string> names;
  for (const v1::ToolManifest& each : given.tools()) {
    auto made = MakeTool(each, plugin, entry, options);
    if (!made.ok()) return Annotate(made.status(), "manifest");
    if (!names.insert(ToLowerAscii(made->name)).second) {
      return InvalidArgument(fmt::format("manifest: tool '{}' is there twice", made->name));
    }
    manifest.tools.push_back(*std::move(made));
  }
  TALON_RETURN_IF_ERROR(CheckCompensations(manifest));
  if (absl::Status parts = ReadParts(given, entry, options, manifest); !parts.ok()) {
    return Annotate(parts, "manifest");
  }
  given.DiscardUnknownFields();  // of a later contract; a file and a process may differ in them
  manifest.bytes = given.SerializeAsString();
  return manifest;
}

}  // namespace

absl::Status CheckPluginName(std::string_view name) {
  if (!IsName(name, kMaxPluginName) || name.find("__") != std::string_view::npos) {
    return InvalidArgument(
        fmt::format("plugin '{}': a name is 1 to {} of a-z A-Z 0-9 _ - without '__'", Quoted(name),
                    kMaxPluginName));
  }
  if (EqualsIgnoreCase(name, "talon")) {
    return InvalidArgument(
        fmt::format("plugin '{}': this name is the daemon's own; choose another", name));
  }
  return absl::OkStatus();
}

absl::StatusOr<Manifest> ParseManifestJson(std::string_view json, std::string_view plugin,
                                           const PluginEntry& entry, const HostOptions& options) {
  v1::Manifest given;
  google::protobuf::util::JsonParseOptions parse;
  parse.ignore_unknown_fields = true;
  const auto status = google::protobuf::util::JsonStringToMessage(
      google::protobuf::StringPiece(json.data(), json.size()), &given, parse);
  if (!status.ok()) {
    return InvalidArgument(
        fmt::format("manifest: {}", h2::CleanText(status.ToString(), kMaxReason)));
  }
  return Check(given, plugin, entry, options);
}

absl::StatusOr<Manifest> ParseManifestBytes(std::string_view bytes, std::string_view plugin,
                                            const PluginEntry& entry, const HostOptions& options) {
  v1::Manifest given;
  if (!given.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    return h2::Misbehaved("the answer to Describe is no valid Manifest");
  }
  return Check(given, plugin, entry, options);
}

std::string DeclaredDigest(const Manifest& manifest) {
  v1::Manifest message;
  if (!manifest.dynamic || !message.ParseFromString(manifest.bytes)) {
    return Sha256Hex(manifest.bytes);
  }
  message.clear_tools();
  return Sha256Hex(message.SerializeAsString());
}

absl::StatusOr<std::string> ManifestToJson(const Manifest& manifest) {
  v1::Manifest message;
  std::string json;
  if (!message.ParseFromString(manifest.bytes) ||
      !google::protobuf::util::MessageToJsonString(message, &json).ok()) {
    return Internal("manifest: it cannot be written as JSON");
  }
  return json;
}

bool SameButTools(const Manifest& a, const Manifest& b) {
  const auto rest = [](const Manifest& manifest) {
    v1::Manifest message;
    message.ParseFromString(manifest.bytes);
    message.clear_tools();
    return message.SerializeAsString();
  };
  return rest(a) == rest(b);
}

std::string DescribeChange(const Manifest& known, const Manifest& now) {
  if (known.bytes == now.bytes) return "";
  v1::Manifest before;
  v1::Manifest after;
  if (!before.ParseFromString(known.bytes) || !after.ParseFromString(now.bytes))
    return "unreadable";
  std::map<std::string, std::string> tools;
  for (const v1::ToolManifest& each : before.tools()) tools[each.name()] = each.SerializeAsString();
  std::string changes;
  const auto add = [&](std::string_view what) {
    changes += fmt::format("{}{}", changes.empty() ? "" : ", ", what);
  };
  for (const v1::ToolManifest& each : after.tools()) {
    const auto found = tools.find(each.name());
    if (found == tools.end()) {
      add(fmt::format("new tool '{}'", each.name()));
      continue;
    }
    if (found->second != each.SerializeAsString())
      add(fmt::format("tool '{}' differs", each.name()));
    tools.erase(found);
  }
  for (const auto& [name, bytes] : tools) add(fmt::format("tool '{}' is gone", name));
  if (before.version() != after.version()) {
    add(fmt::format("version '{}' is now '{}'", known.version, now.version));
  }
  if (changes.empty()) add("extension points, needs, name, description or order");
  return changes;
}

}  // namespace talon::plugin
