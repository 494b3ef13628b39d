// SPDX-License-Identifier: Apache-2.0
#include "cli/guard_commands.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <vector>

#include "base/clock.h"
#include "base/json.h"
#include "base/status.h"
#include "base/terminal.h"
#include "base/text.h"
#include "cli/approval_text.h"
#include "cli/call_arguments.h"
#include "cli/report.h"
#include "guard/policy.h"
#include "io/http_types.h"

namespace talon::cli {
namespace {

struct Given {
  std::string id, code, tool, agent, user, file, call, session, message;
  std::vector<std::string> arguments;
  long hours = 24;
  bool all = false;
};

// A session by the key that somebody gave it, else by its id.
std::map<std::string, std::string> SessionKeys(Client& client) {
  std::map<std::string, std::string> keys;
  const auto sessions = Fetch(client, "/v1/sessions?named=true");
  if (!sessions.ok()) return keys;
  ForEach(*sessions, "sessions", [&](const Json& session) {
    keys[JsonString(session, "id")] = JsonString(session, "key");
  });
  return keys;
}

std::string SessionName(const std::map<std::string, std::string>& keys, const Json& approval) {
  const std::string id = JsonString(approval, "session");
  const auto key = keys.find(id);
  return key == keys.end() ? id : key->second;
}

int ApprovalsList(const Globals& globals, const Given& given) {
  auto client = Client::Connect();
  if (!client.ok()) return Fail(globals, client.status(), ConnectCode(client.status()));
  const auto listed = Fetch(**client, given.all ? "/v1/approvals?state=all" : "/v1/approvals");
  if (!listed.ok()) return Fail(globals, listed.status());
  if (globals.json) {
    PrintData(*listed);
    return kOk;
  }
  const auto keys = SessionKeys(**client);
  const WallTime now = SystemClock().Now();
  ListEach(*listed, "approvals", given.all ? "no approvals" : "no approval is open",
           [&](const Json& approval) {
             Print(fmt::format("{} {:8} {:5} {} {}\n  {}\n  session {}, {}",
                               JsonString(approval, "approval"), JsonString(approval, "state"),
                               JsonString(approval, "factor"), JsonString(approval, "tool"),
                               JsonString(approval, "arguments"), JsonString(approval, "reason"),
                               SessionName(keys, approval), AgeText(approval, now)));
           });
  return kOk;
}

// What the person said in the turn that came to the call; empty when that cannot be told.
std::string WordsBefore(Client& client, const Json& approval) {
  std::string words;
  const auto messages =
      Fetch(client, fmt::format("/v1/sessions/{}/messages", JsonString(approval, "session")));
  if (!messages.ok()) return words;
  ForEach(*messages, "messages", [&](const Json& message) {
    const Json* content = JsonFind(message, "content");
    if (content == nullptr || JsonString(message, "role") != "user" ||
        JsonString(message, "turn") != JsonString(approval, "turn")) {
      return;
    }
    ForEach(*content, "parts", [&](const Json& part) {
      if (JsonString(part, "type") == "text") words += JsonString(part, "text") + "\n";
    });
  });
  return words;
}

int ApprovalShow(const Globals& globals, const Given& given) {
  auto client = Client::Connect();
  if (!client.ok()) return Fail(globals, client.status(), ConnectCode(client.status()));
  const auto approval = Fetch(**client, "/v1/approvals/" + io::PercentEncode(given.id));
  if (!approval.ok()) return Fail(globals, approval.status());
  if (globals.json) {
    PrintData(*approval);
    return kOk;
  }
  Print(fmt::format("{} {}, {}\nsession {}, turn {}", JsonString(*approval, "approval"),
                    JsonString(*approval, "state"), AgeText(*approval, SystemClock().Now()),
                    SessionName(SessionKeys(**client), *approval), JsonString(*approval, "turn")));
  if (const std::string words = WordsBefore(**client, *approval); !words.empty()) {
    Print(fmt::format("you said: {}", TrimSpace(words)));
  }
  Print(ApprovalText(*approval));
  if (JsonString(*approval, "state") != "open") return kOk;
  if (const auto grant = GrantFor(*approval)) {
    Print(fmt::format("to allow the like in advance: {}", GrantCommand(*grant)));
  }
  return kOk;
}

int ApprovalAnswer(const Globals& globals, const Given& given, const char* answer) {
  Json body = {{"answer", answer}};
  if (!given.code.empty()) body["code"] = given.code;
  return Report(
      globals, "POST", "/v1/approvals/" + io::PercentEncode(given.id),
      [](const Json& json) {
        Print(fmt::format("{} {}", JsonString(json, "approval"), JsonString(json, "state")));
      },
      DumpJson(body));
}

int GrantsList(const Globals& globals) {
  return Report(globals, "GET", "/v1/grants", [](const Json& json) {
    ListEach(json, "grants", "no grants", [](const Json& grant) {
      const Json* arguments = JsonFind(grant, "arguments");
      Print(fmt::format(
          "{} {}/{} {} {} until {}", JsonString(grant, "id"), JsonString(grant, "user"),
          JsonString(grant, "agent"), JsonString(grant, "tool"),
          arguments == nullptr ? "{}" : DumpJson(*arguments), JsonString(grant, "until")));
    });
  });
}

int GrantAdd(const Globals& globals, const Given& given) {
  Json arguments = Json::object();
  for (const std::string& argument : given.arguments) {
    const std::size_t at = argument.find('=');
    if (at == 0 || at == std::string::npos) {
      return Fail(globals, InvalidArgument(fmt::format("'{}' is not NAME=GLOB", argument)), kUsage);
    }
    arguments[argument.substr(0, at)] = argument.substr(at + 1);
  }
  Json body = {{"tool", given.tool}, {"arguments", arguments}, {"for_seconds", given.hours * 3600}};
  if (!given.agent.empty()) body["agent"] = given.agent;
  if (!given.user.empty()) body["user"] = given.user;
  return Report(
      globals, "POST", "/v1/grants",
      [](const Json& json) {
        Print(fmt::format("{} until {}", JsonString(json, "id"), JsonString(json, "until")));
        if (const std::string doubt = JsonString(json, "warning"); !doubt.empty()) {
          std::fprintf(stderr, "talon: warning: %s\n", ForTerminal(doubt).c_str());
        }
      },
      DumpJson(body));
}

int GrantRemove(const Globals& globals, const Given& given) {
  return Report(globals, "DELETE", "/v1/grants/" + io::PercentEncode(given.id),
                [](const Json& json) { Print("removed " + JsonString(json, "id")); });
}

int PolicyCheck(const Globals& globals, const Given& given) {
  const auto policy = guard::LoadPolicy(given.file);
  if (!policy.ok()) return Fail(globals, policy.status(), kUsage);
  if (globals.json) {
    PrintData({{"rules", (*policy)->rules.size()}});
  } else {
    Print(fmt::format("{}: valid; {} rules with the built-in ones", given.file,
                      (*policy)->rules.size()));
  }
  return kOk;
}

int PolicyShow() {
  std::fwrite(guard::DefaultPolicyText().data(), 1, guard::DefaultPolicyText().size(), stdout);
  return kOk;
}

// "files__write {"path":"a"}" in one word, or the tool and its arguments as `plugins run` has them.
int PolicyExplain(const Globals& globals, const Given& given) {
  const std::size_t space = given.call.find(' ');
  std::vector<std::string> words = given.arguments;
  if (space != std::string::npos) words.insert(words.begin(), given.call.substr(space + 1));
  auto arguments = ParseCallArguments(words);
  if (!arguments.ok()) return Fail(globals, arguments.status(), kUsage);
  const Json body = {{"tool", given.call.substr(0, space)},
                     {"arguments", *std::move(arguments)},
                     {"session", given.session},
                     {"message", given.message}};
  return Report(
      globals, "POST", "/v1/policy/explain",
      [](const Json& json) {
        Print(fmt::format("{}: {} (effect {}, tier {}, context {})", JsonString(json, "tool"),
                          JsonString(json, "answer"), JsonString(json, "effect"),
                          JsonInt(json, "tier"), JsonString(json, "context")));
        if (const std::string problem = JsonString(json, "problem"); !problem.empty()) {
          Print(fmt::format("as it stands it does not run: {}; judged by what is there", problem));
        }
        if (JsonString(json, "answer") == "ask") {
          Print("approval by " + JsonString(json, "factor"));
        }
        Print(JudgementText(json));
      },
      DumpJson(body));
}

class Tree {
 public:
  Tree(const Globals& globals, std::function<int()>& run)
      : globals_(globals), run_(run), given_(std::make_shared<Given>()) {}

