// SPDX-License-Identifier: Apache-2.0
#include "agent/core_tools.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "agent/toolset.h"
#include "base/json.h"
#include "base/status.h"
#include "base/text.h"

namespace talon::agent {
namespace {

constexpr long kDefaultPage = 16'000;
constexpr long kMaxPage = 60'000;

class ReadArtifactTool : public tool::Tool {
 public:
  explicit ReadArtifactTool(journal::Journal& journal) : journal_(journal) {
    spec_.name = kReadArtifactName;
    spec_.plugin = "talon";
    spec_.description = "Read a stored result by its handle, page by page.";
    spec_.schema =
        R"({"type":"object","properties":{"handle":{"type":"string"},)"
        R"("offset":{"type":"integer","minimum":0},"limit":{"type":"integer","minimum":1}},)"
        R"("required":["handle"],"additionalProperties":false})";
    spec_.effect = tool::EffectClass::kRead;
    spec_.read_only = true;
    spec_.always_include = true;
  }
  const tool::ToolSpec& spec() const override { return spec_; }

  io::Task<absl::StatusOr<tool::ToolOutput>> Execute(tool::Invocation invocation,
                                                     CallContext context) override {
    (void)context;
    TALON_CO_ASSIGN_OR_RETURN(Json arguments, ParseJson(invocation.arguments, "arguments"));
    tool::ToolOutput output;
    output.call_id = invocation.call_id;
    const long offset = std::max(0L, JsonInt(arguments, "offset"));
    const long limit = std::clamp(JsonInt(arguments, "limit", kDefaultPage), 1L, kMaxPage);
    std::int64_t total = 0;
    auto page = co_await journal_.ReadArtifact(
        invocation.session, ArtifactId(JsonString(arguments, "handle")), offset, limit, &total);
    if (!page.ok()) {
      output.error = std::string(Message(page.status()));
      co_return output;
    }
    const long end = offset + static_cast<long>(page->size());
    output.content =
        fmt::format("bytes {} to {} of {}{}\n{}", offset, end, total,
                    end < total ? fmt::format("; next offset {}", end) : "", RepairUtf8(*page));
    co_return output;
  }

 private:
  journal::Journal& journal_;
  tool::ToolSpec spec_;
};

class LoadToolsTool : public tool::Tool {
 public:
  explicit LoadToolsTool(const tool::Catalogue& catalogue) : catalogue_(catalogue) {
    spec_.name = kLoadToolsName;
    spec_.plugin = "talon";
    spec_.description = "Load the schemas of tools by name before calling them.";
    spec_.schema =
        R"({"type":"object","properties":{"names":{"type":"array","items":{"type":"string"},)"
        R"("minItems":1}},"required":["names"],"additionalProperties":false})";
    spec_.effect = tool::EffectClass::kRead;
    spec_.read_only = true;
    spec_.always_include = true;
  }
  const tool::ToolSpec& spec() const override { return spec_; }

  io::Task<absl::StatusOr<tool::ToolOutput>> Execute(tool::Invocation invocation,
                                                     CallContext context) override {
    (void)context;
    tool::ToolOutput output;
    output.call_id = invocation.call_id;
    for (const std::string& name : LoadedNames(invocation.arguments)) {
      if (const tool::Entry* entry = catalogue_.Find(name)) {
        output.content += fmt::format("loaded {}\n", entry->tool->spec().name);
      } else {
        output.content += fmt::format("no tool '{}'; similar: {}\n", name,
                                      fmt::join(catalogue_.Similar(name), ", "));
      }
    }
    co_return output;
  }

 private:
  const tool::Catalogue& catalogue_;
  tool::ToolSpec spec_;
};

}  // namespace

absl::Status AddCoreTools(tool::Catalogue& catalogue, journal::Journal& journal) {
  TALON_RETURN_IF_ERROR(catalogue.Add(std::make_shared<ReadArtifactTool>(journal)));
  return catalogue.Add(std::make_shared<LoadToolsTool>(catalogue));
}

}  // namespace talon::agent
