// SPDX-License-Identifier: Apache-2.0
#include "cli/questions.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "base/status.h"
#include "base/terminal.h"
#include "cli/approval_form.h"
#include "cli/approval_text.h"
#include "cli/question_form.h"
#include "io/loop.h"

namespace talon::cli {

// Prompts go to standard error: standard output may be a file.
class Questions::Terminal {
 public:
  Terminal() : end_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}
  ~Terminal() { ::close(end_); }
  Terminal(const Terminal&) = delete;
  Terminal& operator=(const Terminal&) = delete;

  // Blocks.
  FormAnswer Ask(const Json& question) { return AskPerson(question, Reader(), &Show); }
  ApprovalAnswer AskApproval(const Json& approval) {
    return cli::AskApproval(approval, Reader(), &Show);
  }
  // Any thread. Ends what is read until Reset().
  void End() { ::eventfd_write(end_, 1); }
  void Reset() {
    std::uint64_t count = 0;
    (void)::eventfd_read(end_, &count);
  }

 private:
  static void Show(const std::string& text) { std::fprintf(stderr, "%s\n", text.c_str()); }
  ReadLine Reader() {
    return [this](const std::string& prompt) { return Read(prompt); };
  }
  // A line as the terminal gives it, edited by its own means.
  std::optional<std::string> Read(const std::string& prompt) {
    std::fprintf(stderr, "%s", prompt.c_str());
    std::string line;
    while (true) {
      pollfd fds[] = {{STDIN_FILENO, POLLIN, 0}, {end_, POLLIN, 0}};
      if (::poll(fds, 2, -1) < 0 && errno != EINTR) return std::nullopt;
      if ((fds[1].revents & POLLIN) != 0) {
        std::fprintf(stderr, "\n");
        return std::nullopt;
      }
      if (fds[0].revents == 0) continue;
      char buffer[512];
      const ssize_t size = ::read(STDIN_FILENO, buffer, sizeof(buffer));
      if (size < 0 && (errno == EINTR || errno == EAGAIN)) continue;
      if (size <= 0) return std::nullopt;
      line.append(buffer, static_cast<std::size_t>(size));
      if (line.back() == '\n') return line;
    }
  }

  const int end_;
};

Questions::Questions(Client& client) : client_(client), asking_(client.loop()) {
  if (::isatty(STDIN_FILENO) == 1 && ::isatty(STDERR_FILENO) == 1) {
    terminal_ = std::make_unique<Terminal>();
  }
}

Questions::~Questions() = default;

void Questions::OnEvent(std::string_view event, const Json& data) {
  if (event == "turn_start") {
    AnswerAt(fmt::format("/v1/turns/{}/questions/", JsonString(data, "turn")));
  } else if (event == "question") {
    open_.push_back(data);
    if (!std::exchange(asks_, true)) asking_.Spawn(AskAll());
  } else if (event == "approval") {
    OnApproval(data);
  } else if (event == "approval_missing") {
    OnApprovalMissing(data);
  } else if (event == "question_closed" || event == "approval_closed") {
    const std::string kind = event == "question_closed" ? "question" : "approval";
    const std::string id = JsonString(data, kind);
    if (reading_ && JsonString(open_.front(), kind) == id) return terminal_->End();
    std::erase_if(open_, [&](const Json& each) { return JsonString(each, kind) == id; });
  }
}

void Questions::OnApproval(const Json& data) {
  const std::string id = JsonString(data, "approval");
  if (terminal_ == nullptr) {
    std::fprintf(stderr, "talon: waits for approval %s (talon approvals show %s)\n", id.c_str(),
                 id.c_str());
    return;
  }
  open_.push_back(data);
  if (!std::exchange(asks_, true)) asking_.Spawn(AskAll());
}

void Questions::OnApprovalMissing(const Json& data) {
  Json call = {{"tool", JsonString(data, "tool")},
               {"arguments", JsonString(data, "arguments")},
               {"reason", JsonString(data, "reason")}};
  std::string told = fmt::format(
      "talon: {} was refused: it needs your approval, and nobody is here to give it: {}\n"
      "talon: `talon ask --wait` waits for `talon approvals approve`",
      JsonString(call, "tool"), JsonString(call, "reason"));
  if (std::optional<Json> grant = GrantFor(data)) {
    told += fmt::format("; to allow the like in advance:\n  {}", GrantCommand(*grant));
    call["grant"] = *std::move(grant);
  }
  std::fprintf(stderr, "%s\n", ForTerminal(told).c_str());
  unapproved_.push_back(std::move(call));
}

