// SPDX-License-Identifier: Apache-2.0
#include "launch/policy.h"

#include <sys/resource.h>

#include <cstring>

namespace talon::launch {
namespace {

bool ReadNumber(const char* text, std::uint64_t max, std::uint64_t& out) {
  if (*text == '\0') return false;
  std::uint64_t number = 0;
  for (; *text != '\0'; ++text) {
    if (*text < '0' || *text > '9') return false;
    const auto digit = static_cast<std::uint64_t>(*text - '0');
    if (number > (max - digit) / 10) return false;
    number = number * 10 + digit;
  }
  out = number;
  return true;
}

bool ReadFlag(const char* text, bool& out) {
  std::uint64_t number = 0;
  if (!ReadNumber(text, 1, number)) return false;
  out = number == 1;
  return true;
}

bool ReadChoice(const char* text, const char* no, const char* yes, bool& out) {
  out = std::strcmp(text, yes) == 0;
  return out || std::strcmp(text, no) == 0;
}

bool ReadGrant(const char* text, Policy& policy) {
  if (*text == '\0' || std::strchr("rxwdsc", *text) == nullptr) return false;
  return text[1] == ':' && text[2] == '/' && policy.grants.Add({*text, text + 2});
}

bool ReadTmp(char* text, Policy& policy) {
  char* colon = std::strchr(text, ':');
  Tmp tmp;
  if (colon == nullptr || colon[1] != '/') return false;
  *colon = '\0';
  tmp.path = colon + 1;
  return ReadNumber(text, 1ULL << 40, tmp.bytes) && policy.tmps.Add(tmp);
}

bool ReadLimit(char* text, Policy& policy) {
  static constexpr struct {
    const char* name;
    int resource;
  } kNames[] = {{"as", RLIMIT_AS},          {"core", RLIMIT_CORE},     {"data", RLIMIT_DATA},
                {"fsize", RLIMIT_FSIZE},    {"nofile", RLIMIT_NOFILE}, {"nproc", RLIMIT_NPROC},
                {"memlock", RLIMIT_MEMLOCK}};
  char* space = std::strchr(text, ' ');
  if (space == nullptr) return false;
  *space = '\0';
  for (const auto& each : kNames) {
    if (std::strcmp(text, each.name) != 0) continue;
    Limit limit{each.resource};
    return ReadNumber(space + 1, 1ULL << 62, limit.value) && policy.limits.Add(limit);
  }
  return false;
}

// Which of the records that may stand once have been seen, by the letter of `once`.
struct Seen {
  std::uint32_t bits = 0;
  bool Again(int index) {
    const std::uint32_t bit = 1u << index;
    const bool again = (bits & bit) != 0;
    bits |= bit;
    return again;
  }
};

constexpr std::uint64_t kMaxId = 0xfffffffe;

bool ReadOnce(int index, char* value, Policy& policy) {
  switch (index) {
    case 0:
      return ReadNumber(value, kMaxId, policy.parent);
    case 1:
      policy.program = value;
      return *value == '/';
    case 2:
      return ReadFlag(value, policy.program_fd);
    case 3:
      policy.directory = value;
      return *value == '/';
    case 4:
      return ReadChoice(value, "default", "strict", policy.strict);
    case 5:
      return ReadFlag(value, policy.require);
    case 6:
      return ReadChoice(value, "none", "outbound", policy.outbound);
    case 7:
      policy.own_uid = true;
      return ReadNumber(value, kMaxId, policy.uid) && policy.uid != 0;
    case 8:
      return ReadNumber(value, kMaxId, policy.gid) && policy.gid != 0;
    case 9:
      return ReadFlag(value, policy.namespaces);
    case 10:
      policy.scratch = value;
      return *value == '/';
    case 11:
      return ReadFlag(value, policy.probe);
    case 12:
      return ReadFlag(value, policy.shared);
    case 13:
      return ReadFlag(value, policy.forks);
    default:
      return false;
  }
}

bool ReadRecord(char* record, Policy& policy, Seen& seen) {
  static constexpr const char* kOnce[] = {
      "parent", "program", "program_fd", "directory", "profile", "require", "network",
      "uid",    "gid",     "namespaces", "scratch",   "probe",   "shared",  "forks"};
  char* equals = std::strchr(record, '=');
  if (equals == nullptr) return false;
  *equals = '\0';
  char* value = equals + 1;
  int index = 0;
  for (const char* name : kOnce) {
    if (std::strcmp(record, name) == 0) {
      return !seen.Again(index) && ReadOnce(index, value, policy);
    }
    ++index;
  }
  if (std::strcmp(record, "arg") == 0) return policy.args.Add(value);
  if (std::strcmp(record, "env") == 0) return policy.env.Add(value);
  if (std::strcmp(record, "cgroup") == 0) return *value == '/' && policy.cgroups.Add(value);
  if (std::strcmp(record, "link") == 0) return *value == '/' && policy.links.Add(value);
  if (std::strcmp(record, "grant") == 0) return ReadGrant(value, policy);
  if (std::strcmp(record, "limit") == 0) return ReadLimit(value, policy);
  if (std::strcmp(record, "tmp") == 0) return ReadTmp(value, policy);
  return false;
}

bool Complete(Policy& policy) {
  const bool ids = !policy.own_uid || policy.gid != 0;
  return policy.parent > 1 && policy.program != nullptr && policy.directory != nullptr &&
         policy.scratch != nullptr && ids && policy.args.Add(nullptr) && policy.env.Add(nullptr);
}

}  // namespace

bool ReadPolicy(char* buffer, std::size_t size, Policy& out) {
  if (size == 0 || buffer[size - 1] != '\0') return false;
  Seen seen;
  bool first = true;
  for (char* record = buffer; record < buffer + size;) {
    char* next = record + std::strlen(record) + 1;
    if (first && std::strcmp(record, kFirstRecord) != 0) return false;
    if (!first && std::strcmp(record, kLastRecord) == 0) {
      return next == buffer + size && Complete(out);
    }
    if (!first && !ReadRecord(record, out, seen)) return false;
    first = false;
    record = next;
  }
  return false;
}

}  // namespace talon::launch
