// SPDX-License-Identifier: Apache-2.0
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "base/json.h"
#include "base/status.h"
#include "base/terminal.h"
#include "cli/client.h"
#include "cli/commands.h"
#include "cli/report.h"
#include "config/config.h"
#include "daemon/config_advice.h"
#include "daemon/paths.h"

namespace talon::cli {
namespace {

struct Diagnosis {
  std::string_view level;  // ok, warn, fail
  std::string check, text;
};

class Examination {
 public:
  void Add(std::string_view level, std::string check, std::string text) {
    diagnoses_.push_back({level, std::move(check), std::move(text)});
    failed_ |= level == "fail";
  }
  void Home(const daemon::Paths& paths);
  void Daemon();
  bool failed() const { return failed_; }
  const std::vector<Diagnosis>& diagnoses() const { return diagnoses_; }

 private:
  void Plugins(Client& client);
  void Sandbox(const std::string& plugin, const Json& box);
  std::vector<Diagnosis> diagnoses_;
  bool failed_ = false;
};

void Examination::Home(const daemon::Paths& paths) {
  if (absl::Status made = MakeDirectories(paths.home, 0700); !made.ok()) {
    Add("fail", "home", std::string(Message(made)) + "; set TALON_HOME to a writable folder");
    return;
  }
  const std::string probe = paths.home + "/.probe";
  if (absl::Status written = WriteFileAtomic(probe, "probe"); !written.ok()) {
    Add("fail", "home", std::string(Message(written)) + "; set TALON_HOME to a writable folder");
    return;
  }
  ::unlink(probe.c_str());
  struct stat info{};
  if (::stat(paths.home.c_str(), &info) == 0 && (info.st_mode & 022) != 0) {
    Add("warn", "home",
        fmt::format("'{}' can be written by others; run: chmod 700 {}", paths.home, paths.home));
  } else {
    Add("ok", "home", paths.home);
  }
}

void Examination::Plugins(Client& client) {
  auto body = client.Call("GET", "/v1/plugins");
  auto json = body.ok() ? ParseJson(*body, "plugins") : absl::StatusOr<Json>(body.status());
  if (!json.ok()) return Add("fail", "plugins", std::string(Message(json.status())));
  const Json* list = JsonFind(*json, "plugins");
  if (list == nullptr || list->empty()) {
    return Add("warn", "plugins", "none found; the model has no tools. Set TALON_PLUGIN_DIR");
  }
  for (const Json& plugin : *list) {
    const std::string name = JsonString(plugin, "name");
    const std::string error = JsonString(plugin, "last_error");
    Add(error.empty() ? "ok" : "warn", "plugin " + name,
        error.empty() ? JsonString(plugin, "state") : error);
    const Json* box = JsonFind(plugin, "sandbox");
    if (box != nullptr && JsonString(plugin, "state") != "disabled") Sandbox(name, *box);
  }
}

void Examination::Sandbox(const std::string& plugin, const Json& box) {
  const std::string grade = JsonString(box, "grade");
  std::string text = fmt::format("grade {}", grade);
  std::string missing;
  if (const Json* layers = JsonFind(box, "layers"); layers != nullptr && layers->is_array()) {
    for (const Json& layer : *layers) {
      const std::string line = layer.is_string() ? layer.get<std::string>() : "";
      if (line.find(": ok") == std::string::npos) missing += (missing.empty() ? "" : "; ") + line;
    }
  }
  if (!missing.empty()) text += " (" + missing + ")";
  if (grade == "none") text += ": it runs as the daemon does; set sandbox.profile: default";
  if (grade == "C") text += ": it is hardly confined; see docs/plugins/sandbox.md";
  Add(grade == "A" || grade == "B" ? "ok" : "warn", "sandbox " + plugin, std::move(text));
}

void Examination::Daemon() {
  auto client = Client::Connect();
  if (!client.ok()) return Add("fail", "daemon", std::string(Message(client.status())));
  Add("ok", "daemon",
      (*client)->embedded() ? "none running; one starts and answers here"
                            : "running and answering");
  auto body = (*client)->Call("GET", "/v1/status");
  auto json = body.ok() ? ParseJson(*body, "status") : absl::StatusOr<Json>(body.status());
  if (!json.ok()) return Add("fail", "status", std::string(Message(json.status())));
  if (JsonBool(*json, "model_configured")) {
    Add("ok", "model", JsonString(*json, "model"));
  } else {
    Add("warn", "model", "only the built-in reflex model; " + JsonString(*json, "model_advice"));
  }
  if (const std::string keys = RestartKeys(*json); !keys.empty()) {
    Add("warn", "configuration", "restart needed for what was changed: " + keys);
  }
  Plugins(**client);
}

}  // namespace

int Doctor(const Globals& globals) {
  Examination examination;
  auto paths = daemon::FindPaths(&std::getenv);
  if (!paths.ok()) return Fail(globals, paths.status());
  auto loaded = config::Load(paths->config, paths->config_missing, &std::getenv);
  if (loaded.ok()) {
    examination.Add("ok", "configuration",
                    std::ranges::find(loaded->sources, paths->config) != loaded->sources.end()
                        ? paths->config
                        : fmt::format("the defaults: there is no '{}'", paths->config));
    for (const std::string& line : config::UnknownVariables(*loaded, config::TalonVariables())) {
      examination.Add("warn", "environment", line);
    }
    for (const std::string& line : daemon::ConfigAdvice(*loaded, *paths)) {
      examination.Add("warn", "configuration", line);
    }
  } else {
    examination.Add("fail", "configuration", std::string(Message(loaded.status())));
  }
  examination.Home(*paths);
  if (!examination.failed()) examination.Daemon();

  if (globals.json) {
    Json list = Json::array();
    for (const Diagnosis& diagnosis : examination.diagnoses()) {
      list.push_back(
          {{"level", diagnosis.level}, {"check", diagnosis.check}, {"text", diagnosis.text}});
    }
    std::printf("%s\n", DumpJson({{"ok", !examination.failed()}, {"data", list}}).c_str());
  } else {
    for (const Diagnosis& diagnosis : examination.diagnoses()) {
      std::printf("%-4s %-16s %s\n", std::string(diagnosis.level).c_str(), diagnosis.check.c_str(),
                  ForTerminal(diagnosis.text).c_str());
    }
  }
  return examination.failed() ? kFailed : kOk;
}

}  // namespace talon::cli
