// SPDX-License-Identifier: Apache-2.0
#include "router/router.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "base/log.h"
#include "base/status.h"
#include "base/text.h"

namespace talon::router {
namespace {

constexpr std::string_view kReflexProvider = "reflex";
constexpr std::string_view kReflexName = "reflex/reflex";
constexpr std::size_t kShownName = 120;  // bytes of a name a caller made up, in our messages

// Errors that a different model or credential may not have.
bool CuredByAnother(const absl::Status& status) {
  switch (ReasonOf(status)) {
    case ErrorReason::kAuth:
    case ErrorReason::kQuota:
    case ErrorReason::kRateLimited:
    case ErrorReason::kOverloaded:
    case ErrorReason::kTransport:
    case ErrorReason::kUnknownModel:  // retired, or not of this account
      return true;
    default:
      return false;
  }
}

// Passes deltas on and remembers whether there were any.
class CountingSink : public model::DeltaSink {
 public:
  explicit CountingSink(model::DeltaSink* inner) : inner_(inner) {}
  void OnText(std::string_view text) override {
    used_ = true;
    inner_->OnText(text);
  }
  void OnReasoning(std::string_view text) override {
    used_ = true;
    inner_->OnReasoning(text);
  }
  void OnToolCall(int index, std::string_view id, std::string_view name) override {
    used_ = true;
    inner_->OnToolCall(index, id, name);
  }
  bool used() const { return used_; }

