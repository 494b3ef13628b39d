// SPDX-License-Identifier: Apache-2.0
// The hostile plugin against the real host, attempt by attempt: prints a table and fails when any
// row got something. README.md says how it is run.
#include <fmt/format.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
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
#include "extension_lies.h"
#include "guard/guard.h"
#include "guard/question.h"
#include "io/loop.h"
#include "plugin/host.h"
#include "tool/events.h"
#include "world.h"

namespace talon::hostile {
namespace {

using namespace std::chrono_literals;
namespace fs = std::filesystem;
using Output = absl::StatusOr<tool::ToolOutput>;

struct Setup {
  std::string home, hostile, other, launcher, secret, lacks, liar;
  plugin::SandboxProfile profile = plugin::SandboxProfile::kDefault;
  plugin::FileChoice workspace = plugin::FileChoice::kNone;
  plugin::NetworkChoice network = plugin::NetworkChoice::kNone;
  bool above = false;  // what is granted is the folder that the home stands in
};

constexpr std::uint64_t kMemory = 160u << 20;  // small: less to touch
constexpr std::uint64_t kAlone = 8;            // times that where there is no control group
constexpr std::uint32_t kProcesses = 40;
constexpr std::uint64_t kFile = 24u << 20;
constexpr std::uint64_t kDisk = 32u << 20;
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

// What a person would be shown, through the guard as in a turn.
class Hearing : public tool::CallEvents {
 public:
  explicit Hearing(const guard::Guard& guard) : guard_(guard) {}
  void OnProgress(const tool::Progress& progress) override {
    const std::string text = guard_.AdmitProgress(progress.text);
    if (!IsValidUtf8(text) || text.size() > 4096 || text.find('\x1b') != text.npos) {
      problem_ = "progress is not one harmless line";
    }
    if (!(progress.done >= 0) || !(progress.total >= 0)) problem_ = "progress is no number";
  }
  io::Task<tool::Answer> Ask(tool::Question question, CallContext) override {
    const auto admitted = guard_.AdmitQuestion(std::move(question));
    if (admitted.ok() && guard::SanitizeUntrusted(admitted->text, nullptr) != admitted->text) {
      problem_ = "the question is not sanitised";
    }
    co_return tool::Answer{};
  }
  const std::string& problem() const { return problem_; }

 private:
  const guard::Guard& guard_;
  std::string problem_;
};

class Table {
 public:
  explicit Table(Setup setup) : setup_(std::move(setup)), world_(setup_.home, setup_.secret) {
    options_.max_restarts = 1000;
    options_.backoff_base = 1ms;
    options_.backoff_max = 1ms;
    options_.sandbox.memory = {kMemory};
    options_.sandbox.processes = kProcesses;
    options_.sandbox.max_file = {kFile};
    options_.sandbox.disk = {kDisk};
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
      std::printf("hostile plugin does not start: %s; %s\n", StatusText(list.status()).c_str(),
                  Info("hostile").last_error.c_str());
      Stop();
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
        fmt::format("{} before, {} after", before, after),
        after == 0 && before > (has_cgroup_ ? 0 : -1));
    std::string left;
    for (const auto& entry : fs::directory_iterator(setup_.home + "/run/p")) {
      if (entry.path().filename() != "probe") left += entry.path().filename().string() + " ";
    }
    Row("socket folders left behind", "host", left, left.empty());
    Requires();
    Lies();
    if (!setup_.liar.empty()) LieInEveryField();
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
    entry.sandbox.network = setup_.network;
    if (setup_.above) entry.sandbox.read_paths = {Workspace()};
    return entry;
  }

