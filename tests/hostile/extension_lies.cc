// SPDX-License-Identifier: Apache-2.0
#include "extension_lies.h"

#include <algorithm>
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <utility>
#include <variant>

#include "base/ids.h"
#include "base/status.h"
#include "base/text.h"
#include "hook/hooks.h"
#include "journal/journal.h"
#include "model/source.h"
#include "model/types.h"
#include "plugin/extension/auth.h"
#include "plugin/extension/hook.h"
#include "plugin/extension/http.h"
#include "plugin/extension/notify.h"
#include "plugin/extension/options.h"
#include "plugin/extension/storage.h"
#include "plugin/plugin_model.h"
#include "store/store.h"
#include "trigger/tasks.h"

namespace talon::hostile {
namespace {

using namespace std::chrono_literals;

constexpr char kLiar[] = "liar";
constexpr std::size_t kMostMessage = 4 << 20;  // HostOptions::max_message

bool Plain(std::string_view text, std::size_t most) {
  return text.size() <= most && IsValidUtf8(text) && std::ranges::none_of(text, [](char c) {
           return static_cast<unsigned char>(c) < ' ' || c == 0x7f;
         });
}

// One use of each extension point.
class Uses {
 public:
  Uses(io::Loop& loop, const Clock& clock, plugin::Host& host, std::string folder)
      : loop_(loop), clock_(clock), host_(host), folder_(std::move(folder)) {}

  std::string Auth() {
    plugin::AuthPoint auth(host_, clock_, kLiar);
    const auto identity = loop_.RunUntilDone(auth.Authenticate({.token = "token"}, Context()));
    if (!identity.ok()) return ErrorProblem(identity.status());
    if (!Plain(identity->user, plugin::kMaxNameBytes)) return "a user's name";
    if (!Plain(identity->tenant, plugin::kMaxNameBytes)) return "a tenant's name";
    return identity->scope == plugin::Scope::kAdmin ? "a scope nobody gave" : "";
  }

  std::string Storage() {
    plugin::KeyValues values(host_, clock_, kLiar);
    const auto kept = loop_.RunUntilDone(values.Get("key", Context()));
    if (!kept.ok()) return ErrorProblem(kept.status());
    if (kept->value.size() > kMostMessage) return "a value";
    if (!Plain(kept->version, plugin::kMaxKeyBytes)) return "a version";
    if (FormatTime(kept->updated_at).size() > 32) return "a time";
    const auto put = loop_.RunUntilDone(values.Put("key", "value", {}, Context()));
    if (!put.ok()) return ErrorProblem(put.status());
    if (!Plain(*put, plugin::kMaxKeyBytes)) return "a new version";
    const auto gone = loop_.RunUntilDone(values.Delete("key", Context()));
    if (!gone.ok()) return ErrorProblem(gone.status());
    const auto page = loop_.RunUntilDone(values.List("k", "key", 10, Context()));
    if (!page.ok()) return ErrorProblem(page.status());
    const bool fits = std::ranges::all_of(page->keys, [](const std::string& key) {
      return Plain(key, plugin::kMaxKeyBytes) && key.starts_with("k") && key != "key";
    });
    if (!fits || page->keys.size() > 10) return "keys nobody asked for";
    return page->more && page->keys.empty() ? "a list without an end" : "";
  }

  std::string Notify() {
    plugin::Notifier notifier(loop_, host_, clock_, ids_, {.plugin = kLiar, .timeout = 3s});
    const auto sent = loop_.RunUntilDone(notifier.Notify({.text = "text"}, Context()));
    if (!sent.ok()) return ErrorProblem(sent.status());
    return Plain(sent->message, plugin::kMaxTitleBytes) ? "" : "a message's id";
  }

  // At start, on a journal of its own; the note of a run goes to the liar as well.
  std::string Task() {
    auto store = store::OpenSqlite(loop_, folder_, {.durability = store::Durability::kProcess});
    if (!store.ok()) return "no store: " + StatusText(store.status());
    journal::Journal journal(**store, clock_);
    plugin::Notifier notifier(loop_, host_, clock_, ids_, {.plugin = kLiar, .timeout = 3s});
    trigger::Tasks tasks({loop_, clock_, ids_, journal, host_, notifier});
    const bool ran = loop_.RunUntilDone([](io::Loop* loop, trigger::Tasks* all) -> io::Task<bool> {
      if (!(co_await all->Start()).ok()) co_return false;
      const auto done = [all] {
        return all->List().empty() || all->List().at(0).state.last_run != WallTime();
      };
      for (int i = 0; i < 600 && !done(); ++i) {
        (void)co_await loop->SleepUntil(std::chrono::steady_clock::now() + 5ms, {});
      }
      co_return done();
    }(&loop_, &tasks));
    std::string problem = ran ? "" : "it does not end";
    for (const trigger::TaskInfo& task : tasks.List()) {
      if (!Plain(task.state.last_summary, plugin::kMaxTitleBytes)) problem = "a summary";
      const auto wait = task.state.due - clock_.Now();
      if (wait < 0s || wait > std::chrono::hours(24 * 367)) problem = "when it runs next";
    }
    loop_.RunUntilDone([](trigger::Tasks* all) -> io::Task<bool> {
      co_await all->Stop();
      co_return true;
    }(&tasks));
    (*store)->Close();
    return problem;
  }