 private:
  model::DeltaSink* inner_;
  bool used_ = false;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Router>> Router::Create(const model::ModelsOptions& models,
                                                       const RoutingOptions& routing,
                                                       model::ModelDependencies dependencies) {
  return Create(models, routing,
                [&](const std::string& provider, const model::ProviderOptions& options) {
                  return model::MakeChatModel(provider, options, dependencies);
                });
}

absl::StatusOr<std::unique_ptr<Router>> Router::Create(const model::ModelsOptions& models,
                                                       const RoutingOptions& routing,
                                                       const MakeModel& make) {
  std::unique_ptr<Router> router(new Router());
  TALON_RETURN_IF_ERROR(router->AddProviders(models, make));
  TALON_RETURN_IF_ERROR(router->ReadCatalog(models));
  TALON_RETURN_IF_ERROR(router->ReadRouting(routing));
  return router;
}

absl::Status Router::AddAdapter(const std::string& name, const model::ProviderOptions& options,
                                const MakeModel& make) {
  auto adapter = make(name, options);
  if (!adapter.ok()) return Annotate(adapter.status(), fmt::format("models.providers.{}", name));
  model::ChatModel* chat = adapter->get();
  adapters_[name] = *std::move(adapter);
  wires_[name] = options.api;
  for (const model::ModelEntry& entry : options.models) {
    routes_.push_back({.provider = name,
                       .model = entry.id,
                       .alias = "",
                       .weight = 0,
                       .wire = options.api,
                       .limits = entry,
                       .chat = chat,
                       .free_prompt = options.api == model::Wire::kReflex});
  }
  return absl::OkStatus();
}

absl::Status Router::AddProviders(const model::ModelsOptions& models, const MakeModel& make) {
  for (const auto& [name, options] : models.providers) {
    if (name == kReflexProvider || name.find('/') != std::string::npos) {
      return InvalidArgument(fmt::format(
          "models.providers.{}: choose another name; '{}' is the built-in model's and '/' divides "
          "provider and model",
          name, kReflexProvider));
    }
    TALON_RETURN_IF_ERROR(AddAdapter(name, options, make));
  }
  model::ProviderOptions reflex;
  reflex.api = model::Wire::kReflex;
  reflex.models.emplace_back();
  reflex.models.back().id = kReflexProvider;
  reflex.models.back().name = "built-in reflex";
  reflex.models.back().context_window = 1'000'000;
  return AddAdapter(std::string(kReflexProvider), reflex, make);
}

Route* Router::Keep(const Route& route) {
  for (Route& known : routes_) {
    if (known.name() == route.name()) return &known;
  }
  return &routes_.emplace_back(route);
}

absl::Status Router::ReadCatalog(const model::ModelsOptions& models) {
  std::map<std::string, std::string> named;  // alias to model
  for (const auto& [name, entry] : models.catalog) {
    auto route = Resolve(name);
    if (!route.ok()) return Annotate(route.status(), fmt::format("models.catalog.{}", name));
    Route* known = Keep(*route);
    known->weight = entry.weight;
    if (entry.alias.empty()) continue;
    if (auto [other, added] = named.emplace(entry.alias, name); !added) {
      return InvalidArgument(fmt::format("models.catalog.{}.alias: '{}' already means '{}'", name,
                                         entry.alias, other->second));
    }
    known->alias = entry.alias;
  }
  return absl::OkStatus();
}

absl::Status Router::ReadRouting(const RoutingOptions& routing) {
  if (!routing.primary.empty()) {
    auto primary = Resolve(routing.primary);
    if (!primary.ok()) return Annotate(primary.status(), "routing.primary");
    default_name_ = Keep(*primary)->name();
  } else {
    const Route* best = nullptr;
    for (const Route& route : routes_) {
      if (route.wire == model::Wire::kReflex) continue;
      if (best == nullptr || route.weight > best->weight) best = &route;
    }
    default_name_ = best != nullptr ? best->name() : std::string(kReflexName);
    if (best == nullptr && provider_configured()) {
      log::Warn("the built-in model answers", {{"model", kReflexName}, {"reason", Advice()}});
    }
  }
  for (const std::string& name : routing.fallbacks) {
    auto fallback = Resolve(name);
    if (!fallback.ok()) return Annotate(fallback.status(), "routing.fallbacks");
    if (std::ranges::find(fallbacks_, fallback->name()) != fallbacks_.end()) continue;
    fallbacks_.push_back(Keep(*fallback)->name());
  }
  return absl::OkStatus();
}

absl::StatusOr<Route> Router::Resolve(std::string_view name) const {
  if (name.empty()) name = default_name_;
  std::vector<const Route*> by_id;
  for (const Route& route : routes_) {
    if (route.name() == name || (!route.alias.empty() && route.alias == name)) return route;
    if (route.model == name) by_id.push_back(&route);
  }
  if (by_id.size() == 1) return *by_id.front();
  if (by_id.size() > 1) {
    std::string offers;
    for (const Route* route : by_id) offers += (offers.empty() ? "" : ", ") + route->name();
    return MakeError(absl::StatusCode::kNotFound, ErrorReason::kUnknownModel,
                     fmt::format("model '{}' is offered more than once; say which: {}",
                                 TruncateUtf8(name, kShownName), offers));
  }
  // An unlisted model of a known provider works with default limits.
  const std::size_t slash = name.find('/');
  if (slash != std::string_view::npos && slash + 1 < name.size()) {
    const std::string provider(name.substr(0, slash));
    auto adapter = adapters_.find(provider);
    if (adapter != adapters_.end() && provider != kReflexProvider) {
      Route route;
      route.provider = provider;
      route.model = std::string(name.substr(slash + 1));
      route.wire = wires_.at(provider);
      route.limits.id = route.model;
      route.chat = adapter->second.get();
      return route;
    }
  }
  return UnknownModel(name);
}

absl::Status Router::UnknownModel(std::string_view name) const {
  constexpr std::size_t kListed = 8;
  std::vector<std::string> names;
  std::string known;
  for (const Route& route : routes_) {
    names.push_back(route.name());
    if (names.size() <= kListed) known += (known.empty() ? "" : ", ") + names.back();
  }
  for (const Route& route : routes_) {
    names.push_back(route.model);
    if (!route.alias.empty()) names.push_back(route.alias);
  }
  const std::string_view shown = TruncateUtf8(name, kShownName);
  // Only a name of sensible length is near to any; comparing takes time by length.
  const std::string_view nearest =
      shown.size() < name.size()
          ? ""
          : Nearest(name, std::vector<std::string_view>(names.begin(), names.end()));
  return MakeError(absl::StatusCode::kNotFound, ErrorReason::kUnknownModel,
                   nearest.empty()
                       ? fmt::format("unknown model '{}'; known: {}", shown, known)
                       : fmt::format("unknown model '{}'; did you mean '{}'?", shown, nearest));
}

std::vector<Route> Router::Chain(const Route& first) const {
  std::vector<Route> chain = {first};
  for (const std::string& name : fallbacks_) {
    if (name == first.name()) continue;
    if (auto route = Resolve(name); route.ok()) chain.push_back(*route);
  }
  return chain;
}

std::vector<Route> Router::List() const {
  std::vector<Route> list = routes_;
  auto first = std::find_if(list.begin(), list.end(),
                            [this](const Route& r) { return r.name() == default_name_; });
  if (first != list.end()) std::rotate(list.begin(), first, first + 1);
  return list;
}

bool Router::model_configured() const {
  const auto route = Resolve("");
  return route.ok() && route->wire != model::Wire::kReflex;
}

std::string Router::Advice() const {
  if (model_configured()) return "";
  std::string names;
  for (const auto& [name, wire] : wires_) {
    if (wire != model::Wire::kReflex) names += (names.empty() ? "" : ", ") + name;
  }
  if (names.empty()) {
    return "set the key of a provider in the environment (OPENAI_API_KEY, ANTHROPIC_API_KEY, "
           "GEMINI_API_KEY …), or add models.providers to talon.yaml";
  }
  return fmt::format(
      "a provider is configured ({}) but none of its models is chosen: set "
      "TALON_MODEL={}/<model> or routing.primary",
      names, names.substr(0, names.find(',')));
}

io::Task<absl::StatusOr<RoutedResponse>> Router::Complete(std::vector<Route> chain,
                                                          model::ChatRequest request,
                                                          CallContext context,
                                                          model::DeltaSink* sink,
                                                          MakeRequest make_request) {
  RoutedResponse result;
  absl::Status last = Internal("no model to ask");
  const std::optional<std::int64_t> asked_tokens = request.max_output_tokens;
  for (std::size_t i = 0; i < chain.size(); ++i) {
    const Route& route = chain[i];
    request.model = route.model;  // NOLINT(bugprone-use-after-move): see below
    request.max_output_tokens = asked_tokens;
    if (!asked_tokens && route.limits.max_tokens > 0) {
      request.max_output_tokens = route.limits.max_tokens;
    }
    CountingSink counting(sink);
    const bool is_last = i + 1 == chain.size();
    const bool needed_again = !is_last && make_request == nullptr;
    // Moved only where nothing follows or another request is made.
    // NOLINTNEXTLINE(bugprone-use-after-move)
    auto response = co_await route.chat->Complete(needed_again ? request : std::move(request),
                                                  context, sink != nullptr ? &counting : nullptr);
    if (response.ok()) {
      result.response = *std::move(response);
      result.route = route;
      co_return result;
    }
    last = response.status();
    if (counting.used() || !CuredByAnother(last) || context.cancel.cancelled()) break;
    if (!is_last) {
      log::Warn("model failed over", {{"model", route.name()},
                                      {"next", chain[i + 1].name()},
                                      {"reason", ErrorReasonName(ReasonOf(last))},
                                      {"trace_id", context.trace_id}});
      result.failed_over.push_back(fmt::format("{}: {}", route.name(), Message(last)));
      if (make_request == nullptr) continue;
      TALON_CO_ASSIGN_OR_RETURN(request, co_await make_request(chain[i + 1], last));
    }
  }
  if (result.failed_over.empty()) co_return last;
  co_return Annotate(last, fmt::format("no model of the chain answered ({})",
                                       fmt::join(result.failed_over, "; ")));
}

}  // namespace talon::router
