// SPDX-License-Identifier: Apache-2.0
// The pipeline every tool call passes, in this order:
//   call:   registry → user_only → schema → effect rules                     (CheckCall)
//   result: call id and fields → UTF-8 → size limit (rest to an artifact) → forbidden patterns
//           → wrapped as [plugin_output] data                                (AdmitResult)
// Deadline and execution stand between them, in agent/. Deterministic, no I/O, fails closed. Loop's
// thread.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "base/label.h"
#include "base/principal.h"
#include "base/secret.h"
#include "base/status.h"
#include "guard/effect_check.h"
#include "guard/options.h"
#include "guard/policy.h"
#include "hook/decision.h"
#include "tool/catalogue.h"
#include "tool/tool.h"

namespace talon::guard {

struct AdmittedQuestion;

struct CallRequest {
  std::string tool;       // as the model wrote it
  std::string arguments;  // as the model wrote it
  Principal principal;
  Label context;  // join of everything in the model's context
  // Typed by the person (/tool …), not by a model. Counts for nobody who only acts for them.
  bool from_user = false;
  // What is known of where values came from; null: nothing, so no value is the person's.
  Origins provenance = nullptr;
};

struct CheckedCall {
  hook::Decision decision;
  const tool::Entry* entry = nullptr;  // set unless blocked for being unknown
  std::string arguments;               // canonical: parsed, coerced, keys sorted
  Judgement judgement;                 // where `decision` is allow or ask
};

struct AdmittedResult {
  std::string content;  // safe to put into a tool message: sanitised, wrapped
  bool is_error = false;
  Label label;
  std::string overflow;     // the whole sanitised text when it was cut; to be kept as an artifact
  std::size_t strikes = 0;  // forbidden patterns broken
  ErrorReason reason = ErrorReason::kNone;  // of AdmitError, kPluginMisbehaved for a wrong call id
};

// What a page does not show (HTML comments, elements hidden by attribute or style) and what it
// loads by itself (images from elsewhere): left as it is, or broken so that it shows and loads
// nothing.
enum class HiddenText { kKeep, kShow };

class Guard {
 public:
  // `redactor`, when there is one, takes registered secrets out of every result.
  Guard(const tool::Catalogue& catalogue, GuardOptions options, const Redactor* redactor = nullptr);
  // From the next call on, instead of the built-in policy; and the folder that an agent's relative
  // paths are meant from.
  void UsePolicy(std::shared_ptr<const Policy> policy);
  void UseWorkspace(std::string folder);
  std::shared_ptr<const Policy> policy() const { return policy_; }
  CheckedCall CheckCall(const CallRequest& request) const;
  // The same for a call that is only asked about: one whose arguments do not fit the tool's schema
  // is blocked as well, and judged as far as it goes.
  CheckedCall ExplainCall(const CallRequest& request) const;
  // `artifact_handle` is named in the notice where the text is cut.
  AdmittedResult AdmitResult(const tool::ToolSpec& spec, std::string_view expected_call_id,
                             const tool::ToolOutput& output,
                             std::string_view artifact_handle) const;
  // How the tool says its call can be undone, {"tool", "arguments"} as JSON text, to be kept with
  // the effect. Empty where nothing usable was said: no tool is declared for it, or the arguments
  // are no object, too large, or hold a secret.
  std::string AdmitCompensation(const tool::ToolSpec& spec, const tool::ToolOutput& output) const;
  // What a tool tells and asks the person while it runs; see question.h. Progress becomes one
  // harmless line.
  absl::StatusOr<AdmittedQuestion> AdmitQuestion(tool::Question question) const;
  std::string AdmitProgress(std::string_view text) const;
  // A failed execution as a result for the model.
  AdmittedResult AdmitError(const tool::ToolSpec& spec, const absl::Status& error) const;
  const GuardOptions& options() const { return options_; }

 private:
  void Judge(const CallRequest& request, CheckedCall& checked) const;
  void Cut(const tool::ToolSpec& spec, std::size_t begin, std::string_view artifact_handle,
           AdmittedResult& result) const;
  HiddenText HiddenTextOf(const tool::ToolSpec& spec) const;

  const tool::Catalogue& catalogue_;
  GuardOptions options_;
  const Redactor* redactor_;
  std::shared_ptr<const Policy> policy_;
  std::string workspace_;
};

// Text from outside made harmless: valid UTF-8, no control or invisible format characters, no
// tool-call syntax of any dialect, no delimiter of our envelopes. Nothing readable is taken away: a
// '~' behind the opener breaks a form ("[~tool_call]"), JSON stays JSON. Idempotent. Adds the
// number of forms broken to `*removed` (may be null).
std::string SanitizeUntrusted(std::string_view text, std::size_t* removed,
                              HiddenText hidden = HiddenText::kKeep);
// The same behind what `out` holds; the number of forms broken.
std::size_t AppendSanitized(std::string_view text, HiddenText hidden, std::string& out);

inline constexpr std::string_view kPluginOutputEnd = "\n[/plugin_output]";
// "[plugin_output …]\n"
std::string PluginOutputHeader(std::string_view plugin, std::string_view tool);
// Header, text, end; `sanitized` cannot contain the delimiters.
std::string WrapPluginOutput(std::string_view plugin, std::string_view tool,
                             std::string_view sanitized);
// Datamarking: every blank between the delimiters of a wrapped output as "ˆ", which its header then
// says. A model that is told so does not take marked text for instructions.
std::string MarkBlanks(std::string_view wrapped);
// What stands between the delimiters of a wrapped output, without such marks, for people.
std::string PluginOutputText(std::string_view wrapped);

}  // namespace talon::guard