  std::string Hook() {
    hook::Hooks hooks;
    hooks.Add(std::make_unique<plugin::PluginAdviser>(host_, clock_, kLiar, 3s));
    const hook::Advice advice = loop_.RunUntilDone(
        hooks.Ask({.at = hook::Joinpoint::kResponseBeforeFinal, .value = "value"}, Context()));
    for (const hook::Remark& remark : advice.remarks) {
      if (!Plain(remark.decision.reason, 2 * plugin::kMaxTitleBytes)) return "a reason";
      for (const std::string& note : remark.decision.notes) {
        if (!Plain(note, plugin::kMaxTitleBytes)) return "a note";
      }
    }
    if (!IsValidUtf8(advice.decision.value)) return "a value";
    return Plain(advice.decision.reason, 2 * plugin::kMaxTitleBytes) ? "" : "why it is refused";
  }

  std::string Http() {
    plugin::HttpPoint http(host_, clock_);
    io::ServerRequest request;
    request.method = "GET";
    const auto answer =
        loop_.RunUntilDone(http.Handle({kLiar, "/said"}, std::move(request), Context()));
    if (!answer.ok()) return ErrorProblem(answer.status());
    if (answer->status < 200 || answer->status > 599) return "a status";
    for (const auto& [name, value] : answer->headers.items()) {
      if (!Plain(name, 256) || !Plain(value, plugin::kMaxResponseHeaderBytes)) return "a header";
    }
    return answer->body.size() > kMostMessage ? "a body" : "";
  }

  std::string Model() {
    class Heard : public model::DeltaSink {
     public:
      void OnText(std::string_view text) override { valid = valid && IsValidUtf8(text); }
      void OnReasoning(std::string_view text) override { valid = valid && IsValidUtf8(text); }
      void OnToolCall(int, std::string_view id, std::string_view name) override {
        valid = valid && IsValidUtf8(id) && IsValidUtf8(name);
      }
      bool valid = true;
    } heard;
    const auto source = plugin::MakePluginModel(host_, kLiar, kLiar);
    model::ChatRequest request;
    request.model = "parrot";
    request.messages = {model::TextMessage(model::Role::kUser, "say", Integrity::kUser)};
    const auto said = loop_.RunUntilDone(source->Complete(request, Context(), &heard));
    if (!heard.valid) return "text that is none";
    if (!said.ok()) return ErrorProblem(said.status());
    const model::Usage& usage = said->usage;
    for (const std::int64_t count :
         {usage.input_tokens, usage.output_tokens, usage.cached_input_tokens,
          usage.cache_write_tokens, usage.reasoning_tokens}) {
      if (count < 0 || count > 1'000'000'000) return "what it cost";
    }
    if (!Plain(said->model, 512) || !Plain(said->response_id, 512)) return "its name or id";
    return IsValidUtf8(model::TextOf(said->message)) ? "" : "its text";
  }

 private:
  // Errors are shown to people and models: lines of text, not more.
  static std::string ErrorProblem(const absl::Status& error) {
    const std::string_view text = Message(error);
    return text.size() <= 4096 && IsValidUtf8(text) && text.find('\x1b') == text.npos
               ? ""
               : "the text of an error";
  }
  CallContext Context() const {
    CallContext context;
    context.deadline = clock_.SteadyNow() + 3s;
    return context;
  }

  io::Loop& loop_;
  const Clock& clock_;
  plugin::Host& host_;
  const std::string folder_;
  RandomIdSource ids_;
};

}  // namespace

std::string ExtensionProblem(io::Loop& loop, const Clock& clock, plugin::Host& host,
                             const std::string& folder, const std::string& message) {
  static const std::map<std::string, std::string (Uses::*)()> uses = {
      {"AuthenticateResponse", &Uses::Auth}, {"GetResponse", &Uses::Storage},
      {"PutResponse", &Uses::Storage},       {"DeleteResponse", &Uses::Storage},
      {"ListResponse", &Uses::Storage},      {"NotifyResponse", &Uses::Notify},
      {"RunTaskResponse", &Uses::Task},      {"AdviseResponse", &Uses::Hook},
      {"HttpResponse", &Uses::Http},         {"ChatDelta", &Uses::Model}};
  const auto use = uses.find(message);
  if (use == uses.end()) return "";
  Uses all(loop, clock, host, folder);
  return (all.*use->second)();
}

}  // namespace talon::hostile
