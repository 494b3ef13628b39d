// SPDX-License-Identifier: Apache-2.0
// Plugin calls, 256 bytes there and back, to a plugin in another process (grpc++ sync server): by
// our transport, by the whole host (as a tool call), and by grpc++'s clients as the floor to
// compare with. Every side encodes each request and parses each answer, over a connection that was
// warm before the clock started. One in flight: latency and our process's CPU, against grpc++'s
// sync client. 64 in flight: throughput, against its callback client, its fastest. Rounds
// alternate, as does who is first in one; a ratio is the median of the rounds' ratios.
//   bench_plugin_rtt [calls a round] [rounds] [idle seconds]
#include <fmt/format.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <future>
#include <memory>
#include <string>
#include <vector>

#include "base/check.h"
#include "base/status.h"
#include "io/loop.h"
#include "io/nursery.h"
#include "plugin/host.h"
#include "plugin/transport.h"
#include "talon/v1/plugin.grpc.pb.h"
#include "tests/support/temp_folder.h"

namespace talon::plugin {
namespace {

using namespace std::chrono_literals;
using SteadyClock = std::chrono::steady_clock;

constexpr auto kDeadline = 30s;  // of each call, as in the daemon
constexpr int kWarmUp = 500;
constexpr int kInFlight = 64;
constexpr int kManyCalls = 150 * kInFlight;  // of one round of throughput

// What this process, all its threads, has spent of the processors.
double CpuMicroseconds() {
  timespec spent{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &spent);
  return static_cast<double>(spent.tv_sec) * 1e6 + static_cast<double>(spent.tv_nsec) / 1e3;
}

struct Figures {
  std::vector<double> p50_us, p99_us, cpu_us;  // one a round; CPU for each call

