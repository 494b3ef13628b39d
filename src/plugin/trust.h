// SPDX-License-Identifier: Apache-2.0
// Which programs may run: <home>/plugins/plugins.lock. A bundled plugin is trusted with the
// installation. One that was found in a plugin folder runs once the operator trusts it. One whose
// path the configuration names is trusted as it is at its first start. What the lock holds is
// content (SHA-256), so that a program that was changed is refused until it is trusted again.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "plugin/program.h"

namespace talon::plugin {

// Where a plugin's program comes from.
enum class Origin { kBundled, kFolder, kConfigured };
std::string_view OriginName(Origin origin);

// What is trusted.
struct TrustRecord {
  std::string path;             // without symlinks
  std::string named;            // as the configuration or its folder names it; empty: not known
  std::string sha256;           // of the program
  std::string manifest_sha256;  // of the manifest.json beside it; empty when there is none
  std::string declared_sha256;  // of the effects and needs it declares; empty until they are known
  std::vector<std::string> args;  // with which it declares them
  int protocol = 0;
  std::string when;  // RFC 3339
};

// What a program is now, compared with its record by Judge.
struct Evidence {
  std::shared_ptr<const Program> program;
  std::string named;                    // the path it was found by
  std::string sha256;                   // empty for a bundled plugin: nothing is compared with it
  std::optional<std::string> manifest;  // the manifest.json beside it, when there is one
  std::string manifest_sha256;
};

// What is examined for: kStart makes a sealed copy, which is hashed and then runs, of a program
// that could be rewritten in between.
enum class Purpose { kLook, kStart };

// Opens the program, reads its manifest and hashes what Judge compares. Blocks.
absl::StatusOr<Evidence> Examine(const std::string& path, Origin origin, DigestCache& digests,
                                 std::size_t max_manifest, Purpose purpose = Purpose::kLook);

// The records by registry name. Loop's thread, but for Read and Write, which block.
class TrustBook {
 public:
  static constexpr std::string_view kFileName = "plugins.lock";

  // An empty book when there is no file; an error, naming the cure, for one that cannot be read or
  // that others may write: then nothing that needs a record is trusted.
  static absl::StatusOr<TrustBook> Read(const std::string& path);
  // A book that trusts nothing, for this reason, and is never written.
  static TrustBook Unreadable(absl::Status why);
  static absl::Status Write(const std::string& path, const std::string& text);
  std::string Text() const;

  const TrustRecord* Find(const std::string& plugin) const;
  // Why it trusts nothing; OK for a book that could be read.
  const absl::Status& problem() const { return problem_; }
  void Put(const std::string& plugin, TrustRecord record);
  void Remove(const std::string& plugin) { changed_ |= records_.erase(plugin) > 0; }
  bool changed() const { return changed_ && problem_.ok(); }
  void NoteWritten() { changed_ = false; }
  void NoteNotWritten() { changed_ = true; }

 private:
  std::map<std::string, TrustRecord> records_;
  bool changed_ = false;
  absl::Status problem_;
};

// Whether the operator names another path than the one of the record: what stands there is trusted
// as it is. Another file at the end of the same path is a changed program.
bool NamedAnew(const Evidence& evidence, const TrustRecord* record);

// OK when the program may run. PermissionDenied/kDenied, naming the cure, when its record is
// missing or of something else; `record` may be null.
absl::Status Judge(const std::string& plugin, Origin origin, const Evidence& evidence,
                   const TrustRecord* record);

}  // namespace talon::plugin
