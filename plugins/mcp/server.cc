// SPDX-License-Identifier: Apache-2.0
#include "mcp/server.h"

#include <fmt/format.h>

#include <algorithm>

#include "mcp/child_plan.h"
#include "mcp/content.h"
#include "mcp/grants.h"
#include "mcp/http_wire.h"
#include "mcp/stdio_wire.h"
#include "talon/sdk/log.h"
#include "talon/sdk/text.h"

namespace talon::plugins::mcp {
namespace {

using std::chrono::milliseconds;

constexpr char kForgotten[] = "it has forgotten the session";
constexpr milliseconds kBurst{100};
constexpr milliseconds kFirstPause{500};
constexpr milliseconds kMaxPause{300'000};
constexpr milliseconds kHealthy{60'000};  // a connection that lasted so long was not the problem

// Waits on the server's own behalf: nobody is asked, the end of the server ends it.
class OwnCaller : public Caller {
 public:
  explicit OwnCaller(const Bell& stop) : stop_(stop) {}
  int cancel_fd() const override { return stop_.fd(); }

 private:
  const Bell& stop_;
};

milliseconds Pause(int failures) {
  milliseconds pause = kFirstPause;
  for (int i = 1; i < failures && pause < kMaxPause; ++i) pause *= 2;
  return std::min(pause, kMaxPause);
}

std::string FileUri(std::string_view path) {
  std::string out = "file://";
  for (const char c : path) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       std::string_view("/-._~").find(c) != std::string_view::npos;
    out += plain ? std::string(1, c) : fmt::format("%{:02X}", static_cast<unsigned char>(c));
  }
  return out;
}

}  // namespace

// What the connection's own thread has to say; outlives the connection.
struct Server::Signals {
  std::mutex mutex;  // guards all of it
  bool changed = false;
  bool deaf = false;  // changes are no longer heard of
  bool lost = false;
  std::optional<absl::Status> closed;
};

struct Server::Link {
  std::unique_ptr<Client> client;
  std::shared_ptr<Signals> signals = std::make_shared<Signals>();  // shared with the wire's thread
  Clock::time_point since = Clock::now();
};

Server::Server(ServerConfig config, ServerPlace place, std::function<void()> on_change)
    : config_(std::move(config)),
      place_(std::move(place)),
      cache_(place_.data),
      on_change_(std::move(on_change)) {
  if (config_.oauth.grant != OAuthConfig::Grant::kNone) {
    tokens_ = std::make_unique<Tokens>(
        config_.name, config_.url, config_.oauth,
        place_.data.empty() ? "" : fmt::format("{}/{}.oauth.json", place_.data, config_.name));
  }
  if (const std::optional<Listing> known = cache_.Load(config_)) {
    offers_ = MakeOffers(config_, *known);
  }
}

Server::~Server() {
  Stop();
}

void Server::Start() {
  thread_ = std::thread([this] { Run(); });
}

void Server::Stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  stop_.Ring();
  event_.Ring();
  if (thread_.joinable()) thread_.join();
}

bool Server::stopping() const {
  const std::lock_guard lock(mutex_);
  return stopping_;
}

void Server::Run() {
  int failures = 0;
  while (!stopping()) {
    absl::StatusOr<std::shared_ptr<Link>> link = Connect();
    absl::Status why = link.status();
    bool forgotten = false;
    if (link.ok()) {
      why = Serve(**link);
      forgotten = absl::IsAborted(why);
      if (Clock::now() - (*link)->since >= kHealthy) failures = 0;
      SetLink(nullptr, why, false);
      (*link)->client->Stop();
    } else {
      Publish({});  // what cannot be called is not offered
      SetLink(nullptr, why, true);
    }
    if (stopping()) break;
    sdk::Log(sdk::LogLevel::kWarn, fmt::format("server '{}': {}", config_.name, Why(why)));
    // A server that forgot its session is fine; one that does so at once is not.
    if (forgotten && failures == 0) {
      failures = 1;
      continue;
    }
    again_.Wait(stop_.fd(), Clock::now() + Pause(++failures));
  }
  SetLink(nullptr, absl::CancelledError("stopped"), true);
}

absl::StatusOr<std::shared_ptr<Server::Link>> Server::Connect() {
  auto link = std::make_shared<Link>();
  const std::shared_ptr<Signals> signals = link->signals;
  if (absl::Status seen = CheckRoots(); !seen.ok()) return seen;
  OwnCaller own(stop_);
  absl::StatusOr<std::unique_ptr<Client>> client =
      Client::Connect([this] { return MakeWire(); },
                      {.server = config_.name,
                       .protocol = config_.protocol,
                       .roots = Roots(),
                       .timeout = config_.timeout,
                       .connect_timeout = config_.start_timeout,
                       .tokens = tokens_.get()},
                      {.on_change =
                           [this, signals](const std::string& method) {
                             if (!method.ends_with("/list_changed")) return;
                             const std::lock_guard lock(signals->mutex);
                             signals->changed = true;
                             event_.Ring();
                           },
                       .on_deaf =
                           [this, signals] {
                             const std::lock_guard lock(signals->mutex);
                             signals->deaf = true;
                             event_.Ring();
                           },
                       .on_closed =
                           [this, signals](absl::Status why) {
                             Drop(signals);
                             const std::lock_guard lock(signals->mutex);
                             signals->closed = std::move(why);
                             event_.Ring();
                           }},
                      own);
  if (!client.ok()) return WithGrants(client.status());
  link->client = *std::move(client);
  absl::StatusOr<std::vector<Offer>> offers = ReadOffers(*link->client);
  if (!offers.ok()) return offers.status();
  link->client->Listen();
  const ServerInfo& info = link->client->info();
  sdk::Log(sdk::LogLevel::kInfo, fmt::format("server '{}': connected, revision {}, {} tools",
                                             config_.name, info.protocol, offers->size()));
  Publish(*std::move(offers));
  SetLink(link, absl::OkStatus(), true);
  return link;
}

// Calls from now on wait for the next connection.
void Server::Drop(const std::shared_ptr<Signals>& signals) {
  const std::lock_guard lock(mutex_);
  if (link_ == nullptr || link_->signals != signals) return;
  link_ = nullptr;  // Run holds it still
  settled_ = false;
}

absl::Status Server::Serve(Link& link) {
  auto listen_at = Clock::time_point::max();
  int deafnesses = 0;
  while (!stopping()) {
    bool changed = false;
    {
      const std::lock_guard lock(link.signals->mutex);
      if (link.signals->closed) return *link.signals->closed;
      if (link.signals->lost) return absl::AbortedError(kForgotten);
      changed = std::exchange(link.signals->changed, false);
      if (std::exchange(link.signals->deaf, false)) listen_at = Clock::now() + Pause(++deafnesses);
    }
    if (Clock::now() >= listen_at) {
      listen_at = Clock::time_point::max();
      link.client->Listen();
      changed = true;  // what happened meanwhile was not heard
    }
    if (changed && !Refresh(*link.client)) return absl::AbortedError(kForgotten);
    if (!changed) event_.Wait(stop_.fd(), listen_at);
  }
  return absl::CancelledError("stopped");
}

// False when the server has forgotten the session.
bool Server::Refresh(Client& client) {
  // Changes come in bursts, and may come without end.
  Bell burst;
  burst.Wait(stop_.fd(), Clock::now() + kBurst);
  absl::StatusOr<std::vector<Offer>> offers = ReadOffers(client);
  if (offers.ok()) {
    Publish(*std::move(offers));
  } else if (!stopping()) {
    sdk::Log(sdk::LogLevel::kWarn, fmt::format("server '{}': its tools may have changed, but: {}",
                                               config_.name, Why(offers.status())));
  }
  return !client.session_lost();
}

absl::StatusOr<std::vector<Offer>> Server::ReadOffers(Client& client) {
  OwnCaller own(stop_);
  Listing listing{.resources = client.Offers("resources"),
                  .prompts = client.Offers("prompts"),
                  .http = !config_.url.empty(),
                  .modern = client.info().modern};
  if (client.Offers("tools")) {
    absl::StatusOr<std::vector<Json>> tools = client.List("tools/list", "tools", own);
    if (!tools.ok()) return tools.status();
    listing.tools = *std::move(tools);
  }
  cache_.Save(config_, listing);
  return MakeOffers(config_, listing);
}

void Server::Publish(std::vector<Offer> offers) {
  {
    const std::lock_guard lock(mutex_);
    if (offers == offers_) return;
    offers_ = std::move(offers);
  }
  if (on_change_) on_change_();
}

void Server::SetLink(std::shared_ptr<Link> link, const absl::Status& why, bool settled) {
  const std::lock_guard lock(mutex_);
  if (link != nullptr) ++connections_;
  link_ = std::move(link);
  error_ = why;
  settled_ = settled;
  for (Bell* bell : waiting_) bell->Ring();
}

bool Server::WaitSettled(Clock::time_point deadline, int cancel_fd) {
  Bell bell;
  {
    const std::lock_guard lock(mutex_);
    waiting_.push_back(&bell);
  }
  bool settled = false;
  do {
    const std::lock_guard lock(mutex_);
    settled = settled_ || stopping_;
  } while (!settled && bell.Wait(cancel_fd, deadline) == Bell::Woken::kRung);
  const std::lock_guard lock(mutex_);
  std::erase(waiting_, &bell);
  return settled;
}

void Server::WaitOffered(Clock::time_point deadline) {
  if (offers().empty()) WaitSettled(deadline);
}

std::vector<Offer> Server::offers() const {
  const std::lock_guard lock(mutex_);
  return offers_;
}

// A connection that is being made again is waited for; one that could not be made is an error.
absl::StatusOr<std::shared_ptr<Server::Link>> Server::WaitForLink(Caller& caller) {
  WaitSettled(std::min(caller.deadline(), Clock::now() + config_.start_timeout),
              caller.cancel_fd());
  const std::lock_guard lock(mutex_);
  if (link_ != nullptr) return link_;
  return absl::UnavailableError(
      fmt::format("not connected: {}", error_.ok() ? "still starting" : Why(error_)));
}

sdk::Result Server::Call(const Offer& offer, const Json& arguments, Caller& caller) {
  for (int attempt = 0;; ++attempt) {
    absl::StatusOr<std::shared_ptr<Link>> link = WaitForLink(caller);
    absl::StatusOr<sdk::Result> result = link.ok()
                                             ? CallOnce(*(*link)->client, offer, arguments, caller)
                                             : absl::StatusOr<sdk::Result>(link.status());
    if (result.ok()) return *std::move(result);
    if (link.ok() && (*link)->client->session_lost()) {
      Drop((*link)->signals);
      {
        const std::lock_guard lock((*link)->signals->mutex);
        (*link)->signals->lost = true;
      }
      event_.Ring();
      if (attempt == 0) continue;  // the server did nothing
    }
    return sdk::Result::Error(fmt::format("server '{}': {}", config_.name, Why(result.status())));
  }
}

sdk::Result Server::SignIn(const std::string& address, const Caller& caller) {
  const auto failed = [this](std::string_view why) {
    return sdk::Result::Error(fmt::format("server '{}': {}", config_.name, why));
  };
  if (config_.oauth.grant != OAuthConfig::Grant::kConsent) return failed("nobody signs in there");
  if (address.empty()) {
    const absl::StatusOr<std::string> page = tokens_->BeginConsent(caller);
    if (!page.ok()) return failed(Why(page.status()));
    return sdk::Result::Text(fmt::format(
        "Open this page and allow the access:\n{}\nThe browser then goes to an address that begins "
        "with {} and shows no page. Copy that address and run\ntalon plugins run mcp sign_in "
        "server={} address='…'",
        *page, tokens_->redirect_uri(), config_.name));
  }
  if (const absl::Status done = tokens_->FinishConsent(address, caller); !done.ok()) {
    return failed(Why(done));
  }
  {
    const std::lock_guard lock(mutex_);
    if (link_ == nullptr) settled_ = false;
  }
  again_.Ring();
  WaitSettled(std::min(caller.deadline(), Clock::now() + config_.start_timeout),
              caller.cancel_fd());
  const State now = state();
  return sdk::Result::Text(fmt::format("signed in at '{}'; {}{}{}", config_.name, now.condition,
                                       now.error.empty() ? "" : ": ", now.error));
}

absl::StatusOr<sdk::Result> Server::CallOnce(Client& client, const Offer& offer,
                                             const Json& arguments, Caller& caller) {
  absl::StatusOr<Json> result = absl::InternalError("not called");
  switch (offer.kind) {
    case Offer::Kind::kTool:
      result = client.CallTool(offer.tool, arguments, caller);
      if (!result.ok()) break;
      return RenderToolResult(*result);
    case Offer::Kind::kReadResource:
      result = client.Ask("resources/read", {{"uri", StringOf(arguments, "uri")}}, caller);
      if (!result.ok()) break;
      return sdk::Result::Text(RenderResource(*result));
    case Offer::Kind::kGetPrompt:
      result = client.Ask("prompts/get",
                          {{"name", StringOf(arguments, "name")},
                           {"arguments", MemberOf(arguments, "arguments").is_object()
                                             ? MemberOf(arguments, "arguments")
                                             : Json::object()}},
                          caller);
      if (!result.ok()) break;
      return sdk::Result::Text(RenderPrompt(*result));
    case Offer::Kind::kListPrompts: {
      const auto prompts = client.List("prompts/list", "prompts", caller);
      if (!prompts.ok()) return prompts.status();
      return sdk::Result::Text(RenderPrompts(*prompts));
    }
    case Offer::Kind::kListResources: {
      const auto resources = client.List("resources/list", "resources", caller);
      if (!resources.ok()) return resources.status();
      // Not every server with resources has templates.
      const auto templates = client.List("resources/templates/list", "resourceTemplates", caller);
      return sdk::Result::Text(
          RenderResources(*resources, templates.ok() ? *templates : std::vector<Json>()));
    }
  }
  return result.status();
}

Server::State Server::state() const {
  const std::lock_guard lock(mutex_);
  State out{.name = config_.name,
            .where = config_.url.empty() ? config_.command : config_.url,
            .tools = offers_.size(),
            .restarts = std::max(0, connections_ - 1)};
  if (link_ != nullptr) {
    const ServerInfo& info = link_->client->info();
    out.condition = "connected";
    out.protocol = info.protocol;
    out.about =
        fmt::format("{} {}", sdk::TruncateUtf8(info.name, 80), sdk::TruncateUtf8(info.version, 40));
  } else {
    out.condition = settled_ ? "broken" : "starting";
    out.error = Why(error_);
  }
  return out;
}

Json Server::Roots() const {
  if (config_.roots.empty()) return nullptr;
  Json out = Json::array();
  for (const std::string& root : config_.roots) {
    const std::string& path = root == "workspace" ? place_.workspace : root;
    if (!path.empty()) out.push_back({{"uri", FileUri(path)}, {"name", root}});
  }
  return out;
}

// A program cannot work in a folder that the sandbox does not show it.
absl::Status Server::CheckRoots() const {
  if (config_.command.empty()) return absl::OkStatus();
  for (const std::string& root : config_.roots) {
    const std::string why = root == "workspace" ? "" : HiddenFolder(root);
    if (!why.empty()) return absl::FailedPreconditionError(fmt::format("roots: {}", why));
  }
  return absl::OkStatus();
}

absl::Status Server::WithGrants(const absl::Status& why) const {
  return {why.code(),
          Why(why) + (config_.command.empty() ? MissingNetwork()
                                              : MissingGrants(PlanChild(config_, place_.data)))};
}

std::unique_ptr<Wire> Server::MakeWire() const {
  if (!config_.url.empty()) {
    HttpOptions options{.server = config_.name, .url = config_.url};
    options.headers.assign(config_.headers.begin(), config_.headers.end());
    if (tokens_ != nullptr) options.bearer = [this] { return tokens_->bearer(); };
    return MakeHttpWire(std::move(options));
  }
  StdioOptions options{.server = config_.name, .child = PlanChild(config_, place_.data)};
  return MakeStdioWire(std::move(options));
}

}  // namespace talon::plugins::mcp
