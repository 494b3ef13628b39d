// SPDX-License-Identifier: Apache-2.0
#include "gateway/approvals.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <nlohmann/json.hpp>
#include <set>
#include <utility>

#include "agent/approvals.h"
#include "base/status.h"
#include "gateway/api.h"
#include "guard/effect_check.h"
#include "guard/glob.h"
#include "tool/catalogue.h"

namespace talon::gateway {
namespace {

constexpr std::string_view kApprovals = "/v1/approvals";
constexpr std::string_view kGrants = "/v1/grants";

// The owner of this machine answers for everybody.
const Principal* OwnerFor(const ApiRequest& request) {
  return request.caller.scope == plugin::Scope::kAdmin ? nullptr : &request.caller.principal;
}

// What comes behind "<collection>/"; empty when that is not one name.
std::string NameBehind(std::string_view collection, std::string_view path) {
  if (!path.starts_with(collection) || path.size() < collection.size() + 2) return "";
  const std::string_view name = path.substr(collection.size() + 1);
  const bool one = path[collection.size()] == '/' && name.find('/') == std::string_view::npos;
  return one ? std::string(name) : "";
}

Json GrantJson(const journal::GrantRecord& grant) {
  Json json = {{"id", grant.id},
               {"user", grant.principal.user},
               {"agent", grant.principal.agent},
               {"tool", grant.tool},
               {"until", FormatTime(grant.expires_at)},
               {"created_at", FormatTime(grant.created_at)},
               {"created_by", grant.created_by}};
  auto arguments = ParseJson(grant.arguments, "arguments");
  json["arguments"] = arguments.ok() ? *std::move(arguments) : Json::object();
  return json;
}

// Why the grant may allow nothing; empty when some tool fits it. Tools may still come.
std::string DoubtOf(const journal::GrantRecord& grant, const tool::Catalogue& catalogue) {
  std::set<std::string> arguments;
  bool any = false;
  for (const tool::Entry* entry : catalogue.All()) {
    const tool::ToolSpec& spec = entry->tool->spec();
    if (!guard::GlobMatches(grant.tool, spec.name)) continue;
    any = true;
    const auto schema = ParseJson(spec.schema, "schema");
    const Json* properties = schema.ok() ? JsonFind(*schema, "properties") : nullptr;
    if (properties == nullptr || !properties->is_object()) return "";  // it may take anything
    for (const auto& [name, ignored] : properties->items()) arguments.insert(name);
  }
  if (!any) {
    const std::vector<std::string> similar = catalogue.Similar(grant.tool);
    return fmt::format("no tool is called '{}' now{}{}", grant.tool,
                       similar.empty() ? "" : "; similar: ", fmt::join(similar, ", "));
  }
  const auto given = ParseJson(grant.arguments, "arguments");
  if (!given.ok()) return "";
  for (const auto& [name, glob] : given->items()) {
    if (!arguments.contains(name)) {
      return fmt::format("'{}' has no argument '{}'; it takes {}", grant.tool, name,
                         fmt::join(arguments, ", "));
    }
  }
  return "";
}

absl::Status CheckMembers(const Json& body, std::initializer_list<const char*> texts) {
  for (const char* name : texts) {
    TALON_RETURN_IF_ERROR(CheckMember(body, name, JsonKind::kString));
  }
  return absl::OkStatus();
}

}  // namespace

Json CallJson(const journal::ApprovalRecord& record) {
  Json json = {{"call_id", record.call_id},     {"tool", record.tool},
               {"arguments", record.arguments}, {"digest", record.digest},
               {"reason", record.reason},       {"factor", record.factor}};
  if (auto judgement = ParseJson(record.judgement, "judgement"); judgement.ok()) {
    json["judgement"] = *std::move(judgement);
  }
  return json;
}

Json ApprovalJson(const journal::ApprovalRecord& record) {
  Json json = CallJson(record);
  json.update({{"approval", record.id},
               {"turn", record.turn.str()},
               {"session", record.session.str()},
               {"state", journal::ApprovalStateName(record.state)},
               {"user", record.principal.user},
               {"agent", record.principal.agent},
               {"created_at", FormatTime(record.created_at)},
               {"expires_at", FormatTime(record.expires_at)}});
  if (!record.answered_by.empty()) {
    json["answered_by"] = record.answered_by;
    json["answered_at"] = FormatTime(record.answered_at);
  }
  return json;
}

io::Task<bool> ApprovalSurface::Serve(const ApiRequest& request, io::ResponseWriter& writer) {
  const std::string& path = request.path;
  const bool get = request.method == "GET", post = request.method == "POST";
  io::ServerResponse response;
  std::string name;
  if (path == kApprovals) {
    response = get ? co_await List(request) : WrongMethod(path, "GET");
  } else if (name = NameBehind(kApprovals, path); !name.empty()) {
    response = get    ? co_await Show(request, name)
               : post ? co_await Answer(request, name)
                      : WrongMethod("an approval", "GET, POST");
  } else if (path == kGrants && deps_.grants != nullptr) {
    response = get    ? co_await Grants(request)
               : post ? co_await AddGrant(request)
                      : WrongMethod(path, "GET, POST");
  } else if (name = NameBehind(kGrants, path); !name.empty() && deps_.grants != nullptr) {
    response = request.method == "DELETE" ? co_await RemoveGrant(request, name)
                                          : WrongMethod("a grant", "DELETE");
  } else if (path == "/v1/policy/explain") {
    response = post ? co_await Explain(request) : WrongMethod(path, "POST");
  } else {
    co_return false;
  }
  co_await Reply(writer, std::move(response));
  co_return true;
}

io::Task<io::ServerResponse> ApprovalSurface::List(const ApiRequest& request) {
  const std::string state = QueryValue(request.query, "state");
  if (!state.empty() && state != "open" && state != "all") {
    co_return ErrorResponse(
        InvalidArgument(fmt::format("state: '{}' is not one of open, all", state)));
  }
  const auto which =
      state == "all" ? journal::Journal::Which::kAll : journal::Journal::Which::kOpen;
  const auto records = co_await deps_.journal.ListApprovals(OwnerFor(request), which, kMaxListed);
  if (!records.ok()) co_return ErrorResponse(records.status());
  Json list = Json::array();
  for (const journal::ApprovalRecord& record : *records) list.push_back(ApprovalJson(record));
  co_return Ok({{"approvals", std::move(list)}});
}

io::Task<io::ServerResponse> ApprovalSurface::Show(const ApiRequest& request, std::string id) {
  const auto record = co_await deps_.journal.LoadApproval(id);
  if (!record.ok()) co_return ErrorResponse(record.status());
  if (OwnerFor(request) != nullptr && !IsOwn(request.caller, record->principal)) {
    co_return ErrorResponse(NotFound(fmt::format("no approval '{}'", id)));
  }
  co_return Ok(ApprovalJson(*record));
}

io::Task<io::ServerResponse> ApprovalSurface::Answer(const ApiRequest& request, std::string id) {
  const auto body = ParseJson(request.body, "request body");
  if (!body.ok()) co_return ErrorResponse(body.status());
  const absl::Status members = CheckMembers(*body, {"answer", "code", "digest"});
  if (!members.ok()) co_return ErrorResponse(members);
  const std::string answer = JsonString(*body, "answer");
  if (answer != "approve" && answer != "deny") {
    co_return ErrorResponse(
        InvalidArgument(fmt::format("answer: '{}' is not one of approve, deny", answer)));
  }
  // Who says what they saw approves that and nothing else.
  if (const std::string digest = JsonString(*body, "digest"); !digest.empty()) {
    const auto record = co_await deps_.journal.LoadApproval(id);
    if (record.ok() && record->digest != digest) {
      co_return ErrorResponse(FailedPrecondition("digest: the approval is for another call"));
    }
  }
  const auto record = co_await deps_.agent.AnswerApproval({.id = id,
                                                           .approve = answer == "approve",
                                                           .code = JsonString(*body, "code"),
                                                           .by = request.caller.principal.user},
                                                          OwnerFor(request));
  if (!record.ok()) co_return ErrorResponse(record.status());
  co_return Ok(ApprovalJson(*record));
}

io::Task<io::ServerResponse> ApprovalSurface::Grants(const ApiRequest& request) {
  (void)request;
  const auto grants = co_await deps_.grants->List();
  if (!grants.ok()) co_return ErrorResponse(grants.status());
  Json list = Json::array();
  for (const journal::GrantRecord& grant : *grants) list.push_back(GrantJson(grant));
  co_return Ok({{"grants", std::move(list)}});
}

io::Task<io::ServerResponse> ApprovalSurface::AddGrant(const ApiRequest& request) {
  const auto body = ParseJson(request.body, "request body");
  if (!body.ok()) co_return ErrorResponse(body.status());
  absl::Status members = CheckMembers(*body, {"tool", "agent", "user"});
  if (members.ok()) members = CheckMember(*body, "arguments", JsonKind::kObject);
  if (members.ok()) members = CheckMember(*body, "for_seconds", JsonKind::kCount);
  if (!members.ok()) co_return ErrorResponse(members);
  if (JsonInt(*body, "for_seconds") <= 0) {
    co_return ErrorResponse(InvalidArgument("for_seconds: missing; how long the grant holds"));
  }
  journal::GrantRecord grant;
  grant.principal = request.caller.principal;
  grant.principal.agent = JsonString(*body, "agent", grant.principal.agent);
  grant.principal.user = JsonString(*body, "user", grant.principal.user);
  grant.tool = JsonString(*body, "tool");
  const Json* arguments = JsonFind(*body, "arguments");
  grant.arguments = arguments == nullptr ? "{}" : DumpJson(*arguments);
  grant.expires_at = deps_.clock.Now() + std::chrono::seconds(JsonInt(*body, "for_seconds"));
  grant.created_by = request.caller.principal.user;
  const auto added = co_await deps_.grants->Add(std::move(grant));
  if (!added.ok()) co_return ErrorResponse(added.status());
  Json json = GrantJson(*added);
  if (std::string doubt = DoubtOf(*added, deps_.catalogue); !doubt.empty()) {
    json["warning"] = std::move(doubt);
  }
  co_return Ok(json);
}

io::Task<io::ServerResponse> ApprovalSurface::RemoveGrant(const ApiRequest& request,
                                                          std::string id) {
  const absl::Status removed = co_await deps_.grants->Remove(id, OwnerFor(request));
  if (!removed.ok()) co_return ErrorResponse(removed);
  co_return Ok({{"id", id}, {"removed", true}});
}

io::Task<io::ServerResponse> ApprovalSurface::Explain(const ApiRequest& request) {
  const auto body = ParseJson(request.body, "request body");
  if (!body.ok()) co_return ErrorResponse(body.status());
  absl::Status members = CheckMembers(*body, {"tool", "session", "message"});
  if (members.ok()) members = CheckMember(*body, "arguments", JsonKind::kObject);
  if (!members.ok()) co_return ErrorResponse(members);
  const Json* arguments = JsonFind(*body, "arguments");
  const auto checked = co_await deps_.agent.JudgeCall(
      PrincipalOf(request, "api"), JsonString(*body, "session"), JsonString(*body, "message"),
      {.id = "",
       .name = JsonString(*body, "tool"),
       .arguments = arguments == nullptr ? "{}" : DumpJson(*arguments),
       .signature = ""});
  if (!checked.ok()) co_return ErrorResponse(checked.status());
  if (checked->judgement.findings.empty()) {
    co_return ErrorResponse(InvalidArgument(checked->decision.reason));
  }
  Json json = guard::JudgementJson(checked->judgement);
  json["tool"] = checked->entry->tool->spec().name;
  json["effect"] = tool::EffectClassName(checked->entry->tool->spec().effect);
  json["tier"] = tool::TrustTier(checked->entry->tool->spec().effect);
  // The call as it stands does not run at all.
  if (checked->decision.reason != checked->judgement.reason) {
    json["problem"] = checked->decision.reason;
  }
  co_return Ok(json);
}

}  // namespace talon::gateway
