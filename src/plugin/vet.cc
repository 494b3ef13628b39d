// SPDX-License-Identifier: Apache-2.0
#include "plugin/vet.h"

#include <utility>

#include "base/status.h"
#include "io/loop.h"
#include "plugin/handshake.h"

namespace talon::plugin {

io::Task<absl::StatusOr<Vetted>> Vet(Vetting with, std::string record, std::string path,
                                     Origin origin, Purpose purpose) {
  auto evidence = co_await with.loop.Blocking(
      [path = std::move(path), origin, purpose, digests = &with.digests, most = with.max_manifest] {
        return Examine(path, origin, *digests, most, purpose);
      });
  TALON_CO_RETURN_IF_ERROR(evidence.status());
  if (const absl::Status& book = with.trust.problem(); origin != Origin::kBundled && !book.ok()) {
    co_return MakeError(book.code(), ErrorReason::kDenied, Message(book));
  }
  const TrustRecord* known = with.trust.Find(record);
  TALON_CO_RETURN_IF_ERROR(Judge(record, origin, *evidence, known));
  Vetted vetted{.evidence = *std::move(evidence)};
  vetted.recorded = origin == Origin::kConfigured && NamedAnew(vetted.evidence, known);
  if (vetted.recorded) {
    with.trust.Put(record, {.path = vetted.evidence.program->path(),
                            .named = vetted.evidence.named,
                            .sha256 = vetted.evidence.sha256,
                            .manifest_sha256 = vetted.evidence.manifest_sha256,
                            .declared_sha256 = "",
                            .args = {},
                            .protocol = kAppProtocol,
                            .when = FormatTime(with.clock.Now())});
  }
  co_return vetted;
}

}  // namespace talon::plugin
