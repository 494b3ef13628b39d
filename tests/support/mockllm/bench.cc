// SPDX-License-Identifier: Apache-2.0
#include "bench.h"

#include <functional>

#include "answer.h"

namespace talon::mockllm {
namespace {

constexpr std::string_view kIdMark = "@@id@@";
constexpr std::string_view kRole = "\"role\"";

std::string Join(const std::vector<std::string>& events) {
  std::string out;
  for (const std::string& event : events) out += event;
  return out;
}

// The string value behind the key at `at`.
std::string_view ValueAfter(std::string_view body, std::size_t at) {
  at += kRole.size();
  while (at < body.size() && (body[at] == ' ' || body[at] == ':')) ++at;
  if (at >= body.size() || body[at] != '"') return {};
  return body.substr(at + 1, 9);
}

bool Has(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

}  // namespace

int RoundOf(std::string_view body) {
  int round = 0;
  std::size_t end = body.size();
  while (true) {
    const std::size_t at = body.substr(0, end).rfind(kRole);
    if (at == std::string_view::npos) return round;
    const std::string_view role = ValueAfter(body, at);
    const std::string_view segment = body.substr(at, end - at);
    end = at;
    if (role.starts_with("assistant") || role.starts_with("model")) {
      ++round;
    } else if (role.starts_with("user") && !Has(segment, "\"tool_result\"") &&
               !Has(segment, "\"functionResponse\"")) {
      return round;
    }
  }
}

BenchAnswers::BenchAnswers(const BenchOptions& options) : options_(options) {
  mockllm::Answer call, text;
  call.calls.push_back({.tool = options.tool, .args = options.args, .id = std::string(kIdMark)});
  text.text = options.text;
  const Identity identity{.response_id = "resp-bench", .model = "bench"};
  Delivery whole_text;
  whole_text.text_bytes = 0;
  auto cut = [](std::string body) {
    const std::size_t at = body.find(kIdMark);
    if (at == std::string::npos) return Ready{.before = std::move(body), .after = ""};
    return Ready{.before = body.substr(0, at), .after = body.substr(at + kIdMark.size())};
  };
  openai_ = {
      cut(WholeOpenAi(call, identity)), cut(Join(EventsOpenAi(call, identity, whole_text, true))),
      cut(WholeOpenAi(text, identity)), cut(Join(EventsOpenAi(text, identity, whole_text, true)))};
  anthropic_ = {
      cut(WholeAnthropic(call, identity)), cut(Join(EventsAnthropic(call, identity, whole_text))),
      cut(WholeAnthropic(text, identity)), cut(Join(EventsAnthropic(text, identity, whole_text)))};
  google_ = {cut(WholeGoogle(call, identity)), cut(Join(EventsGoogle(call, identity, whole_text))),
             cut(WholeGoogle(text, identity)), cut(Join(EventsGoogle(text, identity, whole_text)))};
}

BenchAnswers::WireAnswers& BenchAnswers::For(Wire wire) {
  return wire == Wire::kOpenAi ? openai_ : wire == Wire::kAnthropic ? anthropic_ : google_;
}

io::ServerResponse BenchAnswers::Answer(const io::ServerRequest& request) {
  io::ServerResponse response;
  auto known = RequestOfPath(request.path);
  if (!known.ok()) {
    response.status = 404;
    return response;
  }
  ++requests_;
  const std::string_view body = request.body;
  const bool stream =
      known->stream || Has(body, "\"stream\":true") || Has(body, "\"stream\": true");
  const bool tools =
      !options_.tool.empty() && Has(body, "\"tools\"") && !Has(body, "\"tool_choice\":\"none\"");
  const bool calls = tools && RoundOf(body) < options_.rounds;
  const WireAnswers& answers = For(known->wire);
  const Ready& ready = calls ? (stream ? answers.call_stream : answers.call)
                             : (stream ? answers.text_stream : answers.text);
  response.headers.Add("Content-Type", stream ? "text/event-stream" : "application/json");
  response.body.reserve(ready.before.size() + ready.after.size() + 24);
  response.body = ready.before;
  if (!ready.after.empty()) response.body += "call_" + std::to_string(requests_);
  response.body += ready.after;
  return response;
}

}  // namespace talon::mockllm