  void Start(std::map<std::string, plugin::PluginEntry> entries) {
    host_ = plugin::MakeHost(loop_, clock_, catalogue_,
                             {.run = setup_.home + "/run/p",
                              .data = setup_.home + "/plugins/data",
                              .cache = setup_.home + "/plugins/cache",
                              .workspace = Workspace(),
                              .launcher = setup_.launcher,
                              .hidden = setup_.home},
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
              std::chrono::milliseconds time = 60s, tool::CallEvents* events = nullptr) {
    const tool::Entry* entry = catalogue_.Find(name);
    if (entry == nullptr) return NotFound("tool " + name);
    tool::Invocation invocation{.call_id = "call_1", .tool = name};
    invocation.arguments = arguments.dump();
    invocation.events = events;
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

  std::string Workspace() const {
    return setup_.above ? fs::path(setup_.home).parent_path().string() : setup_.home + "/workspace";
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
    facts["view"] = missing_.find("view") == std::string::npos ? "yes" : "no";
    facts["processes"] = std::to_string(kProcesses);
    facts["memory"] = std::to_string(kMemory);
    facts["hidden_memory"] = std::to_string(has_cgroup_ ? kMemory : kAlone * kMemory);
    facts["file"] = std::to_string(kFile);
    facts["disk"] = std::to_string(kDisk);
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
    // What the outbound network gives is no secret: that it is nothing else is what counts.
    const bool granted = setup_.network == plugin::NetworkChoice::kOutbound &&
                         (name.starts_with("tcp to") || name == "udp" || name == "resolve a name");
    if (granted) {
      const std::string got = Out("hostile__try", {{"what", name}, {"facts", FactsNow()}});
      Row(name, "granted", got, !got.starts_with("call:") && Answers());
      (void)world_.Touched();
      return;
    }
    const std::string before = Out("other__pid");
    const long resident = ResidentKb();
    std::string result = Out("hostile__try", {{"what", name}, {"facts", FactsNow()}});
    bool good = !result.starts_with("GOT") && !result.starts_with("not tried") &&
                result.find(setup_.secret) == std::string::npos && !result.starts_with("error:");
    good &= MayDie(name, layer) || !result.starts_with("call:");
    const std::string touched = world_.Touched();
    good &= touched.empty();
    const std::string after = Out("other__pid");
    if (after != before) result += " · the other plugin is gone: " + after;
    good &= after == before && !before.starts_with("call:");
    const long growth = ResidentKb() - resident;
    if (growth > kMostGrowthKb) result += fmt::format(" · the daemon grew by {} KB", growth);
    good &= growth <= kMostGrowthKb;
    if (layer != "disk" && !Answers()) {
      result += " · it does not answer any more";
      good = false;
    }
    Row(name, layer, touched + result, good);
    if (layer == "disk") StaysRefused();
  }

  // Whoever takes too much may be ended for it; nothing else is to end the plugin.
  static bool MayDie(std::string_view name, std::string_view layer) {
    return name.starts_with("memory:") || name == "fork bomb" || layer.starts_with("disk") ||
           name.starts_with("flood ");
  }

  // What was tried has hurt neither the daemon nor, for longer than a restart, the plugin.
  bool Answers() { return Call("hostile__list").ok(); }

  // Until somebody has made room.
  void StaysRefused() {
    const std::string said = Out("hostile__list");
    Row("start again with it", "disk", said, said.find("sandbox.disk") != std::string::npos);
    std::error_code ignored;
    fs::remove_all(setup_.home + "/plugins/data/hostile/hoard", ignored);
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
    if (has_cgroup_) return;
    // Whoever asks for processes all the same has them, and a grade that says so.
    plugin::PluginEntry entry = Entry(setup_.other, {});
    entry.sandbox.processes = kProcesses;
    Start({{"other", std::move(entry)}});
    (void)Out("other__echo", {{"text", "alive"}});
    const std::string grade = Info("other").sandbox.grade;
    Row("processes whose memory nothing bounds", "report", "grade " + grade, grade == "C");
    Stop();
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
    // For the reason that the lie is, and not because there is nobody to tell it.
    const auto refused = [](std::string reason) {
      return [reason = std::move(reason)](const Output& output) {
        return !output.ok() && !absl::IsNotFound(output.status()) &&
               Message(output.status()).find(reason) != std::string::npos;
      };
    };
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
    Lie("an answer of 16 MB", {}, "flood", {{"bytes", 16 << 20}}, refused("exceeds the limit"));
    Lie("no HTTP/2 in the middle of a call", {}, "garbage", none,
        refused("broke the HTTP/2 protocol"));
    Lie("no answer at all", {}, "hang", none, refused("no answer within"));
    Lie("a status that does not exist", {}, "status", {{"code", 4711}, {"text", "x"}},
        refused("no valid gRPC status"));
    Lie("another manifest than the one it is known by", {"--extra-tool"}, "echo", none,
        refused("its manifest has changed"));
    Lie("a socket that speaks something else", {"--not-grpc"}, "echo", none,
        refused("broke the HTTP/2 protocol"));
    Lie("an end in the middle of the handshake", {"--exit", "3"}, "echo", none,
        refused("the plugin ended without one"));
    Lie("no handshake", {"--silent"}, "echo", none,
        refused("did not start before the call's deadline"));
    const std::string control = world_.Facts().at("control_socket");
    const std::pair<std::string, const char*> lines[] = {
        {"1|1|unix|" + control + "|grpc", "listens there, not the plugin"},
        {"1|1|tcp|127.0.0.1:1|grpc", "without TLS"},
        {"1|1|unix|/proc/self/fd/0|grpc", "connect to plugin socket"},
        {"\xff\xfe|||||", "core protocol"},
        {"1|1|unix|s|netrpc", "is not absolute"},
        {std::string(1 << 16, '|'), "first line exceeds"}};
    for (const auto& [line, reason] : lines) {
      Lie("handshake: " + line.substr(0, 40), {"--print", line}, "echo", none, refused(reason));
    }
    Lie("a plugin that will not end", {"--stubborn"}, "echo", {{"text", "x"}},
        [](const Output& output) { return output.ok(); });
  }

  // Plain text of an allowed length.
  static bool Plain(std::string_view text, std::size_t most) {
    return text.size() <= most && IsValidUtf8(text) && std::ranges::none_of(text, [](char c) {
             return static_cast<unsigned char>(c) < ' ' && c != '\n' && c != '\r' && c != '\t';
           });
  }

  // What of the liar's is offered to models and shown to people; what is not plain.
  std::string ManifestProblem() const {
    for (const tool::Entry* entry : catalogue_.All()) {
      const tool::ToolSpec& spec = entry->tool->spec();
      if (spec.plugin != "liar") continue;
      if (!Plain(spec.name, 64)) return "a tool's name";
      if (!Plain(spec.description, options_.max_description.value)) return "a description";
    }
    const plugin::PluginInfo info = Info("liar");
    if (!Plain(info.description, options_.max_description.value)) return "its description";
    if (!Plain(info.version, options_.max_description.value)) return "its version";
    return IsValidUtf8(info.last_error) ? "" : "its error";
  }

  // What comes through of the answer, the progress or the question that lies; what is not harmless.
  std::string AnswerProblem(const std::string& lie) {
    const guard::Guard guard(catalogue_, {});
    tool::ToolSpec spec;
    spec.name = "liar__x";
    spec.plugin = "liar";
    Hearing hearing(guard);
    Json step = {{"result", "done"}};
    std::string tool = "echo";
    if (lie.starts_with("Progress.")) tool = "tell", step = {{"progress", "half"}};
    if (lie.starts_with("Question.")) tool = "talk", step = {{"question", "q"}};
    const Json script = Json::array({step, Json{{"result", "done"}}});
    const Output output =
        Call("liar__" + tool, {{"text", "honest"}, {"script", script}}, 3s, &hearing);
    const guard::AdmittedResult admitted =
        output.ok() ? guard.AdmitResult(spec, "call_1", *output, "artifact")
                    : guard.AdmitError(spec, output.status());
    const std::string inner = guard::PluginOutputText(admitted.content);
    if (!Plain(admitted.content, 1 << 20)) return "the result is not plain";
    if (guard::SanitizeUntrusted(inner, nullptr) != inner) return "the result is not sanitised";
    return hearing.problem();
  }

  // One row a message: each of its fields holds each hostile value once.
  void LieInEveryField() {
    std::map<std::string, std::pair<int, std::string>>
        told;  // by message: how many, what came of it
    for (const std::string& lie : AllLies()) {
      const std::string message = lie.substr(0, lie.find('.'));
      auto& [count, problems] = told[message];
      ++count;
      const long resident = ResidentKb();
      Start({{"liar", Entry(setup_.liar, {"--lie", lie})}, {"other", Entry(setup_.other, {})}});
      std::string problem = ManifestProblem();
      if (problem.empty()) problem = AnswerProblem(lie);
      if (problem.empty()) {
        // A folder for each: what one run stores is not taken up by the next.
        const std::string folder = setup_.home + "/lie" + std::to_string(++lies_);
        problem = ExtensionProblem(loop_, clock_, *host_, folder, message);
        std::error_code ignored;
        fs::remove_all(folder, ignored);
      }
      if (problem.empty() && ResidentKb() - resident > kMostGrowthKb) problem = "the daemon grew";
      if (problem.empty() && Out("other__echo", {{"text", "alive"}}) != "alive") {
        problem = "the other plugin is gone";
      }
      if (!problem.empty()) problems += lie + ": " + problem + "; ";
      Stop();
    }
    for (const auto& [message, result] : told) {
      Row(fmt::format("{} lies in the fields of {}", result.first, message), "host, guard",
          result.second, result.second.empty());
    }
    if (told.size() < 15) Row("the lies of the contract", "", "the liar told none", false);
  }

  std::vector<std::string> AllLies() const {
    std::vector<std::string> lies;
    FILE* program = popen(("'" + setup_.liar + "' --lies").c_str(), "r");
    char line[512];
    while (program != nullptr && std::fgets(line, sizeof(line), program) != nullptr) {
      lies.emplace_back(line, std::strcspn(line, "\n"));
    }
    if (program != nullptr) pclose(program);
    return lies;
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
  int rows_ = 0, failed_ = 0, lies_ = 0;
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
    if (name == "--liar") setup.liar = value;
    if (name == "--lacks") setup.lacks = value;
    if (name == "--launcher") setup.launcher = value;
    if (name == "--profile" && value == "strict") setup.profile = plugin::SandboxProfile::kStrict;
    if (name == "--network" && value == "outbound") {
      setup.network = plugin::NetworkChoice::kOutbound;
    }
    if (name == "--above") setup.above = value == "yes";
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
