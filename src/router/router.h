// SPDX-License-Identifier: Apache-2.0
// Which model answers: names and aliases to providers, and who takes over when one fails. Owned by
// daemon/. Loop's thread.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/call_context.h"
#include "io/task.h"
#include "model/chat_model.h"
#include "model/factory.h"
#include "model/options.h"
#include "router/options.h"

namespace talon::router {

// One reachable model.
struct Route {
  std::string provider;
  std::string model;  // the provider's name for it
  std::string alias;  // may be empty
  std::uint32_t weight = 0;
  model::Wire wire = model::Wire::kOpenAi;
  model::ModelEntry limits;  // window, output limit, prices
  model::ChatModel* chat = nullptr;
  bool free_prompt = false;  // its prompt costs nothing: it is shown every tool
  std::string name() const { return provider + "/" + model; }
};

struct RoutedResponse {
  model::ChatResponse response;
  Route route;                           // who answered
  std::vector<std::string> failed_over;  // "openai/gpt: <error>" of those that did not
};

// The request as `next` is to get it, after `error` of the model before: another window wants
// another cut. May take its time, for the caller records what is sent to whom; its error ends the
// call.
using MakeRequest = std::function<io::Task<absl::StatusOr<model::ChatRequest>>(
    const Route& next, const absl::Status& error)>;

// Makes the adapter of a provider; asked once for each, and for the built-in "reflex".
using MakeModel = std::function<absl::StatusOr<std::unique_ptr<model::ChatModel>>(
    const std::string& provider, const model::ProviderOptions& options)>;

class Router {
 public:
  // Builds one adapter a provider. Errors name the configuration key.
  static absl::StatusOr<std::unique_ptr<Router>> Create(const model::ModelsOptions& models,
                                                        const RoutingOptions& routing,
                                                        const MakeModel& make);
  // With the adapters of model/factory.h.
  static absl::StatusOr<std::unique_ptr<Router>> Create(const model::ModelsOptions& models,
                                                        const RoutingOptions& routing,
                                                        model::ModelDependencies dependencies);

  // "" = the default; an alias; "provider/model", listed or not; a model id that only one provider
  // lists. NotFound/kUnknownModel names the nearest known ones.
  absl::StatusOr<Route> Resolve(std::string_view name) const;
  // `first`, then the configured fallbacks without it.
  std::vector<Route> Chain(const Route& first) const;
  // Every known model, the default first.
  std::vector<Route> List() const;
  // Whether the default is a language model and not the built-in reflex model.
  bool model_configured() const;
  bool provider_configured() const { return adapters_.size() > 1; }
  // What to do about it when it is not: which providers lack the name of a model.
  std::string Advice() const;

  // Asks the chain in order until one answers. Goes on to the next only on errors that another
  // model can cure, and only while no delta has reached `sink`. The first model gets `request`, the
  // others what `make_request` gives for them, or `request` too without one. The error is the last
  // one's and tells of those before it.
  io::Task<absl::StatusOr<RoutedResponse>> Complete(std::vector<Route> chain,
                                                    model::ChatRequest request, CallContext context,
                                                    model::DeltaSink* sink,
                                                    MakeRequest make_request = nullptr);

 private:
  Router() = default;
  absl::Status AddProviders(const model::ModelsOptions& models, const MakeModel& make);
  absl::Status AddAdapter(const std::string& name, const model::ProviderOptions& options,
                          const MakeModel& make);
  // The route among routes_, put there when it is new.
  Route* Keep(const Route& route);
  absl::Status ReadCatalog(const model::ModelsOptions& models);
  absl::Status ReadRouting(const RoutingOptions& routing);
  absl::Status UnknownModel(std::string_view name) const;

  std::map<std::string, std::unique_ptr<model::ChatModel>> adapters_;
  std::vector<Route> routes_;
  std::map<std::string, model::Wire> wires_;
  std::vector<std::string> fallbacks_;
  std::string default_name_;
};

}  // namespace talon::router
