// SPDX-License-Identifier: Apache-2.0
#include "plugin/program.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>

#include "base/digest.h"
#include "base/file.h"
#include "base/status.h"
#include "plugin/trust.h"
#include "tests/support/temp_folder.h"

namespace talon::plugin {
namespace {

namespace fs = std::filesystem;

class ProgramTest : public testing::Test {
 protected:
  ProgramTest() { Write("program", "#!/bin/sh\n"); }
  std::string Write(const std::string& name, const std::string& content) {
    const std::string path = folder_ / name;
    EXPECT_TRUE(WriteFileAtomic(path, content, 0755).ok());
    return path;
  }
  std::string Problem(const std::string& path) {
    const auto program = Program::Open(path);
    return program.ok() ? "" : std::string(Message(program.status()));
  }

  test::TempFolder folder_{test::Where::kMemory};
};

TEST_F(ProgramTest, SymlinksAreResolvedAndWhatIsOpenIsHashed) {
  fs::create_symlink(folder_ / "program", folder_ / "link");
  const auto program = Program::Open(folder_ / "link");
  ASSERT_TRUE(program.ok()) << program.status();
  EXPECT_EQ((*program)->path(), folder_ / "program");
  EXPECT_FALSE((*program)->runs_by_descriptor());
  EXPECT_TRUE((*program)->Unchanged());
  Write("program", "#!/bin/sh\nevil\n");  // another file of this name
  DigestCache digests;
  EXPECT_EQ(*(*program)->Sha256(digests), Sha256Hex("#!/bin/sh\n"));
  EXPECT_FALSE((*program)->Unchanged());
  EXPECT_TRUE((*Program::Open("/proc/self/exe"))->runs_by_descriptor());
}

// As the user who runs the test and owns the file; root becomes another for it, since what is
// root's is not copied.
class OwnedProgramTest : public ProgramTest {
 protected:
  OwnedProgramTest() : elf_(*ReadFile("/bin/true", 1 << 20)), path_(Write("true", elf_)) {
    if (!root_) return;
    EXPECT_EQ(::chown(path_.c_str(), kOwner, kOwner), 0);
    EXPECT_EQ(::chown(folder_.path().c_str(), kOwner, kOwner), 0);
    EXPECT_EQ(::seteuid(kOwner), 0);
  }
  ~OwnedProgramTest() override {
    if (root_) EXPECT_EQ(::seteuid(0), 0);
  }
  // In place, which leaves it the same file.
  void Rewrite() {
    const int file = ::open(path_.c_str(), O_WRONLY | O_TRUNC | O_CLOEXEC);
    ASSERT_EQ(::write(file, "#!/bin/false\n", 13), 13);
    ::close(file);
  }
  // How a process of it ends: what talon-launch does.
  static int Execute(const Program& program) {
    const pid_t child = ::fork();
    if (child == 0) {
      char* const none[] = {nullptr};
      ::syscall(SYS_execveat, program.fd(), "", none, none, AT_EMPTY_PATH);
      ::_exit(42);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }

  static constexpr uid_t kOwner = 65500;
  const bool root_ = ::geteuid() == 0;
  const std::string elf_, path_;
  DigestCache digests_;
};

TEST_F(OwnedProgramTest, ARewriteBetweenCheckAndStartRunsWhatWasChecked) {
  const auto evidence = Examine(path_, Origin::kConfigured, digests_, 1 << 20, Purpose::kStart);
  ASSERT_TRUE(evidence.ok()) << evidence.status();
  EXPECT_EQ(evidence->sha256, Sha256Hex(elf_));
  const Program& program = *evidence->program;
  EXPECT_EQ(program.path(), path_);
  Rewrite();
  EXPECT_TRUE(program.Unchanged());
  EXPECT_EQ(*program.Sha256(digests_), Sha256Hex(elf_));
  std::string held(elf_.size() + 1, 0);
  EXPECT_EQ(::pread(program.fd(), held.data(), held.size(), 0), static_cast<ssize_t>(elf_.size()));
  held.resize(elf_.size());
  EXPECT_EQ(Sha256Hex(held), Sha256Hex(elf_));
  EXPECT_EQ(Execute(program), 0);
  const std::string again = fmt::format("/proc/self/fd/{}", program.fd());
  const int writer = ::open(again.c_str(), O_WRONLY | O_CLOEXEC);
  EXPECT_LT(::write(writer, "x", 1), 0) << "it was changed";
  EXPECT_NE(::ftruncate(writer, 0), 0) << "it was cut";
  ::close(writer);
}

TEST(ExamineTest, WhereAnExampleWasLookedForIsTold) {
  DigestCache digests;
  const auto none = Examine("/nowhere/lib/plugins/hook_wrds/hook_wrds", Origin::kBundled, digests,
                            1 << 20, Purpose::kStart);
  EXPECT_EQ(none.status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(none.status().message()),
              testing::HasSubstr("no 'hook_wrds' in '/nowhere/lib/plugins', and no such example in "
                                 "'/nowhere/lib/examples'"));
}

TEST_F(OwnedProgramTest, WhatIsOnlyLookedAtOrOfNoRecordIsNotCopied) {
  for (const auto& [origin, purpose] : {std::pair{Origin::kConfigured, Purpose::kLook},
                                        std::pair{Origin::kBundled, Purpose::kStart}}) {
    const auto evidence = Examine(path_, origin, digests_, 1 << 20, purpose);
    ASSERT_TRUE(evidence.ok()) << evidence.status();
    EXPECT_TRUE(evidence->program->Unchanged());
    Rewrite();
    EXPECT_FALSE(evidence->program->Unchanged());
    const int file = ::open(path_.c_str(), O_WRONLY | O_TRUNC | O_CLOEXEC);
    ASSERT_EQ(::write(file, elf_.data(), elf_.size()), static_cast<ssize_t>(elf_.size()));
    ::close(file);
  }
}

TEST_F(ProgramTest, NobodyElseMayWriteItOrWhatIsAboveIt) {
  const std::string path = folder_ / "program";
  EXPECT_EQ(Problem(path), "");
  fs::permissions(path, fs::perms::others_write, fs::perm_options::add);
  EXPECT_NE(Problem(path).find("chmod go-w"), std::string::npos);
  fs::permissions(path, fs::perms::others_write, fs::perm_options::remove);
  fs::permissions(folder_.path(), fs::perms::others_write, fs::perm_options::add);
  EXPECT_NE(Problem(path).find("can be written by others"), std::string::npos);
  fs::permissions(folder_.path(), fs::perms::sticky_bit, fs::perm_options::add);
  EXPECT_EQ(Problem(path), "");  // like /tmp: only the owner can replace what is in it
}

TEST_F(ProgramTest, NobodyElseMayWriteWhereALinkStands) {
  const std::string open = folder_ / "open";
  fs::create_directory(open);
  fs::permissions(open, fs::perms::others_write, fs::perm_options::add);
  fs::create_symlink(folder_ / "program", open + "/link");
  EXPECT_NE(Problem(open + "/link").find("'" + open + "'"), std::string::npos);
  // Nor where a link leads on the way.
  fs::create_symlink("open/../program", folder_ / "by");
  EXPECT_NE(Problem(folder_ / "by").find("can be written by others"), std::string::npos);
  fs::permissions(open, fs::perms::others_write, fs::perm_options::remove);
  EXPECT_EQ(Problem(open + "/link"), "");
  EXPECT_EQ((*Program::Open(folder_ / "by"))->path(), folder_ / "program");
  fs::create_symlink("loop", folder_ / "loop");
  EXPECT_NE(Problem(folder_ / "loop").find("find"), std::string::npos);
}

TEST_F(ProgramTest, AGroupMayWriteWhenItIsTheOwnersOwn) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root, to give files to others";
  const std::string path = folder_ / "program";
  fs::permissions(path, fs::perms::group_write, fs::perm_options::add);
  EXPECT_EQ(Problem(path), "");
  ASSERT_EQ(::chown(path.c_str(), 0, 12345), 0);
  EXPECT_NE(Problem(path).find("can be written by others"), std::string::npos);
  ASSERT_EQ(::chown(path.c_str(), 12345, 0), 0);
  EXPECT_NE(Problem(path).find("belongs to user 12345"), std::string::npos);
}

TEST_F(ProgramTest, WhatIsNoFileIsRefused) {
  EXPECT_NE(Problem(folder_.path()).find("not a regular file"), std::string::npos);
  ASSERT_EQ(::mkfifo((folder_ / "pipe").c_str(), 0700), 0);
  EXPECT_NE(Problem(folder_ / "pipe").find("not a regular file"), std::string::npos);
  EXPECT_NE(Problem(folder_ / "none").find("find"), std::string::npos);
}

TEST_F(ProgramTest, ADigestIsRememberedUntilTheFileChanges) {
  DigestCache digests;
  const std::string path = Write("big", std::string(300'000, 'a'));
  const auto digest = [&] {
    const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    const auto text = digests.Of(fd, path);
    ::close(fd);
    return text.ok() ? *text : StatusText(text.status());
  };
  EXPECT_EQ(digest(), Sha256Hex(std::string(300'000, 'a')));
  EXPECT_EQ(digest(), Sha256Hex(std::string(300'000, 'a')));
  // In place, with the size and the time of modification put back.
  struct stat before{};
  ASSERT_EQ(::stat(path.c_str(), &before), 0);
  const int fd = ::open(path.c_str(), O_WRONLY | O_CLOEXEC);
  ASSERT_EQ(::pwrite(fd, "b", 1, 5), 1);
  const timespec times[2] = {before.st_atim, before.st_mtim};
  ASSERT_EQ(::futimens(fd, times), 0);
  ::close(fd);
  EXPECT_NE(digest(), Sha256Hex(std::string(300'000, 'a')));
}

}  // namespace
}  // namespace talon::plugin
