// SPDX-License-Identifier: Apache-2.0
// `talon plugin new`: copies a template of plugins/templates, embedded in this program, to a
// project.
#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <span>
#include <string_view>
#include <utility>

#include "base/file.h"
#include "base/json.h"
#include "base/status.h"
#include "cli/plugin_commands.h"
#include "cli/report.h"
#include "plugin/manifest.h"

namespace talon::cli {

std::span<const std::pair<std::string_view, std::string_view>> EmbeddedFiles();

namespace {

namespace fs = std::filesystem;

// The templates are projects of a plugin of this name; it is replaced wherever it stands.
constexpr std::string_view kTemplateName = "greeter";
constexpr std::string_view kClass = "Greeter";
constexpr std::string_view kPrefix = R"("TALON_PREFIX")";         // of the SDK
constexpr std::string_view kLicence = "SPDX-License-Identifier";  // ours, not the author's

void ReplaceAll(std::string& text, std::string_view from, std::string_view to) {
  for (std::size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size()) {
    text.replace(at, from.size(), to);
  }
}

// "rain-gauge" is "RainGauge".
std::string ClassName(std::string_view name) {
  std::string made;
  bool upper = true;
  for (const char c : name) {
    if (c == '-' || c == '_') {
      upper = true;
      continue;
    }
    made += upper ? static_cast<char>(std::toupper(static_cast<unsigned char>(c))) : c;
    upper = false;
  }
  return made;
}

// It becomes a folder, a module and a part of identifiers in three languages.
absl::Status CheckName(const std::string& name) {
  TALON_RETURN_IF_ERROR(plugin::CheckPluginName(name));
  const auto fits = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); };
  const auto joins = [&](char c) { return fits(c) || c == '-' || c == '_'; };
  if (!std::ranges::all_of(name, joins) || !fits(name.back()) || name[0] < 'a') {
    return InvalidArgument(fmt::format(
        "plugin '{}': a new plugin's name is of a-z 0-9 - _ and begins with a letter", name));
  }
  return absl::OkStatus();
}

// Without the line of our licence, and the empty one behind it.
std::string WithoutLicence(std::string_view text) {
  std::string kept;
  bool skip_empty = false;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size() - 1) + 1;
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(end);
    const bool licence = line.find(kLicence) != std::string_view::npos;
    if (!licence && !(skip_empty && line == "\n")) kept += line;
    skip_empty = licence;
  }
  return kept;
}

absl::Status CheckFolder(const fs::path& folder) {
  std::error_code error;
  if (!fs::exists(folder, error)) return absl::OkStatus();
  if (fs::is_directory(folder, error) && fs::is_empty(folder, error)) return absl::OkStatus();
  return absl::AlreadyExistsError(absl::StrCat(
      "make '", folder.string(), "': it is there already; choose another name, or --dir DIR"));
}

// Where talon's SDK is installed beside this program; empty when it is not.
std::string SdkPrefix() {
  std::error_code error;
  const fs::path program = fs::read_symlink("/proc/self/exe", error);
  const fs::path prefix = program.parent_path().parent_path();
  const fs::path package = prefix / "lib/cmake/talon-plugin-sdk/talon-plugin-sdkConfig.cmake";
  return !error && fs::exists(package, error) ? prefix.string() : "";
}

struct Project {
  std::string language, name;
  fs::path folder;
  std::string sdk;  // may be empty
};

absl::StatusOr<std::vector<std::string>> CopyTemplate(const Project& project) {
  const auto& [language, name, folder, sdk] = project;
  const std::string prefix = language + "/";
  std::vector<std::string> written;
  for (const auto& [path, content] : EmbeddedFiles()) {
    if (!path.starts_with(prefix)) continue;
    const fs::path target = folder / path.substr(prefix.size());
    std::string text = WithoutLicence(content);
    ReplaceAll(text, kTemplateName, name);
    ReplaceAll(text, kClass, ClassName(name));
    ReplaceAll(text, kPrefix, DumpJson(Json(sdk)));
    TALON_RETURN_IF_ERROR(MakeDirectories(target.parent_path().string(), 0755));
    TALON_RETURN_IF_ERROR(
        WriteFileAtomic(target.string(), text, text.starts_with("#!") ? 0755 : 0644));
    written.push_back(target.string());
  }
  if (written.empty()) return Internal(fmt::format("template '{}': it has no files", language));
  return written;
}

}  // namespace

int PluginNew(const Globals& globals, const std::string& name, const std::string& language,
              const std::string& directory) {
  if (absl::Status checked = CheckName(name); !checked.ok()) return Fail(globals, checked, kUsage);
  const fs::path folder = directory.empty() ? fs::path(name) : fs::path(directory);
  if (absl::Status free = CheckFolder(folder); !free.ok()) return Fail(globals, free);
  const std::string sdk = SdkPrefix();
  const auto written = CopyTemplate({language, name, folder, sdk});
  if (!written.ok()) return Fail(globals, written.status());
  if (globals.json) {
    PrintData({{"name", name}, {"folder", folder.string()}, {"files", *written}, {"sdk", sdk}});
  } else {
    Print(fmt::format("{}: {} files; {} says how to build, test and use it", folder.string(),
                      written->size(), (folder / "README.md").string()));
    if (language == "cpp" && sdk.empty()) {
      Print(
          "talon's SDK is not beside this program; `cmake --install BUILD --component sdk --prefix "
          "P`, then `export CMAKE_PREFIX_PATH=P`");
    }
  }
  return kOk;
}

}  // namespace talon::cli