bool Questions::Interrupt() {
  if (reading_) terminal_->End();
  return reading_;
}

io::Task<void> Questions::Finish() {
  open_.clear();
  if (reading_) terminal_->End();
  co_await asking_.Join();
}

io::Task<void> Questions::AskAll() {
  while (!open_.empty()) {
    const Json question = open_.front();
    const bool approval = !JsonString(question, "approval").empty();
    FormAnswer answer;
    ApprovalAnswer word;
    if (terminal_ != nullptr) {
      terminal_->Reset();
      reading_ = true;
      if (approval) {
        word = co_await client_.loop().Blocking(
            [terminal = terminal_.get(), question] { return terminal->AskApproval(question); });
      } else {
        answer = co_await client_.loop().Blocking(
            [terminal = terminal_.get(), question] { return terminal->Ask(question); });
      }
      reading_ = false;
    }
    std::erase(open_, question);
    if (approval) {
      co_await ReplyApproval(question, std::move(word));
      continue;
    }
    std::string body = answer.accepted ? R"({"action":"accept")" : R"({"action":"decline")";
    if (!answer.content.empty()) body += ",\"content\":" + answer.content;
    co_await Reply(JsonString(question, "question"), body + "}");
  }
  asks_ = false;
}

// One that does not fit declines: the person need not guess what the plugin meant.
io::Task<void> Questions::Reply(std::string question, std::string body) {
  const std::string path = answers_at_ + question;
  auto taken = co_await client_.CallAsync("POST", path, std::move(body), {});
  if (absl::IsInvalidArgument(taken.status())) {
    std::fprintf(stderr, "! %s; declined\n", ForTerminal(Message(taken.status())).c_str());
    taken = co_await client_.CallAsync("POST", path, R"({"action":"decline"})", {});
  }
  // It may have been withdrawn meanwhile: that is said by the daemon, not an error.
  if (!taken.ok() && !absl::IsNotFound(taken.status())) {
    std::fprintf(stderr, "! %s\n", ForTerminal(Message(taken.status())).c_str());
  }
}

io::Task<void> Questions::ReplyApproval(Json approval, ApprovalAnswer answer) {
  using Word = ApprovalAnswer::Word;
  if (answer.word == Word::kAlways) {
    // Without it the word still holds for this call.
    const absl::Status added = co_await AddGrant(*GrantFor(approval));
    if (!added.ok()) std::fprintf(stderr, "! %s\n", ForTerminal(Message(added)).c_str());
  }
  Json body = {{"answer", answer.word == Word::kDeny ? "deny" : "approve"},
               {"digest", JsonString(approval, "digest")}};
  if (!answer.code.empty()) body["code"] = answer.code;
  const std::string path = "/v1/approvals/" + JsonString(approval, "approval");
  const auto taken = co_await client_.CallAsync("POST", path, DumpJson(body), {});
  if (taken.ok()) {
    std::fprintf(stderr, "  %s\n", answer.word == Word::kDeny ? "denied" : "approved");
  } else if (!absl::IsNotFound(taken.status())) {
    std::fprintf(stderr, "! %s\n", ForTerminal(Message(taken.status())).c_str());
    // A wrong code can be put right: the approval is still open.
    const bool again = absl::IsPermissionDenied(taken.status()) && answer.word != Word::kDeny;
    if (again) open_.push_back(std::move(approval));
  }
}

io::Task<absl::Status> Questions::AddGrant(const Json& grant) {
  auto added = co_await client_.CallAsync("POST", "/v1/grants", DumpJson(grant), {});
  if (!added.ok()) co_return added.status();
  TALON_CO_ASSIGN_OR_RETURN(const Json told, ParseJson(*added, "grant"));
  std::fprintf(stderr, "  granted until %s; `talon grants rm %s` takes it back\n",
               ForTerminal(JsonString(told, "until")).c_str(),
               ForTerminal(JsonString(told, "id")).c_str());
  co_return absl::OkStatus();
}

EventHandler AlsoAsking(Questions& questions, EventHandler on_event) {
  return [&questions, on_event = std::move(on_event)](std::string_view event, const Json& data) {
    on_event(event, data);
    questions.OnEvent(event, data);
  };
}

io::Task<absl::Status> RunAsked(Client& client, TurnRequest request, Questions& questions,
                                EventHandler on_event, CallContext context) {
  request.waits |= questions.answers();
  absl::Status status = co_await client.RunTurn(
      std::move(request), AlsoAsking(questions, std::move(on_event)), std::move(context));
  co_await questions.Finish();
  co_return status;
}

}  // namespace talon::cli
