// SPDX-License-Identifier: Apache-2.0
// Load generator: asks any OpenAI-compatible endpoint N sessions' turns at once and tells rate,
// latencies, errors and CPU.
//   bench_turns --url http://127.0.0.1:8420 --token T --sessions 64 --turns 100 [--stream] [--json]
#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>

#include "load.h"

namespace {

using talon::bench::LoadOptions;
using talon::bench::LoadResult;

double Percentile(const std::vector<std::uint32_t>& sorted, double share) {
  if (sorted.empty()) return 0;
  const auto last = static_cast<double>(sorted.size() - 1);
  return static_cast<double>(sorted[static_cast<std::size_t>(share * last + 0.5)]) / 1000;
}

struct Figures {
  double rate, p50, p90, p99, max, own_ms;
  int errors = 0;
};

Figures FiguresOf(LoadResult& result) {
  auto& all = result.latencies_us;
  std::sort(all.begin(), all.end());
  const auto turns = static_cast<double>(std::max<std::size_t>(all.size(), 1));
  Figures figures{.rate = static_cast<double>(all.size()) / result.seconds,
                  .p50 = Percentile(all, 0.5),
                  .p90 = Percentile(all, 0.9),
                  .p99 = Percentile(all, 0.99),
                  .max = Percentile(all, 1),
                  .own_ms = result.own_cpu_s * 1000 / turns};
  for (const auto& [what, count] : result.errors) figures.errors += count;
  return figures;
}

void PrintJson(const LoadOptions& options, const LoadResult& result, const Figures& figures) {
  const auto turns = static_cast<double>(std::max<std::size_t>(result.latencies_us.size(), 1));
  std::string watched;
  for (const auto& one : result.watched) {
    watched += fmt::format(R"({}{{"pid":{},"cpu_s":{:.3f},"cpu_ms_per_turn":{:.4f},"rss_kb":{}}})",
                           watched.empty() ? "" : ",", one.pid, one.cpu_s, one.cpu_s * 1000 / turns,
                           one.rss_kb);
  }
  fmt::print(
      R"({{"sessions":{},"stream":{},"turns":{},"errors":{},"seconds":{:.3f},"turns_per_s":{:.1f},)"
      R"("p50_ms":{:.3f},"p90_ms":{:.3f},"p99_ms":{:.3f},"max_ms":{:.3f},"own_cpu_s":{:.3f},)"
      R"("own_cpu_ms_per_turn":{:.4f},"watched":[{}]}})"
      "\n",
      options.sessions, options.stream, result.latencies_us.size(), figures.errors, result.seconds,
      figures.rate, figures.p50, figures.p90, figures.p99, figures.max, result.own_cpu_s,
      figures.own_ms, watched);
}

void PrintText(const LoadOptions& options, const LoadResult& result, const Figures& figures) {
  fmt::print(
      "{} turns of {} sessions in {:.2f} s: {:.0f} turns/s\n"
      "latency ms: p50 {:.2f}  p90 {:.2f}  p99 {:.2f}  max {:.2f}\n"
      "errors: {}   own CPU: {:.2f} s\n",
      result.latencies_us.size(), options.sessions, result.seconds, figures.rate, figures.p50,
      figures.p90, figures.p99, figures.max, figures.errors, result.own_cpu_s);
  for (const auto& one : result.watched) {
    fmt::print("process {}: CPU {:.2f} s, RSS {} kB\n", one.pid, one.cpu_s, one.rss_kb);
  }
}

}  // namespace

int main(int argc, char** argv) {
  LoadOptions options;
  options.prefix = fmt::format("bench-{}", ::getpid());
  bool json = false;
  CLI::App app("Load generator for OpenAI-compatible endpoints", "bench_turns");
  app.add_option("--url", options.url, "http://host:port")->required();
  app.add_option("--token", options.token, "Bearer token");
  app.add_option("--sessions", options.sessions)->check(CLI::Range(1, 100'000));
  app.add_option("--turns", options.turns, "Of each session")->check(CLI::Range(1, 10'000'000));
  app.add_option("--warmup", options.warmup, "Turns of each session before, not measured");
  app.add_option("--connections", options.connections, "Fewer than sessions: taken in order");
  app.add_option("--model", options.model);
  app.add_option("--message", options.message);
  app.add_option("--expect", options.expect, "Text every answer must hold");
  app.add_option("--prefix", options.prefix, "Of the sessions' names");
  app.add_option("--timeout", options.timeout_s, "Seconds a turn may take");
  app.add_option("--pid", options.watch, "Tell CPU and memory of this process; repeatable");
  app.add_flag("--stream", options.stream);
  app.add_flag("--json", json, "Print one line of JSON");
  CLI11_PARSE(app, argc, argv);
  try {
    LoadResult result = talon::bench::Run(options);
    const Figures figures = FiguresOf(result);
    json ? PrintJson(options, result, figures) : PrintText(options, result, figures);
    for (const auto& [what, count] : result.errors) {
      fmt::print(stderr, "error x{}: {}\n", count, what);
    }
    return figures.errors == 0 ? 0 : 1;
  } catch (const std::exception& error) {
    fmt::print(stderr, "bench_turns: {}\n", error.what());
    return 2;
  }
}
