// SPDX-License-Identifier: Apache-2.0
#include "router/router.h"

#include <algorithm>

#include "base/log.h"
#include "base/status.h"
#include "base/text.h"

namespace talon::router {
namespace {

constexpr std::string_view kReflexName = "reflex/reflex";

// Errors that a different model or credential may not have.
bool CuredByAnother(const absl::Status& status) {
  switch (ReasonOf(status)) {
    case ErrorReason::kAuth:
    case ErrorReason::kQuota:
    case ErrorReason::kRateLimited:
    case ErrorReason::kOverloaded:
    case ErrorReason::kTransport:
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
  std::unique_ptr<Router> router(new Router());
  for (const auto& [name, options] : models.providers) {
    auto adapter = model::MakeChatModel(name, options, dependencies);
    if (!adapter.ok()) return Annotate(adapter.status(), fmt::format("models.providers.{}", name));
    model::ChatModel* chat = adapter->get();
    router->adapters_[name] = *std::move(adapter);
    router->wires_[name] = options.api;
    for (const model::ModelEntry& entry : options.models) {
      router->routes_.push_back({.provider = name,
                                 .model = entry.id,
                                 .alias = "",
                                 .weight = 0,
                                 .wire = options.api,
                                 .limits = entry,
                                 .chat = chat});
    }
  }
  router->adapters_["reflex"] = model::MakeReflexModel(dependencies.clock);
  router->wires_["reflex"] = model::Wire::kReflex;
  model::ModelEntry reflex;
  reflex.id = "reflex";
  reflex.name = "built-in reflex";
  reflex.context_window = 1'000'000;
  router->routes_.push_back({.provider = "reflex",
                             .model = "reflex",
                             .alias = "",
                             .weight = 0,
                             .wire = model::Wire::kReflex,
                             .limits = reflex,
                             .chat = router->adapters_["reflex"].get()});

  for (const auto& [name, entry] : models.catalog) {
    auto route = router->Resolve(name);
    if (!route.ok()) return Annotate(route.status(), fmt::format("models.catalog.{}", name));
    auto known = std::find_if(router->routes_.begin(), router->routes_.end(),
                              [&](const Route& r) { return r.name() == route->name(); });
    if (known == router->routes_.end()) {
      router->routes_.push_back(*route);
      known = router->routes_.end() - 1;
    }
    known->alias = entry.alias;
    known->weight = entry.weight;
  }

  if (!routing.primary.empty()) {
    auto primary = router->Resolve(routing.primary);
    if (!primary.ok()) return Annotate(primary.status(), "routing.primary");
    router->default_name_ = primary->name();
  } else {
    const Route* best = nullptr;
    for (const Route& route : router->routes_) {
      if (route.wire == model::Wire::kReflex) continue;
      if (best == nullptr || route.weight > best->weight) best = &route;
    }
    router->default_name_ = best != nullptr ? best->name() : std::string(kReflexName);
  }
  for (const std::string& name : routing.fallbacks) {
    auto fallback = router->Resolve(name);
    if (!fallback.ok()) return Annotate(fallback.status(), "routing.fallbacks");
    router->fallbacks_.push_back(fallback->name());
  }
  return router;
}

absl::StatusOr<Route> Router::Resolve(std::string_view name) const {
  if (name.empty()) name = default_name_;
  const Route* by_id = nullptr;
  int id_matches = 0;
  for (const Route& route : routes_) {
    if (route.name() == name || (!route.alias.empty() && route.alias == name)) return route;
    if (route.model == name) {
      by_id = &route;
      ++id_matches;
    }
  }
  if (id_matches == 1) return *by_id;
  // An unlisted model of a known provider works with default limits.
  const std::size_t slash = name.find('/');
  if (slash != std::string_view::npos && slash + 1 < name.size()) {
    const std::string provider(name.substr(0, slash));
    auto adapter = adapters_.find(provider);
    if (adapter != adapters_.end() && provider != "reflex") {
      Route route;
      route.provider = provider;
      route.model = std::string(name.substr(slash + 1));
      route.wire = wires_.at(provider);
      route.limits.id = route.model;
      route.chat = adapter->second.get();
      return route;
    }
  }
  std::vector<std::string> names;
  for (const Route& route : routes_) {
    names.push_back(route.name());
    if (!route.alias.empty()) names.push_back(route.alias);
  }
  std::string known;
  for (std::size_t i = 0; i < names.size() && i < 8; ++i) known += (i ? ", " : "") + names[i];
  std::vector<std::string_view> views(names.begin(), names.end());
  const std::string_view nearest = Nearest(name, views);
  return MakeError(absl::StatusCode::kNotFound, ErrorReason::kUnknownModel,
                   nearest.empty()
                       ? fmt::format("unknown model '{}'; known: {}", name, known)
                       : fmt::format("unknown model '{}'; did you mean '{}'?", name, nearest));
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

bool Router::only_reflex() const {
  return adapters_.size() == 1;
}

io::Task<absl::StatusOr<RoutedResponse>> Router::Complete(std::vector<Route> chain,
                                                          model::ChatRequest request,
                                                          CallContext context,
                                                          model::DeltaSink* sink) {
  RoutedResponse result;
  absl::Status last = Internal("no model to ask");
  for (std::size_t i = 0; i < chain.size(); ++i) {
    const Route& route = chain[i];
    request.model = route.model;
    if (!request.max_output_tokens && route.limits.max_tokens > 0) {
      request.max_output_tokens = route.limits.max_tokens;
    }
    CountingSink counting(sink);
    const bool is_last = i + 1 == chain.size();
    auto response = co_await route.chat->Complete(is_last ? std::move(request) : request, context,
                                                  sink != nullptr ? &counting : nullptr);
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
    }
  }
  co_return last;
}

}  // namespace talon::router
