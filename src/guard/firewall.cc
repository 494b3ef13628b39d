// SPDX-License-Identifier: Apache-2.0
#include "guard/firewall.h"

#include <fmt/format.h>
#include <re2/re2.h>
#include <re2/set.h>
#include <utf8proc.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <utility>

#include "base/check.h"
#include "base/file.h"
#include "base/status.h"
#include "base/text.h"
#include "guard/decoded.h"
#include "guard/guard.h"
#include "guard/yaml_document.h"

namespace talon::guard {

std::optional<std::string_view> Embedded(std::string_view name);

namespace {

constexpr std::size_t kMaxRulesBytes = 1 << 20;
constexpr std::int64_t kMaxPatternMemory = 64 << 20;
constexpr double kMaxSymbols = 0.6;        // share of a message that is neither letter nor digit
constexpr std::size_t kLeastSymbols = 40;  // characters; shorter messages may be ":-)"

// Where a sentence starts. Behind a quote, or in the middle of one, words are spoken of, not said.
constexpr std::string_view kStart =
    R"((?:^|\n|(?:[.!?;]|。) ?|\b(?:please|now|bitte|por favor|s'il vous plaît) ))";

struct Rule {
  std::string id;
  ThreatLevel level = ThreatLevel::kMedium;
};

std::optional<ThreatLevel> ParseLevel(std::string_view name) {
  for (const ThreatLevel level :
       {ThreatLevel::kMedium, ThreatLevel::kHigh, ThreatLevel::kCritical}) {
    if (ThreatLevelName(level) == name) return level;
  }
  return std::nullopt;
}

// A pattern as it is matched: composed like the texts, {start} filled in.
std::string Prepared(const std::string& written) {
  std::uint8_t* composed = utf8proc_NFC(reinterpret_cast<const std::uint8_t*>(written.c_str()));
  std::string pattern = composed != nullptr ? reinterpret_cast<const char*>(composed) : written;
  std::free(composed);  // utf8proc allocates with malloc
  constexpr std::string_view kMark = "{start}";
  for (std::size_t at = pattern.find(kMark); at != std::string::npos; at = pattern.find(kMark)) {
    pattern.replace(at, kMark.size(), kStart);
  }
  return pattern;
}

bool IsLetterOrDigit(std::int32_t c) {
  switch (utf8proc_category(c)) {
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LL:
    case UTF8PROC_CATEGORY_LT:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO:
    case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_MC:
    case UTF8PROC_CATEGORY_ND:
    case UTF8PROC_CATEGORY_NL:
    case UTF8PROC_CATEGORY_NO:
      return true;
    default:
      return false;
  }
}

struct Count {
  std::size_t characters = 0;
  std::size_t symbols = 0;
};

Count CountOf(std::string_view text) {
  Count count;
  for (std::size_t at = 0; at < text.size(); ++count.characters) {
    std::int32_t code = 0;
    const utf8proc_ssize_t size =
        utf8proc_iterate(reinterpret_cast<const std::uint8_t*>(text.data()) + at,
                         static_cast<utf8proc_ssize_t>(text.size() - at), &code);
    at += static_cast<std::size_t>(std::max<utf8proc_ssize_t>(size, 1));
    const bool blank = code == ' ' || code == '\n' || code == '\t' || code == '\r';
    if (size > 0 && !blank && !IsLetterOrDigit(code)) ++count.symbols;
  }
  return count;
}

void Note(Screening& found, ThreatLevel level, std::string detection) {
  found.level = std::max(found.level, level);
  if (std::ranges::find(found.detections, detection) == found.detections.end()) {
    found.detections.push_back(std::move(detection));
  }
}

}  // namespace

std::string_view ThreatLevelName(ThreatLevel level) {
  switch (level) {
    case ThreatLevel::kNone:
      return "none";
    case ThreatLevel::kLow:
      return "low";
    case ThreatLevel::kMedium:
      return "medium";
    case ThreatLevel::kHigh:
      return "high";
    case ThreatLevel::kCritical:
      return "critical";
  }
  return "critical";
}

// All patterns of a profile in one automaton; `of[i]` is whose pattern i is.
struct Firewall::Rules {
  Rules() : patterns(Options(), RE2::UNANCHORED) {}

  static RE2::Options Options() {
    RE2::Options options;
    options.set_encoding(RE2::Options::EncodingLatin1);  // bytes: an automaton a tenth as large
    options.set_log_errors(false);
    options.set_dot_nl(true);
    options.set_max_mem(kMaxPatternMemory);
    return options;
  }

  absl::Status Add(std::string_view file, std::string_view text, std::string_view profile) {
    try {
      const std::string owned(text);
      if (const auto line = SecondDocument(owned)) {
        return InvalidArgument(fmt::format(
            "firewall rules '{}': line {}: a second document begins here; one file is one", file,
            *line));
      }
      for (const YAML::Node& node : YAML::Load(owned)) {
        TALON_RETURN_IF_ERROR(AddRule(file, node, profile));
      }
    } catch (const YAML::Exception& error) {
      return InvalidArgument(
          fmt::format("firewall rules '{}': line {}: {}", file, error.mark.line + 1, error.msg));
    }
    return absl::OkStatus();
  }

