// SPDX-License-Identifier: Apache-2.0
// The hostile plugin against the real host, attempt by attempt: prints a table and fails when any
// row got something. README.md says how it is run.
#include <fmt/format.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <nlohmann/json.hpp>
#include <sstream>

#include "base/check.h"
#include "base/json.h"
#include "base/log.h"
#include "base/status.h"
#include "base/text.h"
#include "guard/guard.h"
#include "io/loop.h"
#include "plugin/host.h"
#include "world.h"

namespace talon::hostile {
namespace {

using namespace std::chrono_literals;
namespace fs = std::filesystem;
using Output = absl::StatusOr<tool::ToolOutput>;

struct Setup {
  std::string home, hostile, other, launcher, secret, lacks;
  plugin::SandboxProfile profile = plugin::SandboxProfile::kDefault;
  plugin::FileChoice workspace = plugin::FileChoice::kNone;
};

constexpr std::uint64_t kMemory = 160u << 20;  // small: less to touch
constexpr std::uint32_t kProcesses = 40;
constexpr std::uint64_t kFile = 24u << 20;
constexpr std::uint32_t kDescriptors = 200;
constexpr long kMostGrowthKb = 96 << 10;  // of this process, whatever a plugin sends

// Processes whose command line begins with `name`.
int Count(const std::string& name) {
  int count = 0;
  for (const auto& entry : fs::directory_iterator("/proc")) {
    std::ifstream file(entry.path() / "cmdline");
    std::string line;
    std::getline(file, line, '\0');
    count += line == name ? 1 : 0;
  }
  return count;
}

long ResidentKb() {
  std::ifstream status("/proc/self/statm");
  long pages = 0;
  status >> pages >> pages;
  return pages * (sysconf(_SC_PAGESIZE) >> 10);
}

class Table {
 public:
  explicit Table(Setup setup) : setup_(std::move(setup)), world_(setup_.home, setup_.secret) {
    options_.max_restarts = 1000;
    options_.backoff_base = 1ms;
    options_.backoff_max = 1ms;
    options_.sandbox.memory = {kMemory};
    options_.sandbox.processes = kProcesses;
    options_.sandbox.max_file = {kFile};
    options_.sandbox.max_open_files = kDescriptors;
    options_.sandbox.profile = setup_.profile;
  }

  int Run() {
    Start({{"hostile", Entry(setup_.hostile, {})}, {"other", Entry(setup_.other, {})}});
    Out("other__ledger_append_blind",
        {{"file", setup_.home + "/plugins/data/other/notes.txt"}, {"line", setup_.secret}});
    PrintHead();
    const Output list = Call("hostile__list");
    if (!list.ok()) {
      std::printf("hostile plugin does not start: %s\n", StatusText(list.status()).c_str());
      return 1;
    }
    (void)world_.Touched();  // from here on
    std::istringstream lines(list->content);
    for (std::string line; std::getline(lines, line);) {
      const std::size_t tab = line.find('\t');
      Attempt(line.substr(0, tab), line.substr(tab + 1));
    }
    const int before = Count(Marker());
    Stop();
    const int after = Count(Marker());
    Row("processes left behind, after the plugin's end", "pid ns",
        fmt::format("{} before, {} after", before, after), after == 0 && before > 0);
    Requires();
    Lies();
    std::printf("%d rows, %d failed\n", rows_, failed_);
    return failed_ == 0 && rows_ > 0 ? 0 : 1;
  }

 private:
  plugin::PluginEntry Entry(const std::string& program, std::vector<std::string> args) const {
    plugin::PluginEntry entry;
    entry.plugin = program;
    entry.args = std::move(args);
    entry.start_timeout = 5s;
    entry.sandbox.workspace = setup_.workspace;
    return entry;
  }

  void Start(std::map<std::string, plugin::PluginEntry> entries) {
    host_ = plugin::MakeHost(loop_, clock_, catalogue_,
                             {.run = setup_.home + "/run/p",
                              .data = setup_.home + "/plugins/data",
                              .cache = setup_.home + "/plugins/cache",
                              .workspace = setup_.home + "/workspace",
                              .launcher = setup_.launcher},
                             options_);
    const absl::Status loaded = loop_.RunUntilDone(host_->Load(std::move(entries)));
    TALON_CHECK(loaded.ok());
  }

  void Stop() {
    (void)loop_.RunUntilDone([](plugin::Host* host) -> io::Task<bool> {
      co_await host->Stop();
      co_return true;
    }(host_.get()));
    host_.reset();
  }

