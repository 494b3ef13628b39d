// SPDX-License-Identifier: Apache-2.0
// What the sandbox costs: the first call of a plugin that does not run (spawn, handshake, describe,
// configure, call), and a call of one that does, for each profile in turn. CPU is that of all
// processes from the start to the end, which a busy machine does not change.
//
//   bench_plugin_start [starts] [calls]
#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "base/check.h"
#include "io/loop.h"
#include "plugin/host.h"
#include "tests/support/temp_folder.h"

namespace talon {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::milliseconds kTakeDown{30};

double Median(std::vector<double> values) {
  std::ranges::nth_element(values, values.begin() + static_cast<long>(values.size() / 2));
  return values[values.size() / 2];
}

// Of this process and of those it has waited for, in microseconds.
double CpuTime() {
  double all = 0;
  for (const int who : {RUSAGE_SELF, RUSAGE_CHILDREN}) {
    rusage used{};
    TALON_CHECK(getrusage(who, &used) == 0);
    for (const timeval& time : {used.ru_utime, used.ru_stime}) {
      all += static_cast<double>(time.tv_sec) * 1e6 + static_cast<double>(time.tv_usec);
    }
  }
  return all;
}

class Bench {
 public:
  Bench() {
    std::map<std::string, plugin::PluginEntry> entries;
    for (const auto& [name, profile] : {std::pair{"none", plugin::ProfileChoice::kNone},
                                        std::pair{"default", plugin::ProfileChoice::kDefault},
                                        std::pair{"strict", plugin::ProfileChoice::kStrict}}) {
      plugin::PluginEntry entry;
      entry.plugin = TALON_TEST_PLUGIN;
      entry.sandbox.profile = profile;
      entries.emplace(name, std::move(entry));
    }
    host_ = plugin::MakeHost(loop_, clock_, catalogue_,
                             {.run = folder_ / "r",
                              .data = folder_ / "data",
                              .cache = folder_ / "cache",
                              .workspace = folder_ / "workspace",
                              .launcher = TALON_LAUNCH},
                             {});
    TALON_CHECK(loop_.RunUntilDone(host_->Load(std::move(entries))).ok());
  }
  ~Bench() {
    (void)loop_.RunUntilDone([](plugin::Host* host) -> io::Task<bool> {
      co_await host->Stop();
      co_return true;
    }(host_.get()));
  }

  double Call(const std::string& name) {
    tool::Invocation invocation{.call_id = "call_1", .tool = name + "__echo"};
    invocation.arguments = R"({"text":"hello"})";
    const auto begin = Clock::now();
    CallContext context;
    context.deadline = begin + std::chrono::seconds(20);
    const auto answer = loop_.RunUntilDone(
        catalogue_.Find(name + "__echo")->tool->Execute(std::move(invocation), context));
    TALON_CHECK(answer.ok());
    return std::chrono::duration<double, std::micro>(Clock::now() - begin).count();
  }
  // Until nothing of the process is left: the next start is not to wait for the end of
  // this one, its folder and groups.
  void Stop(const std::string& name) {
    TALON_CHECK(loop_.RunUntilDone(host_->StopOne(name)).ok());
    std::error_code ignored;
    do {
      (void)loop_.RunUntilDone(loop_.SleepUntil(Clock::now() + kTakeDown, {}));
    } while (!std::filesystem::is_empty(folder_ / "r", ignored) && !ignored);
  }

 private:
  io::Loop loop_;
  SystemClock clock_;
  test::TempFolder folder_;
  tool::Catalogue catalogue_;
  std::unique_ptr<plugin::Host> host_;
};

void Run(int starts, int calls) {
  const std::string profiles[] = {"none", "default", "strict"};
  Bench bench;
  std::map<std::string, std::vector<double>> start, call, cpu;
  for (int i = 0; i < starts; ++i) {
    for (const std::string& profile : profiles) {
      const double before = CpuTime();
      start[profile].push_back(bench.Call(profile));
      bench.Stop(profile);
      cpu[profile].push_back(CpuTime() - before);
    }
  }
  for (const std::string& profile : profiles) (void)bench.Call(profile);
  for (int i = 0; i < calls; ++i) {
    for (const std::string& profile : profiles) call[profile].push_back(bench.Call(profile));
  }
  const double base = Median(start["none"]);
  const double base_cpu = Median(cpu["none"]);
  const double base_call = Median(call["none"]);
  for (const std::string& profile : profiles) {
    const double median = Median(start[profile]);
    const double median_call = Median(call[profile]);
    std::printf(
        "plugin_start %-8s start %8.0f us  over none %7.0f us  call %6.1f us  ratio %.2f  "
        "cpu over none %6.0f us\n",
        profile.c_str(), median, median - base, median_call, median_call / base_call,
        Median(cpu[profile]) - base_cpu);
  }
}

}  // namespace
}  // namespace talon

int main(int argc, char** argv) {
  talon::Run(argc > 1 ? std::atoi(argv[1]) : 40, argc > 2 ? std::atoi(argv[2]) : 2000);
}
