// SPDX-License-Identifier: Apache-2.0
#include "examples/http_status/http_status.h"

#include <fmt/format.h>
#include <sys/statvfs.h>
#include <sys/sysinfo.h>

#include <nlohmann/json.hpp>

#include "talon/sdk/text.h"

namespace talon::examples {
namespace {

struct Machine {
  long uptime_s = 0;
  double load = 0;                                                          // of the last minute
  unsigned long long memory = 0, memory_free = 0, disk = 0, disk_free = 0;  // bytes
};

Machine Look() {
  Machine machine;
  struct sysinfo info = {};
  if (sysinfo(&info) == 0) {
    machine.uptime_s = info.uptime;
    machine.load = static_cast<double>(info.loads[0]) / 65536.0;
    machine.memory = static_cast<unsigned long long>(info.totalram) * info.mem_unit;
    machine.memory_free = static_cast<unsigned long long>(info.freeram) * info.mem_unit;
  }
  struct statvfs disk = {};
  if (statvfs("/", &disk) == 0) {
    machine.disk = static_cast<unsigned long long>(disk.f_blocks) * disk.f_frsize;
    machine.disk_free = static_cast<unsigned long long>(disk.f_bavail) * disk.f_frsize;
  }
  return machine;
}

}  // namespace

HttpStatus::HttpStatus()
    : Plugin({.name = "http_status",
              .version = "1.0.0",
              .description = "A page that says how the machine is.",
              .config = sdk::Object().Optional("title", sdk::String("of the page"))}) {
  AddRoute({.method = "GET",
            .path = "/",
            .description = "The page",
            .handler = [this](const sdk::HttpRequest& request,
                              const sdk::CallInfo&) -> absl::StatusOr<sdk::HttpResponse> {
              if (request.path != "/") return absl::NotFoundError("no such page");
              return Page();
            }});
  AddRoute({.method = "GET",
            .path = "/status.json",
            .description = "The same as JSON",
            .handler = [this](const sdk::HttpRequest&, const sdk::CallInfo&) { return Json(); }});
  AddRoute({.method = "GET",
            .path = "/ping",
            .is_public = true,
            .description = "Says ok, for a monitor",
            .handler = [](const sdk::HttpRequest&, const sdk::CallInfo&) {
              return sdk::HttpResponse::Text("ok\n");
            }});
}

absl::Status HttpStatus::Configure(const sdk::Args& config, const sdk::Folders&) {
  title_ = config.String("title", "Status");
  return absl::OkStatus();
}

sdk::HttpResponse HttpStatus::Page() const {
  const Machine machine = Look();
  const auto row = [](std::string_view name, const std::string& value) {
    return fmt::format("<tr><th>{}</th><td>{}</td></tr>\n", name, sdk::EscapeHtml(value));
  };
  std::string rows =
      row("Up", fmt::format("{} h {} min", machine.uptime_s / 3600, machine.uptime_s / 60 % 60));
  rows += row("Load", fmt::format("{:.2f}", machine.load));
  rows += row("Memory free", fmt::format("{} of {}", sdk::HumanSize(machine.memory_free),
                                         sdk::HumanSize(machine.memory)));
  rows += row("Disk free", fmt::format("{} of {}", sdk::HumanSize(machine.disk_free),
                                       sdk::HumanSize(machine.disk)));
  return sdk::HttpResponse::Html(
      fmt::format("<!doctype html>\n<meta charset=\"utf-8\">\n<title>{0}</title>\n"
                  "<style>body{{font:16px sans-serif;margin:3em}}th{{text-align:left;"
                  "padding-right:2em}}</style>\n<h1>{0}</h1>\n<table>\n{1}</table>\n",
                  sdk::EscapeHtml(title_), rows));
}

sdk::HttpResponse HttpStatus::Json() const {
  const Machine machine = Look();
  const nlohmann::json json = {
      {"uptime_s", machine.uptime_s},   {"load", machine.load},
      {"memory_bytes", machine.memory}, {"memory_free_bytes", machine.memory_free},
      {"disk_bytes", machine.disk},     {"disk_free_bytes", machine.disk_free}};
  return sdk::HttpResponse::Json(json.dump());
}

}  // namespace talon::examples
