// SPDX-License-Identifier: Apache-2.0
#include "agent/request.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <nlohmann/json.hpp>

#include "agent/toolset.h"
#include "agent/window.h"
#include "base/digest.h"
#include "base/json.h"

namespace talon::agent {
namespace {

constexpr std::int64_t kDefaultReserve = 4096;  // tokens kept for the answer where no limit is set
constexpr double kMargin = 0.05;                // of the window, for what the estimate misses
constexpr std::size_t kHandleDigits = 26;
constexpr std::int64_t kLeastPart = 8;  // messages get at least this fraction of the window

std::string DateText(WallTime now) {
  return FormatTime(now).substr(0, 10);
}

const journal::PromptSnapshot& SnapshotOf(Core& core, const model::ChatRequest& request) {
  LastPrompt& last = core.last_prompt;
  if (last.system == request.system && last.tools == request.tools) return last.snapshot;
  Json tools = Json::array();
  for (const model::ToolDefinition& tool : request.tools) {
    tools.push_back(
        {{"name", tool.name}, {"description", tool.description}, {"schema", tool.schema}});
  }
  last.system = request.system;
  last.tools = request.tools;
  last.snapshot.content = DumpJson({{"system", request.system}, {"tools", std::move(tools)}});
  last.snapshot.hash = Sha256Hex(last.snapshot.content);
  return last.snapshot;
}

// Tokens the messages may take.
std::int64_t RoomFor(const router::Route& route, const model::ChatRequest& request,
                     std::int64_t fixed) {
  const std::int64_t window = route.limits.context_window;
  const std::int64_t reserve = request.max_output_tokens.value_or(
      route.limits.max_tokens > 0 ? route.limits.max_tokens
                                  : std::min(kDefaultReserve, window / 4));
  const auto margin = static_cast<std::int64_t>(static_cast<double>(window) * kMargin);
  return std::max<std::int64_t>(window - reserve - margin - fixed, window / kLeastPart);
}

// Keeps parts of the session's messages under handles made of their places: a part that is cut in
// every round is one artifact.
class Keeper {
 public:
  Keeper(const Session& session, std::vector<journal::ArtifactRecord>& kept)
      : session_(session), kept_(kept) {}

  std::string Keep(const model::Message& message, std::size_t part) {
    const auto stored = std::ranges::find_if(
        session_.history, [&](const StoredMessage& each) { return &each.message == &message; });
    if (stored == session_.history.end()) return "";
    const std::string place = fmt::format("{}|{}|{}", session_.record.id.str(), stored->seq, part);
    const ArtifactId id("art_" + Sha256Hex(place).substr(0, kHandleDigits));
    const bool known = std::ranges::any_of(
        kept_, [&](const journal::ArtifactRecord& each) { return each.id == id; });
    if (!known) kept_.push_back(Artifact(id, *stored, *TextOfPart(message.parts[part])));
    return id.str();
  }

 private:
  journal::ArtifactRecord Artifact(const ArtifactId& id, const StoredMessage& stored,
                                   const std::string& text) const {
    return {.id = id,
            .session = session_.record.id,
            .turn = stored.turn,
            .media_type = "text/plain; charset=utf-8",
            .content = text,
            .label = stored.message.label,
            .principal = session_.record.principal,
            .once = true};
  }

  const Session& session_;
  std::vector<journal::ArtifactRecord>& kept_;
};

}  // namespace

BuiltRequest BuildRequest(Core& core, const Session& session, const TurnInput& input,
                          const router::Route& route, const RequestShape& shape) {
  std::vector<const model::Message*> history;
  history.reserve(session.history.size());
  for (const StoredMessage& stored : session.history) history.push_back(&stored.message);

  BuiltRequest built;
  model::ChatRequest& request = built.request;
  request.model = route.model;
  const std::size_t eager = route.free_prompt ? std::numeric_limits<std::size_t>::max()
                                              : std::size_t{core.options.eager_tools};
  Toolset toolset = ChooseTools(core.deps.catalogue, eager, history);
  request.system = BuildSystemPrompt(core.prompts, {.date = DateText(core.deps.clock.Now()),
                                                    .rules = core.options.rules,
                                                    .tool_lines = std::move(toolset.lines),
                                                    .instructions = input.instructions});
  request.tools = std::move(toolset.shown);
  request.tools.insert(request.tools.end(), input.client_tools.begin(), input.client_tools.end());
  if (shape.first && !input.only_tool.empty()) {
    std::erase_if(request.tools,
                  [&](const model::ToolDefinition& tool) { return tool.name != input.only_tool; });
  }
  request.tool_choice = shape.force ? model::ToolChoice::kNone : input.tool_choice;
  // "required" holds for the first answer only, or the turn could never end.
  if (!shape.first && request.tool_choice == model::ToolChoice::kRequired) {
    request.tool_choice = model::ToolChoice::kAuto;
  }
  request.max_output_tokens = input.max_output_tokens;
  request.temperature = input.temperature;
  request.top_p = input.top_p;
  request.stop = input.stop;
  request.reasoning = input.reasoning;
  request.extra = input.extra;
  built.snapshot = SnapshotOf(core, request);

  std::vector<model::Message> notes;
  for (const std::string& note :
       {shape.force ? core.prompts.Get("force_answer") : std::string(), shape.nudge}) {
    if (note.empty()) continue;
    notes.push_back(model::TextMessage(model::Role::kUser, note, Integrity::kSystem));
  }
  auto count = [&](const model::Message& message) {
    return core.tokens.EstimateMessage(route.wire, route.model, message);
  };
  std::int64_t fixed = core.tokens.Estimate(route.wire, request);
  for (const model::Message& note : notes) fixed += count(note);
  std::int64_t room = RoomFor(route, request, fixed);
  if (shape.message_limit) room = std::min(room, *shape.message_limit);
  Keeper keeper(session, built.artifacts);
  Window fitted = FitWindow(
      history, room, count,
      [&](const model::Message& message, std::size_t part) { return keeper.Keep(message, part); });
  built.cut_user_bytes = fitted.cut_user_bytes;
  request.messages = std::move(fitted.messages);
  std::move(notes.begin(), notes.end(), std::back_inserter(request.messages));
  built.message_tokens = fitted.tokens;
  built.tokens = fixed + fitted.tokens;
  return built;
}

}  // namespace talon::agent