  Output Call(const std::string& name, const Json& arguments = Json::object(),
              std::chrono::milliseconds time = 60s) {
    const tool::Entry* entry = catalogue_.Find(name);
    if (entry == nullptr) return NotFound("tool " + name);
    tool::Invocation invocation{.call_id = "call_1", .tool = name};
    invocation.arguments = arguments.dump();
    CallContext context;
    context.deadline = std::chrono::steady_clock::now() + time;
    return loop_.RunUntilDone(entry->tool->Execute(std::move(invocation), std::move(context)));
  }

  std::string Out(const std::string& name, const Json& arguments = Json::object(),
                  std::chrono::milliseconds time = 60s) {
    const Output output = Call(name, arguments, time);
    if (!output.ok()) return "call: " + StatusText(output.status());
    return output->error.empty() ? output->content : "error: " + output->error;
  }

  plugin::PluginInfo Info(const std::string& name) const {
    for (const plugin::PluginInfo& info : host_->List()) {
      if (info.name == name) return info;
    }
    return {};
  }

  std::string Marker() const { return "talon-hostile-remains-" + std::to_string(getpid()); }

  void PrintHead() {
    const plugin::PluginInfo info = Info("hostile");
    (void)Out("hostile__list");
    const plugin::SandboxInfo sandbox = Info("hostile").sandbox;
    grade_ = sandbox.grade;
    std::printf("\nprofile %s, daemon uid %u, workspace %s: grade %s (%s)\n",
                sandbox.profile.c_str(), getuid(), sandbox.workspace.c_str(), sandbox.grade.c_str(),
                fmt::format("{}", fmt::join(sandbox.layers, "; ")).c_str());
    for (const std::string& layer : sandbox.layers) {
      if (layer == "cgroup: ok") has_cgroup_ = true;
      const std::size_t end = layer.find(": unavailable");
      if (end != std::string::npos) missing_ += layer.substr(0, end) + " ";
    }
    std::printf("%-60s %-26s %s\n", "attempt", "layer", "result");
  }

  Json FactsNow() {
    Json facts = Json::object();
    for (const auto& [name, value] : world_.Facts()) facts[name] = value;
    facts["other_pid"] = std::to_string(Info("other").pid);
    facts["data"] = setup_.home + "/plugins/data/hostile";
    facts["processes"] = std::to_string(kProcesses);
    facts["memory"] = std::to_string(kMemory);
    facts["file"] = std::to_string(kFile);
    facts["descriptors"] = std::to_string(kDescriptors);
    facts["marker"] = Marker();
    for (const auto& entry : fs::recursive_directory_iterator(setup_.home + "/run/p")) {
      if (entry.is_socket() && entry.path().filename() == "s") {
        facts["other_socket"] = entry.path().string();
      }
    }
    return facts;
  }

  void Attempt(const std::string& name, const std::string& layer) {
    // Two limits are the control group's alone: without one the attempt is not let loose.
    if (!has_cgroup_ && name == "memory: shared") {
      std::printf("%-60s %-26s not tried: no control group (grade B)\n", name.c_str(),
                  layer.c_str());
      return;
    }
    const std::string before = Out("other__pid");
    const long resident = ResidentKb();
    std::string result = Out("hostile__try", {{"what", name}, {"facts", FactsNow()}});
    bool good = !result.starts_with("GOT") && !result.starts_with("not tried") &&
                result.find(setup_.secret) == std::string::npos && !result.starts_with("error:");
    const std::string touched = world_.Touched();
    good &= touched.empty();
    const std::string after = Out("other__pid");
    if (after != before) result += " · the other plugin is gone: " + after;
    good &= after == before && !before.starts_with("call:");
    const long growth = ResidentKb() - resident;
    if (growth > kMostGrowthKb) result += fmt::format(" · the daemon grew by {} KB", growth);
    good &= growth <= kMostGrowthKb;
    Row(name, layer, touched + result, good);
  }

  void Row(const std::string& name, const std::string& layer, std::string result, bool good) {
    ++rows_;
    failed_ += good ? 0 : 1;
    for (char& c : result) {
      if (c == '\n') c = ' ';
    }
    constexpr std::size_t kShown = 90;
    std::printf("%-60s %-26s %s (%s)\n", name.c_str(), layer.c_str(), good ? "nothing" : "GOT IT",
                std::string(TruncateUtf8(result, good ? kShown : 2000)).c_str());
    std::fflush(stdout);
  }

  // What is missing is told, lowers the grade, and is fatal where layers are required.
  void Requires() {
    const bool whole = missing_.empty();
    const bool told = setup_.lacks.empty() || missing_.find(setup_.lacks) != std::string::npos;
    Row("what is missing is told", "report", grade_ + ", missing: " + missing_,
        told && (whole || grade_ != "A"));
    options_.sandbox.require = true;
    Start({{"other", Entry(setup_.other, {})}});
    const std::string said = Out("other__echo", {{"text", "alive"}});
    Row("require: true", "all that is missing", said,
        whole ? said == "alive" : said.find("sandbox: layer '") != std::string::npos);
    Stop();
    options_.sandbox.require = false;
  }