  void Add(std::vector<double> samples_us, double cpu_of_all_us) {
    cpu_us.push_back(cpu_of_all_us / static_cast<double>(samples_us.size() + kWarmUp));
    std::ranges::sort(samples_us);
    p50_us.push_back(samples_us[samples_us.size() / 2]);
    p99_us.push_back(samples_us[samples_us.size() * 99 / 100]);
  }
  // `round` makes a round's samples.
  template <class Round>
  void Measure(Round round) {
    const double before = CpuMicroseconds();
    std::vector<double> samples = round();
    Add(std::move(samples), CpuMicroseconds() - before);
  }
  static double Median(std::vector<double> values) {
    std::ranges::sort(values);
    return values[values.size() / 2];
  }
  double p50() const { return Median(p50_us); }
  double p99() const { return Median(p99_us); }
  double cpu() const { return Median(cpu_us); }
};

std::string Arguments() {
  return R"({"text":")" + std::string(245, 'x') + R"("})";
}

v1::ExecuteRequest MakeRequest() {
  v1::ExecuteRequest request;
  request.set_call_id("call_1");
  request.set_tool("echo");
  request.set_arguments_json(Arguments());
  return request;
}

double Microseconds(SteadyClock::duration time) {
  return std::chrono::duration<double, std::micro>(time).count();
}

io::Task<void> OurCall(PluginTransport& transport, const v1::ExecuteRequest& request) {
  CallContext context;
  context.deadline = SteadyClock::now() + kDeadline;
  const auto answer =
      co_await transport.Call("/talon.v1.Plugin/Execute", request.SerializeAsString(), context);
  v1::ExecuteResponse response;
  TALON_CHECK(answer.ok() && response.ParseFromString(*answer));
  TALON_CHECK(response.content().size() == 245);
}

io::Task<std::vector<double>> OurRound(PluginTransport& transport, int calls) {
  const v1::ExecuteRequest request = MakeRequest();
  std::vector<double> samples;
  for (int i = -kWarmUp; i < calls; ++i) {
    const auto begin = SteadyClock::now();
    co_await OurCall(transport, request);
    if (i >= 0) samples.push_back(Microseconds(SteadyClock::now() - begin));
  }
  co_return samples;
}

io::Task<std::vector<double>> HostRound(tool::Tool& tool, int calls) {
  std::vector<double> samples;
  for (int i = -kWarmUp; i < calls; ++i) {
    const auto begin = SteadyClock::now();
    tool::Invocation invocation;
    invocation.call_id = "call_1";
    invocation.arguments = Arguments();
    CallContext context;
    context.deadline = begin + kDeadline;
    const auto answer = co_await tool.Execute(std::move(invocation), context);
    TALON_CHECK(answer.ok() && answer->content.size() == 245);
    if (i >= 0) samples.push_back(Microseconds(SteadyClock::now() - begin));
  }
  co_return samples;
}

std::vector<double> GrpcRound(v1::Plugin::Stub& stub, int calls) {
  const v1::ExecuteRequest request = MakeRequest();
  std::vector<double> samples;
  for (int i = -kWarmUp; i < calls; ++i) {
    const auto begin = SteadyClock::now();
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + kDeadline);
    v1::ExecuteResponse response;
    TALON_CHECK(stub.Execute(&context, request, &response).ok());
    TALON_CHECK(response.content().size() == 245);
    if (i >= 0) samples.push_back(Microseconds(SteadyClock::now() - begin));
  }
  return samples;
}

// Calls a second with kInFlight of them under way.
double OurThroughput(io::Loop& loop, PluginTransport& transport, int calls) {
  const auto begin = SteadyClock::now();
  (void)loop.RunUntilDone([](io::Loop* on, PluginTransport* to, int total) -> io::Task<bool> {
    io::Nursery lanes(*on);
    const v1::ExecuteRequest request = MakeRequest();
    for (int lane = 0; lane < kInFlight; ++lane) {
      lanes.Spawn(
          [](PluginTransport* wire, const v1::ExecuteRequest* asked, int count) -> io::Task<void> {
            for (int i = 0; i < count; ++i) co_await OurCall(*wire, *asked);
          }(to, &request, total / kInFlight));
    }
    co_await lanes.Join();
    co_return true;
  }(&loop, &transport, calls));
  return calls * 1e6 / Microseconds(SteadyClock::now() - begin);
}

// One of grpc++'s lanes: each completion starts the next call.
struct GrpcLane {
  void Next() {
    if (left-- == 0) {
      if (--*open == 0) done->set_value();
      return;
    }
    context = std::make_unique<grpc::ClientContext>();
    context->set_deadline(std::chrono::system_clock::now() + kDeadline);
    stub->async()->Execute(context.get(), request, &response, [this](grpc::Status status) {
      TALON_CHECK(status.ok() && response.content().size() == 245);
      Next();
    });
  }
  v1::Plugin::Stub* stub;
  const v1::ExecuteRequest* request;
  int left;
  std::atomic<int>* open;
  std::promise<void>* done;
  std::unique_ptr<grpc::ClientContext> context = {};
  v1::ExecuteResponse response = {};
};

double GrpcThroughput(v1::Plugin::Stub& stub, int calls) {
  const v1::ExecuteRequest request = MakeRequest();
  std::atomic<int> open = kInFlight;
  std::promise<void> done;
  std::vector<GrpcLane> lanes;
  lanes.reserve(kInFlight);
  const auto begin = SteadyClock::now();
  for (int lane = 0; lane < kInFlight; ++lane) {
    lanes.push_back({&stub, &request, calls / kInFlight, &open, &done});
  }
  for (GrpcLane& lane : lanes) lane.Next();
  done.get_future().wait();
  return calls * 1e6 / Microseconds(SteadyClock::now() - begin);
}

// Times a thread of this process has slept and woken.
long WakeUps() {
  long sum = 0;
  for (const auto& task : std::filesystem::directory_iterator("/proc/self/task")) {
    std::ifstream status(task.path() / "status");
    const std::string label = "voluntary_ctxt_switches:";
    for (std::string line; std::getline(status, line);) {
      if (line.starts_with(label)) sum += std::stol(line.substr(label.size()));
    }
  }
  return sum;
}

// Those of all threads while connections are open and nothing is due.
io::Task<long> IdleWakeUps(io::Loop& loop, std::chrono::seconds time) {
  (void)co_await loop.SleepUntil(SteadyClock::now() + 200ms, {});
  const long before = WakeUps();
  (void)co_await loop.SleepUntil(SteadyClock::now() + time, {});
  co_return WakeUps() - before - 1;  // one is the end of the measurement
}

// Round by round.
std::vector<double> Ratios(const std::vector<double>& ours, const std::vector<double>& theirs) {
  std::vector<double> ratios;
  for (std::size_t i = 0; i < ours.size(); ++i) ratios.push_back(ours[i] / theirs[i]);
  return ratios;
}

void Print(const char* name, const Figures& figures) {
  std::printf("plugin_rtt %-12s p50 %6.1f us  p99 %7.1f us  cpu %6.1f us/call\n", name,
              figures.p50(), figures.p99(), figures.cpu());
}

// The socket of the one plugin that runs under `run`.
std::string FindSocket(const std::string& run) {
  for (const auto& item : std::filesystem::recursive_directory_iterator(run)) {
    if (item.is_socket()) return item.path().string();
  }
  return "";
}

int Main(int calls, int rounds, int idle_seconds) {
  const test::TempFolder folder(test::Where::kMemory);
  const SystemClock clock;
  io::Loop loop;
  tool::Catalogue catalogue;
  HostPaths paths{"", folder / "r", folder / "data", folder / "c", folder.path()};
  const auto host = MakeHost(loop, clock, catalogue, paths, {});
  PluginEntry entry;
  entry.plugin = TALON_TEST_PLUGIN;
  TALON_CHECK(loop.RunUntilDone(host->Load({{"t", entry}})).ok());
  const auto echo = catalogue.Find("t__echo")->tool;
  (void)loop.RunUntilDone(HostRound(*echo, 1));
  // All three talk to the same process: which core it runs on counts more than who asks.
  const std::string socket = FindSocket(paths.run);
  CallContext soon;
  soon.deadline = SteadyClock::now() + 10s;
  const auto transport = *loop.RunUntilDone(ConnectUnix(loop, socket, {}, soon));

  const std::chrono::seconds idle(idle_seconds);
  // Before there is any object of grpc++, whose threads stay.
  const long our_idle = loop.RunUntilDone(IdleWakeUps(loop, idle));
  const auto channel = grpc::CreateChannel("unix:" + socket, grpc::InsecureChannelCredentials());
  const auto stub = v1::Plugin::NewStub(channel);
  (void)GrpcRound(*stub, 1);
  const long grpc_idle = loop.RunUntilDone(IdleWakeUps(loop, idle)) - our_idle;
  (void)OurThroughput(loop, *transport, kManyCalls);
  (void)GrpcThroughput(*stub, kManyCalls);

  Figures ours;
  Figures whole;
  Figures grpc;
  std::vector<double> our_rate;
  std::vector<double> grpc_rate;
  for (int round = 0; round < rounds; ++round) {
    const bool first = round % 2 == 0;
    if (!first) grpc.Measure([&] { return GrpcRound(*stub, calls); });
    ours.Measure([&] { return loop.RunUntilDone(OurRound(*transport, calls)); });
    if (first) grpc.Measure([&] { return GrpcRound(*stub, calls); });
    whole.Measure([&] { return loop.RunUntilDone(HostRound(*echo, calls)); });
    if (!first) grpc_rate.push_back(GrpcThroughput(*stub, kManyCalls));
    our_rate.push_back(OurThroughput(loop, *transport, kManyCalls));
    if (first) grpc_rate.push_back(GrpcThroughput(*stub, kManyCalls));
  }
  Print("transport", ours);
  Print("host", whole);
  Print("grpc++ sync", grpc);
  const double latency = Figures::Median(Ratios(ours.p50_us, grpc.p50_us));
  const double host_latency = Figures::Median(Ratios(whole.p50_us, grpc.p50_us));
  const double cpu = Figures::Median(Ratios(ours.cpu_us, grpc.cpu_us));
  const double rate = Figures::Median(Ratios(our_rate, grpc_rate));
  std::printf("plugin_rtt over grpc++  p50 %.3f  host %.3f  cpu %.3f  in flight %.3f\n", latency,
              host_latency, cpu, rate);
  std::printf("plugin_rtt in flight    %d: transport %.0f calls/s  grpc++ %.0f calls/s\n",
              kInFlight, Figures::Median(our_rate), Figures::Median(grpc_rate));
  std::printf("plugin_rtt idle         transport %ld  grpc++ %ld wake-ups in %d s\n", our_idle,
              grpc_idle, idle_seconds);
  (void)loop.RunUntilDone([](Host* stopped) -> io::Task<bool> {
    co_await stopped->Stop();
    co_return true;
  }(host.get()));
  return latency <= 1 && host_latency <= 2 && cpu <= 1 && rate >= 1 && our_idle <= 0 ? 0 : 1;
}

}  // namespace
}  // namespace talon::plugin

int main(int argc, char** argv) {
  const auto number = [&](int at, int fallback) {
    return argc > at ? std::max(1, std::atoi(argv[at])) : fallback;
  };
  return talon::plugin::Main(number(1, 2000), number(2, 15), number(3, 5));
}
