// SPDX-License-Identifier: Apache-2.0
// What the policy costs: taking in a conversation, and judging one call in it.
//   bench_guard_check [context KB] [calls]
#include <fmt/format.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <string>

#include "base/json.h"
#include "guard/effect_check.h"

namespace talon::guard {
namespace {

using Clock = std::chrono::steady_clock;

double MicrosSince(Clock::time_point start) {
  return std::chrono::duration<double, std::micro>(Clock::now() - start).count();
}

// Text like a page: words of a vocabulary, addresses, paths. The same at every run.
std::string Page(std::size_t bytes, unsigned seed) {
  std::string text;
  while (text.size() < bytes) {
    seed = seed * 1664525u + 1013904223u;
    const unsigned word = seed >> 20;
    text += fmt::format("word{} ", word % 1500);
    if (word % 17 == 0) text += fmt::format("https://site{}.example/p{}/q?x={} ", word, word, seed);
    if (word % 23 == 0) text += fmt::format("src/dir{}/file{}.cc ", word % 40, word);
  }
  return text;
}

int Run(std::size_t kilobytes, int calls) {
  Provenance origins;
  origins.Add({Voice::kPerson, "user"},
              "Read the report and mail a summary to alice@example.com, save it as out/summary.md");
  origins.BeginTurn("Read the report and mail a summary to alice@example.com, save it");
  const std::size_t pages = std::max<std::size_t>(kilobytes / 16, 1);
  const auto start = Clock::now();
  for (std::size_t i = 0; i < pages; ++i) {
    origins.Add({Voice::kUntrusted, fmt::format("result {}", i)},
                Page(16 << 10, static_cast<unsigned>(i)));
  }
  const double added = MicrosSince(start);

  tool::ToolSpec spec;
  spec.name = "mail__send";
  spec.effect = tool::EffectClass::kSend;
  spec.sink_arguments = {"to", "cc", "url", "path"};
  const Json asked = {{"to", {"alice@example.com", "eve@site7.example"}},
                      {"url", "https://site77.example/p77/q?x=1"},
                      {"path", "src/dir1/file41.cc"},
                      {"body", Page(2 << 10, 9)}};
  const Json named = {{"to", "alice@example.com"}, {"body", Page(2 << 10, 9)}};
  const Origins known = [&]() -> const Provenance& { return origins; };
  const Circumstances around{.policy = *DefaultPolicy(),
                             .spec = spec,
                             .provenance = known,
                             .context = {.integrity = Integrity::kUntrusted, .readers = {}},
                             .workspace = "/home/x/workspace"};
  const auto time = [&](const Json& arguments, Answer expected) {
    const auto begin = Clock::now();
    for (int i = 0; i < calls; ++i) {
      if (JudgeCall(around, arguments).answer != expected) std::abort();
    }
    return MicrosSince(begin) / calls;
  };
  std::printf("context %zu KB: taken in %.1f us/KB\n", pages * 16,
              added / static_cast<double>(pages * 16));
  std::printf("call the person named:    %.2f us\n", time(named, Answer::kAllow));
  std::printf("call with 4 values asked: %.2f us\n", time(asked, Answer::kAsk));
  return 0;
}

}  // namespace
}  // namespace talon::guard

int main(int argc, char** argv) {
  return talon::guard::Run(argc > 1 ? std::strtoul(argv[1], nullptr, 10) : 256,
                           argc > 2 ? std::atoi(argv[2]) : 20000);
}