  // A host of its own for a plugin that lies; what it says must not get further than an error.
  void Lie(const std::string& name, std::vector<std::string> args, const std::string& tool,
           const Json& arguments, const std::function<bool(const Output&)>& harmless) {
    Start({{"liar", Entry(setup_.other, std::move(args))}, {"other", Entry(setup_.other, {})}});
    const auto begin = std::chrono::steady_clock::now();
    const Output output = Call("liar__" + tool, arguments, 3s);
    const auto taken = std::chrono::steady_clock::now() - begin;
    const bool alive = Out("other__echo", {{"text", "alive"}}) == "alive";
    const std::string said = output.ok() ? output->content : StatusText(output.status());
    Row(name, "host, guard", said, harmless(output) && alive && taken < 20s);
    Stop();
    (void)world_.Touched();
  }

  void Lies() {
    const Json none = Json::object();
    const auto refused = [](const Output& output) { return !output.ok(); };
    const guard::Guard guard(catalogue_, {});
    const auto admitted = [&](const Output& output) {
      tool::ToolSpec spec;
      spec.name = "liar__x";
      spec.plugin = "liar";
      return guard.AdmitResult(spec, "call_1", *output, "artifact");
    };
    Lie("the answer of another's call", {}, "wrong_id", none,
        [&](const Output& output) { return output.ok() && admitted(*output).is_error; });
    Lie("text that is no UTF-8", {}, "bad_utf8", none, [&](const Output& output) {
      return output.ok() && IsValidUtf8(admitted(*output).content);
    });
    Lie("an answer of 64 MB", {}, "flood", {{"bytes", 64 << 20}}, refused);
    Lie("no HTTP/2 in the middle of a call", {}, "garbage", none, refused);
    Lie("no answer at all", {}, "hang", none, refused);
    Lie("a status that does not exist", {}, "status", {{"code", 4711}, {"text", "x"}}, refused);
    Lie("another manifest than the one it is known by", {"--extra-tool"}, "echo", none, refused);
    Lie("a socket that speaks something else", {"--not-grpc"}, "echo", none, refused);
    Lie("an end in the middle of the handshake", {"--exit", "3"}, "echo", none, refused);
    Lie("no handshake", {"--silent"}, "echo", none, refused);
    const std::string control = world_.Facts().at("control_socket");
    for (const std::string& line :
         {std::string("1|1|unix|") + control + "|grpc", std::string("1|1|tcp|127.0.0.1:1|grpc"),
          std::string("1|1|unix|/proc/self/fd/0|grpc"), std::string("\xff\xfe|||||"),
          std::string("1|1|unix|s|netrpc"), std::string(1 << 16, '|')}) {
      Lie("handshake: " + line.substr(0, 40), {"--print", line}, "echo", none, refused);
    }
    Lie("a plugin that will not end", {"--stubborn"}, "echo", {{"text", "x"}},
        [](const Output& output) { return output.ok(); });
  }

  const Setup setup_;
  World world_;
  io::Loop loop_;
  SystemClock clock_;
  tool::Catalogue catalogue_;
  plugin::HostOptions options_;
  std::unique_ptr<plugin::Host> host_;
  bool has_cgroup_ = false;
  std::string grade_, missing_;  // of the hostile plugin; layers
  int rows_ = 0, failed_ = 0;
};

Setup Parse(int argc, char** argv) {
  Setup setup;
  const char* secret = std::getenv("HOSTILE_SECRET");
  setup.secret = secret == nullptr ? "" : secret;
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string name = argv[i];
    const std::string value = argv[i + 1];
    if (name == "--home") setup.home = value;
    if (name == "--hostile") setup.hostile = value;
    if (name == "--other") setup.other = value;
    if (name == "--lacks") setup.lacks = value;
    if (name == "--launcher") setup.launcher = value;
    if (name == "--profile" && value == "strict") setup.profile = plugin::SandboxProfile::kStrict;
    if (name == "--workspace" && value == "write") setup.workspace = plugin::FileChoice::kWrite;
  }
  return setup;
}

}  // namespace
}  // namespace talon::hostile

int main(int argc, char** argv) {
  talon::hostile::Setup setup = talon::hostile::Parse(argc, argv);
  if (setup.home.empty() || setup.secret.empty()) {
    std::fprintf(stderr, "started by run.py\n");
    return 2;
  }
  prctl(PR_SET_DUMPABLE, 0);  // as the daemon
  talon::log::SetLevel(talon::log::Level::kOff);
  return talon::hostile::Table(std::move(setup)).Run();
}