  CLI::App* Add(CLI::App& parent, const std::string& verb, const std::string& text,
                std::function<int(const Globals&, const Given&)> work) {
    CLI::App* command = parent.add_subcommand(verb, text);
    command->callback([&globals = globals_, &run = run_, given = given_, work = std::move(work)] {
      run = [&globals, given, work] { return work(globals, *given); };
    });
    return command;
  }
  CLI::App* AddWithId(CLI::App& parent, const std::string& verb, const std::string& text,
                      std::function<int(const Globals&, const Given&)> work) {
    CLI::App* command = Add(parent, verb, text, std::move(work));
    command->add_option("id", given_->id, "Its id, as listed")->required();
    return command;
  }
  Given& given() { return *given_; }

 private:
  const Globals& globals_;
  std::function<int()>& run_;
  std::shared_ptr<Given> given_;  // shared with the callbacks
};

void AddApprovals(CLI::App& app, Tree& tree) {
  CLI::App* approvals =
      app.add_subcommand("approvals", "Calls that wait for your word: list, show and answer them");
  approvals->require_subcommand(1);
  tree.Add(*approvals, "list", "List approvals that are open", ApprovalsList)
      ->add_flag("--all", tree.given().all, "Answered and expired ones as well");
  tree.AddWithId(*approvals, "show", "Show the exact call and where its values came from",
                 ApprovalShow);
  tree.AddWithId(*approvals, "approve", "Let the call run",
                 [](const Globals& globals, const Given& given) {
                   return ApprovalAnswer(globals, given, "approve");
                 })
      ->add_option("--code", tree.given().code, "The one-time code, where one is needed");
  tree.AddWithId(*approvals, "deny", "Refuse the call",
                 [](const Globals& globals, const Given& given) {
                   return ApprovalAnswer(globals, given, "deny");
                 });
}

void AddGrants(CLI::App& app, Tree& tree) {
  CLI::App* grants =
      app.add_subcommand("grants", "Calls that need no approval until a time, for unattended work");
  grants->require_subcommand(1);
  tree.Add(*grants, "list", "List grants",
           [](const Globals& globals, const Given&) { return GrantsList(globals); });
  CLI::App* add = tree.Add(*grants, "add", "Allow calls in advance", GrantAdd);
  add->add_option("tool", tree.given().tool, "Tool, or a glob: files__*")->required();
  add->add_option("argument", tree.given().arguments,
                  "NAME=GLOB for each argument a call may have: path='out/*' content='*'");
  add->add_option("--hours", tree.given().hours, "How long it holds")
      ->check(CLI::Range(1, 24 * 366))
      ->capture_default_str();
  add->add_option("--agent", tree.given().agent, "Whose calls (default: main)");
  add->add_option("--user", tree.given().user, "Whose turns (default: the owner's)");
  tree.AddWithId(*grants, "rm", "Take a grant back", GrantRemove);
}

void AddPolicy(CLI::App& app, Tree& tree) {
  CLI::App* policy = app.add_subcommand("policy", "Which calls run unasked: check and explain it");
  policy->require_subcommand(1);
  tree.Add(*policy, "show", "Print the built-in policy",
           [](const Globals&, const Given&) { return PolicyShow(); });
  tree.Add(*policy, "check", "Check a policy file", PolicyCheck)
      ->add_option("file", tree.given().file, "The file")
      ->required();
  CLI::App* explain =
      tree.Add(*policy, "explain", "Say what happens to a call, and why", PolicyExplain);
  explain->add_option("call", tree.given().call, "TOOL, or it and its arguments: 'TOOL {…}'")
      ->required();
  explain->add_option("arguments", tree.given().arguments,
                      "A JSON object, or key=text and key:=JSON each; some may be missing");
  explain->add_option("-s,--session", tree.given().session,
                      "As if made in this session (default: a new one)");
  explain->add_option("-m,--message", tree.given().message, "After you said this");
}

}  // namespace

void AddGuardCommands(CLI::App& app, const Globals& globals, std::function<int()>& run) {
  Tree tree(globals, run);
  AddApprovals(app, tree);
  AddGrants(app, tree);
  AddPolicy(app, tree);
}

}  // namespace talon::cli
