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
constexpr long kLeastPage = 16;  // a whole character and more
constexpr long kMaxPage = 60'000;
constexpr long kPageHead = 200;  // bytes of a page's first line, at most

// A page from the middle of a text may begin and end inside a character. What is left out at the
// end is read with the next page.
std::string_view WholeCharacters(std::string_view page) {
  auto continues = [](char c) { return (static_cast<unsigned char>(c) & 0xC0) == 0x80; };
  std::size_t tail = page.size();
  while (tail > 0 && page.size() - tail < 3 && continues(page[tail - 1])) --tail;
  const std::size_t lead = tail > 0 ? tail - 1 : 0;
  const bool whole = page.empty() || IsValidUtf8(page.substr(lead));
  return whole || lead == 0 ? page : page.substr(0, lead);
}

class ReadArtifactTool : public tool::Tool {
 public:
  ReadArtifactTool(journal::Journal& journal, long max_page)
      : journal_(journal), max_page_(max_page) {
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
    const long limit = std::clamp(JsonInt(arguments, "limit", kDefaultPage), kLeastPage, max_page_);
    std::int64_t total = 0;
    auto read = co_await journal_.ReadArtifact(
        invocation.session, ArtifactId(JsonString(arguments, "handle")), offset, limit, &total);
    if (!read.ok()) {
      output.error = std::string(Message(read.status()));
      co_return output;
    }
    const std::string_view page = WholeCharacters(*read);
    const long end = offset + static_cast<long>(page.size());
    output.content =
        fmt::format("bytes {} to {} of {}{}\n{}", offset, end, total,
                    end < total ? fmt::format("; next offset {}", end) : "", RepairUtf8(page));
    co_return output;
  }

 private:
  journal::Journal& journal_;
  const long max_page_;
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

absl::Status AddCoreTools(tool::Catalogue& catalogue, journal::Journal& journal,
                          std::size_t max_result) {
  const long max_page = std::clamp(static_cast<long>(max_result) - kPageHead, kLeastPage, kMaxPage);
  TALON_RETURN_IF_ERROR(catalogue.Add(std::make_shared<ReadArtifactTool>(journal, max_page)));
  return catalogue.Add(std::make_shared<LoadToolsTool>(catalogue));
}

}  // namespace talon::agent
