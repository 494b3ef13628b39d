// SPDX-License-Identifier: Apache-2.0
// The tools through which a model keeps values.
#include <fmt/format.h>

#include <functional>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/json.h"
#include "base/status.h"
#include "base/text.h"
#include "plugin/extension/core_tool.h"
#include "plugin/extension/storage.h"
#include "tool/catalogue.h"

namespace talon::plugin {
namespace {

constexpr std::size_t kToolPage = 200;  // keys of one talon__kv_list

using Answer = io::Task<absl::StatusOr<std::string>>;

Answer RunGet(KeyValues* values, Json arguments, CallContext context) {
  auto kept = co_await values->Get(JsonString(arguments, "key"), std::move(context));
  if (!kept.ok()) co_return kept.status();
  if (!IsValidUtf8(kept->value)) {
    co_return FailedPrecondition(
        fmt::format("the value is no text ({} bytes)", kept->value.size()));
  }
  co_return std::move(kept->value);
}

Answer RunPut(KeyValues* values, Json arguments, CallContext context) {
  const auto version = co_await values->Put(JsonString(arguments, "key"),
                                            JsonString(arguments, "value"), {}, std::move(context));
  if (!version.ok()) co_return version.status();
  co_return "kept";
}

Answer RunList(KeyValues* values, Json arguments, CallContext context) {
  const auto page =
      co_await values->List(JsonString(arguments, "prefix"), JsonString(arguments, "after"),
                            kToolPage, std::move(context));
  if (!page.ok()) co_return page.status();
  std::string text =
      page->keys.empty() ? "no keys" : fmt::format("{}", fmt::join(page->keys, "\n"));
  if (page->more) text += fmt::format("\n(more: call again with after \"{}\")", page->keys.back());
  co_return text;
}

Answer RunDelete(KeyValues* values, Json arguments, CallContext context) {
  const auto existed = co_await values->Delete(JsonString(arguments, "key"), std::move(context));
  if (!existed.ok()) co_return existed.status();
  co_return *existed ? "deleted" : "there was no such key";
}

tool::ToolSpec Spec(std::string name, std::string description, std::string_view members,
                    std::string_view required, tool::EffectClass effect) {
  tool::ToolSpec spec;
  spec.name = std::move(name);
  spec.plugin = "talon";
  spec.description = std::move(description);
  spec.schema = fmt::format(R"({{"type":"object","properties":{{{}}},"required":[{}],)"
                            R"("additionalProperties":false}})",
                            members, required);
  spec.effect = effect;
  spec.read_only = effect == tool::EffectClass::kRead;
  spec.idempotent = !spec.read_only;  // putting or deleting again changes nothing
  return spec;
}

}  // namespace

absl::Status AddStorageTools(tool::Catalogue& catalogue, KeyValues& values) {
  constexpr std::string_view kKey = R"("key":{"type":"string","minLength":1,"maxLength":512})";
  const std::string put = fmt::format(R"({},"value":{{"type":"string"}})", kKey);
  const auto add = [&](tool::ToolSpec spec, auto run) {
    return catalogue.Add(std::make_shared<CoreTool>(
        std::move(spec),
        [values = &values, run](tool::Invocation, Json arguments, CallContext context) {
          return run(values, std::move(arguments), std::move(context));
        }));
  };
  using tool::EffectClass;
  TALON_RETURN_IF_ERROR(add(Spec("talon__kv_get", "Reads a value that was kept under a key.", kKey,
                                 R"("key")", EffectClass::kRead),
                            &RunGet));
  TALON_RETURN_IF_ERROR(
      add(Spec("talon__kv_put", "Keeps a text under a key for later conversations.", put,
               R"("key","value")", EffectClass::kWrite),
          &RunPut));
  TALON_RETURN_IF_ERROR(
      add(Spec("talon__kv_list", "Lists the keys that values are kept under.",
               R"("prefix":{"type":"string"},"after":{"type":"string"})", "", EffectClass::kRead),
          &RunList));
  return add(Spec("talon__kv_delete", "Forgets the value kept under a key.", kKey, R"("key")",
                  EffectClass::kWrite),
             &RunDelete);
}

}  // namespace talon::plugin