  absl::Status AddRule(std::string_view file, const YAML::Node& node, std::string_view profile) {
    Rule rule{node["id"].as<std::string>(""), ThreatLevel::kMedium};
    const auto level = ParseLevel(node["level"].as<std::string>(""));
    const YAML::Node list = node["patterns"];
    if (rule.id.empty() || !level || !list || !list.IsSequence()) {
      return InvalidArgument(
          fmt::format("firewall rules '{}': line {}: a rule has an id, a level (medium, high, "
                      "critical) and patterns",
                      file, node.Mark().line + 1));
    }
    rule.level = *level;
    const auto profiles = node["profiles"].as<std::vector<std::string>>(std::vector<std::string>());
    if (!profiles.empty() && std::ranges::find(profiles, profile) == profiles.end()) {
      return absl::OkStatus();
    }
    for (const YAML::Node& pattern : list) {
      std::string error;
      if (patterns.Add(Prepared(pattern.as<std::string>()), &error) < 0) {
        return InvalidArgument(fmt::format("firewall rules '{}': line {}: rule '{}': {}", file,
                                           pattern.Mark().line + 1, rule.id, error));
      }
      of.push_back(rule);
    }
    return absl::OkStatus();
  }

  RE2::Set patterns;
  std::vector<Rule> of;
};

Firewall::Firewall(FirewallOptions options, std::unique_ptr<Rules> rules)
    : options_(std::move(options)), rules_(std::move(rules)) {}
Firewall::~Firewall() = default;

absl::StatusOr<std::unique_ptr<Firewall>> Firewall::Create(const FirewallOptions& options) {
  auto rules = std::make_unique<Rules>();
  const std::string_view profile =
      options.profile == FirewallProfile::kStrict ? "strict" : "balanced";
  const auto built_in = Embedded("rules.yaml");
  TALON_CHECK(built_in.has_value());
  TALON_RETURN_IF_ERROR(rules->Add("built-in", *built_in, profile));
  if (!options.rules_file.empty()) {
    TALON_ASSIGN_OR_RETURN(const std::string text, ReadFile(options.rules_file, kMaxRulesBytes));
    TALON_RETURN_IF_ERROR(rules->Add(options.rules_file, text, profile));
  }
  if (!rules->patterns.Compile()) {
    return ResourceExhausted("firewall rules: their patterns need too much memory; use fewer");
  }
  return std::unique_ptr<Firewall>(new Firewall(options, std::move(rules)));
}

// A set that runs out of memory could not decide: that refuses.
void Firewall::Match(std::string_view text, std::string_view prefix, Screening& found) const {
  std::vector<int> hits;
  RE2::Set::ErrorInfo error{};
  rules_->patterns.Match(re2::StringPiece(text.data(), text.size()), &hits, &error);
  if (error.kind != RE2::Set::kNoError) Note(found, ThreatLevel::kHigh, "UNDECIDED");
  std::ranges::sort(hits);  // as the rules stand in their file
  for (const int hit : hits) {
    const Rule& rule = rules_->of[static_cast<std::size_t>(hit)];
    Note(found, rule.level, fmt::format("{}{}", prefix, rule.id));
  }
}

Screening Firewall::Screen(std::string_view untrusted) const {
  Screening found;
  const std::string text = RepairUtf8(untrusted);
  if (options_.profile == FirewallProfile::kOff) {
    found.text = text;
    return found;
  }
  const Count count = CountOf(text);
  if (count.characters > options_.max_characters) {
    Note(found, ThreatLevel::kHigh, fmt::format("LENGTH_EXCEEDED:{}", count.characters));
    return found;
  }
  const std::string normal = NormalText(text);
  Match(normal, "", found);
  if (const std::string latin = LatinText(normal); latin != normal)
    Match(latin, "LOOKALIKE_", found);
  if (const std::string html = HtmlDecoded(text); html != text) {
    Match(NormalText(html), "HTML_", found);
  }
  if (const std::string url = UrlDecoded(text); url != text) Match(NormalText(url), "URL_", found);
  for (const std::string& inner : Base64Texts(text)) Match(NormalText(inner), "BASE64_", found);
  if (const std::string tags = TagText(text); !tags.empty()) {
    Note(found, ThreatLevel::kMedium, "UNICODE_OBFUSCATION");
    Match(NormalText(tags), "UNICODE_", found);
  }
  const double share = static_cast<double>(count.symbols) /
                       static_cast<double>(std::max<std::size_t>(count.characters, 1));
  if (count.characters >= kLeastSymbols && share > kMaxSymbols) {
    Note(found, ThreatLevel::kMedium, fmt::format("HIGH_NON_ALPHANUM:{:.2f}", share));
  }
  std::size_t marks = 0;
  found.text = SanitizeUntrusted(text, &marks);
  if (marks > 0) Note(found, ThreatLevel::kMedium, "DELIMITER_INJECTION");
  return found;
}

}  // namespace talon::guard
