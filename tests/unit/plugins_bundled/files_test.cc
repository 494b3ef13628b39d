// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "files/files_plugin.h"
#include "talon/sdk/testing.h"
#include "tests/unit/plugins_bundled/scratch.h"

namespace talon::plugins {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using testing::HasSubstr;
using testing::Not;

class FilesTest : public testing::Test {
 protected:
  FilesTest() : harness_(MakeFilesPlugin()) {
    fs::create_directory(outer_.At("ws"));
    outer_.Write("secret.txt", "secret");
    configured_ = harness_.Configure(R"({"max_read_bytes":2000,"max_entries":20})",
                                     {.workspace = outer_.At("ws")});
  }
  void SetUp() override { ASSERT_TRUE(configured_.ok()) << configured_; }

  sdk::Result Call(const std::string& tool, const json& args) {
    return harness_.Execute(tool, args.dump()).value();
  }
  std::string Error(const std::string& tool, const json& args) { return Call(tool, args).error; }
  std::string Text(const std::string& tool, const json& args) {
    const sdk::Result result = Call(tool, args);
    EXPECT_EQ(result.error, "") << tool << args;
    return result.content;
  }
  std::string Ws(const std::string& name) { return "ws/" + name; }

  test::Scratch outer_;
  sdk::PluginHarness harness_;
  absl::Status configured_;
};

TEST_F(FilesTest, ReadsWindowsOfLines) {
  outer_.Write(Ws("a.txt"), "one\ntwo\nthree\nfour");
  EXPECT_EQ(Text("read", {{"path", "a.txt"}}), "one\ntwo\nthree\nfour");
  EXPECT_EQ(Text("read", {{"path", "./a.txt"}, {"offset", 2}, {"limit", 2}}),
            "two\nthree\n[file of 18 bytes goes on; next offset 4]");
  EXPECT_EQ(Text("read", {{"path", "a.txt"}, {"offset", 4}}), "four");
  EXPECT_EQ(Error("read", {{"path", "a.txt"}, {"offset", 5}}), "'a.txt': has only 4 lines");
  EXPECT_EQ(Text("read", {{"path", outer_.At("ws/a.txt")}, {"limit", 1}}),
            "one\n[file of 18 bytes goes on; next offset 2]");
  outer_.Write(Ws("empty"), "");
  EXPECT_EQ(Text("read", {{"path", "empty"}}), "[empty file]");
}

TEST_F(FilesTest, ReadCutsAtWholeLines) {
  std::string text;
  for (int i = 1; i <= 400; ++i) text += "line " + std::to_string(i) + "\n";
  outer_.Write(Ws("long.txt"), text);
  const std::string first = Text("read", {{"path", "long.txt"}});
  EXPECT_LT(first.size(), 2100u);
  const std::size_t at = first.find("next offset ");
  ASSERT_NE(at, std::string::npos);
  const int next = std::stoi(first.substr(at + 12));
  EXPECT_THAT(Text("read", {{"path", "long.txt"}, {"offset", next}, {"limit", 1}}),
              testing::StartsWith("line " + std::to_string(next) + "\n"));
  outer_.Write(Ws("wide.txt"), std::string(1999, 'x') + "ü" + std::string(5000, 'y'));
  EXPECT_THAT(Text("read", {{"path", "wide.txt"}}),
              HasSubstr("x\n[line 1 is too long and was cut"));
}

TEST_F(FilesTest, HugeSparseFileIsNotLoaded) {
  outer_.Write(Ws("huge.txt"), "start\n");
  fs::resize_file(outer_.At("ws/huge.txt"), 1ULL << 40);
  EXPECT_THAT(Error("read", {{"path", "huge.txt"}}), HasSubstr("binary file of 1024.0 GB"));
  EXPECT_THAT(Error("edit", {{"path", "huge.txt"}, {"old", "start"}, {"new", "x"}}),
              HasSubstr("larger than the limit"));
  EXPECT_THAT(Text("search", {{"query", "start"}}), HasSubstr("skipped"));
}

TEST_F(FilesTest, NothingOutsideIsReached) {
  fs::create_symlink("../secret.txt", outer_.At("ws/link"));
  fs::create_symlink(outer_.At("secret.txt"), outer_.At("ws/absolute"));
  fs::create_directory_symlink("..", outer_.At("ws/up"));
  fs::create_symlink("/proc/self/root", outer_.At("ws/root"));
  fs::create_symlink("loop", outer_.At("ws/loop"));
  for (const std::string path :
       {"../secret.txt", "a/../../secret.txt", "link", "absolute", "up/secret.txt", "/etc/passwd",
        "root/etc/passwd", "/proc/self/environ", "../ws/../secret.txt", "loop"}) {
    fs::create_directories(outer_.At("ws/a"));
    EXPECT_NE(Error("read", {{"path", path}}), "") << path;
    EXPECT_NE(Error("list", {{"path", path}}), "") << path;
    EXPECT_NE(Error("search", {{"path", path}, {"query", "s"}}), "") << path;
    EXPECT_NE(Error("write", {{"path", path}, {"content", "x"}}), "") << path;
    EXPECT_NE(Error("edit", {{"path", path}, {"old", "s"}, {"new", "x"}}), "") << path;
  }
  EXPECT_EQ(outer_.Read("secret.txt"), "secret");
  EXPECT_THAT(Error("write", {{"path", "up/new.txt"}, {"content", "x"}}),
              HasSubstr("outside the workspace"));
  EXPECT_THAT(Error("write", {{"path", "up/new/new.txt"}, {"content", "x"}}),
              HasSubstr("outside the workspace"));
  EXPECT_FALSE(outer_.Has("new.txt"));
  EXPECT_FALSE(outer_.Has("new"));
  EXPECT_THAT(Error("read", {{"path", std::string("a\0b", 3)}}), HasSubstr("NUL"));
  // A folder whose name begins like the workspace's.
  fs::create_directory(outer_.At("ws2"));
  EXPECT_THAT(Error("list", {{"path", outer_.At("ws2")}}), HasSubstr("outside the workspace"));
}

TEST_F(FilesTest, LinksThatStayInsideAreFollowed) {
  outer_.Write(Ws("real/a.txt"), "inside");
  fs::create_directory_symlink("real", outer_.At("ws/alias"));
  fs::create_symlink("../real/a.txt", outer_.At("ws/real/self"));
  EXPECT_EQ(Text("read", {{"path", "alias/a.txt"}}), "inside");
  Text("write", {{"path", "alias/self"}, {"content", "new"}});
  EXPECT_EQ(outer_.Read(Ws("real/a.txt")), "new");
  EXPECT_TRUE(fs::is_symlink(outer_.At("ws/real/self")));
}

TEST_F(FilesTest, SpecialFilesAreRefusedWithoutWaiting) {
  ASSERT_EQ(mkfifo(outer_.At("ws/fifo").c_str(), 0600), 0);
  EXPECT_THAT(Error("read", {{"path", "fifo"}}), HasSubstr("not a regular file"));
  EXPECT_THAT(Error("write", {{"path", "fifo"}, {"content", "x"}}),
              HasSubstr("not a regular file"));
  EXPECT_THAT(Error("edit", {{"path", "fifo"}, {"old", "x"}, {"new", "y"}}),
              HasSubstr("not a regular file"));
  EXPECT_THAT(Text("search", {{"query", "x"}}), HasSubstr("no matches"));
  EXPECT_THAT(Text("list", json::object()), HasSubstr("fifo (no regular file)"));
  EXPECT_THAT(Error("read", {{"path", "."}}), HasSubstr("is a folder"));
  EXPECT_THAT(Error("write", {{"path", "a/"}, {"content", "x"}}), HasSubstr("is a folder"));
}

TEST_F(FilesTest, WritesAtomicallyAndMakesFolders) {
  EXPECT_EQ(Text("write", {{"path", "x/y/z.txt"}, {"content", "hello"}}),
            "created x/y/z.txt (5 bytes)");
  EXPECT_EQ(outer_.Read(Ws("x/y/z.txt")), "hello");
  chmod(outer_.At("ws/x/y/z.txt").c_str(), 0640);
  EXPECT_THAT(Text("write", {{"path", "x/y/z.txt"}, {"content", "bye"}}), HasSubstr("replaced"));
  EXPECT_EQ(outer_.Read(Ws("x/y/z.txt")), "bye");
  struct stat before = {}, after = {};
  stat(outer_.At("ws/x/y/z.txt").c_str(), &before);
  EXPECT_EQ(before.st_mode & 0777, 0640u);
  EXPECT_THAT(Text("write", {{"path", "x/y/z.txt"}, {"content", "bye"}}), HasSubstr("already"));
  stat(outer_.At("ws/x/y/z.txt").c_str(), &after);
  EXPECT_EQ(before.st_ino, after.st_ino);
  EXPECT_THAT(Error("write", {{"path", "x/y/z.txt/no"}, {"content", "x"}}),
              HasSubstr("a part of the path is no folder"));
  EXPECT_EQ(std::distance(fs::directory_iterator(outer_.At("ws/x/y")), {}), 1);
}

TEST_F(FilesTest, EditReplacesExactlyOnePlace) {
  outer_.Write(Ws("c.cc"), "int a;\n  int b;\nint c;\nint a2;\n");
  EXPECT_EQ(Text("edit", {{"path", "c.cc"}, {"old", "int b;"}, {"new", "long b;"}}),
            "c.cc: replaced 1 place (line 2)");
  EXPECT_EQ(outer_.Read(Ws("c.cc")), "int a;\n  long b;\nint c;\nint a2;\n");
  EXPECT_THAT(Error("edit", {{"path", "c.cc"}, {"old", "int a"}, {"new", "x"}}),
              HasSubstr("occurs 2 times (lines 1, 4)"));
  EXPECT_THAT(Error("edit", {{"path", "c.cc"}, {"old", "long  b;"}, {"new", "x"}}),
              HasSubstr("does not occur"));
  EXPECT_THAT(Error("edit", {{"path", "c.cc"}, {"old", "    long b;\nint z;"}, {"new", "x"}}),
              HasSubstr("line 2 is:   long b;"));
  EXPECT_THAT(Error("edit", {{"path", "c.cc"}, {"old", ""}, {"new", "x"}}), HasSubstr("empty"));
  EXPECT_THAT(Error("edit", {{"path", "c.cc"}, {"old", "x"}, {"new", "x"}}), HasSubstr("same"));
  EXPECT_EQ(Text("edit", {{"path", "c.cc"}, {"old", "int"}, {"new", "char"}, {"all", true}}),
            "c.cc: replaced 3 places (lines 1, 3, 4)");
  EXPECT_EQ(outer_.Read(Ws("c.cc")), "char a;\n  long b;\nchar c;\nchar a2;\n");
  outer_.Write(Ws("big"), std::string(4'000'000, 'a'));
  EXPECT_THAT(Error("edit", {{"path", "big"}, {"old", "a"}, {"new", "aaaa"}, {"all", true}}),
              HasSubstr("grow beyond the limit"));
  EXPECT_THAT(Error("edit", {{"path", "no.cc"}, {"old", "x"}, {"new", "y"}}), HasSubstr("no such"));
}

TEST_F(FilesTest, EditKeepsCarriageReturns) {
  outer_.Write(Ws("dos.txt"), "a\r\nb\r\nc\r\n");
  Text("edit", {{"path", "dos.txt"}, {"old", "a\nb\n"}, {"new", "x\ny\n"}});
  EXPECT_EQ(outer_.Read(Ws("dos.txt")), "x\r\ny\r\nc\r\n");
}

TEST_F(FilesTest, ListsWithDepthSizesAndLimit) {
  outer_.Write(Ws("b.txt"), "12345");
  outer_.Write(Ws("sub/deep/x"), "1");
  outer_.Write(Ws(".git/config"), "1");
  fs::create_symlink("b.txt", outer_.At("ws/l"));
  EXPECT_EQ(Text("list", json::object()), ".git/\nb.txt 5\nl (link)\nsub/\n");
  EXPECT_EQ(Text("list", {{"depth", 9}}),
            ".git/\nb.txt 5\nl (link)\nsub/\nsub/deep/\nsub/deep/x 1\n");
  EXPECT_EQ(Text("list", {{"path", "sub/"}, {"depth", 2}}), "sub/deep/\nsub/deep/x 1\n");
  EXPECT_THAT(Error("list", {{"path", "b.txt"}}), HasSubstr("no folder"));
  fs::create_directory(outer_.At("ws/e"));
  EXPECT_EQ(Text("list", {{"path", "e"}}), "[empty folder]");
  for (int i = 0; i < 30; ++i) outer_.Write(Ws("many/" + std::to_string(i)), "");
  EXPECT_THAT(Text("list", {{"path", "many"}}), HasSubstr("[cut after 20 entries"));
}

TEST_F(FilesTest, SearchesLiterallyAndByPattern) {
  outer_.Write(Ws("a.txt"), "x.y\nxzy\n\nend x.y");
  outer_.Write(Ws("sub/b.txt"), "nothing\r\nfoo x.y bar\r\n");
  outer_.Write(Ws("bin"), std::string("x.y\0", 4));
  outer_.Write(Ws(".git/c"), "x.y");
  EXPECT_EQ(Text("search", {{"query", "x.y"}}),
            "a.txt:1:x.y\na.txt:4:end x.y\nsub/b.txt:2:foo x.y bar\n"
            "[1 binary, large or unreadable files skipped]");
  EXPECT_EQ(Text("search", {{"query", "^x.y$"}, {"regex", true}, {"path", "a.txt"}}),
            "a.txt:1:x.y\na.txt:2:xzy\n");
  EXPECT_EQ(Text("search", {{"query", "y\\s+x"}, {"regex", true}, {"path", "a.txt"}}),
            "no matches");
  EXPECT_THAT(Error("search", {{"query", "("}, {"regex", true}}), HasSubstr("RE2"));
  EXPECT_THAT(Error("search", {{"query", ""}}), HasSubstr("1 to"));
  outer_.Write(Ws("wide.txt"), std::string(5000, 'a') + "needle" + std::string(5000, 'b'));
  const std::string wide = Text("search", {{"query", "needle"}});
  EXPECT_THAT(wide, HasSubstr("needle"));
  EXPECT_LT(wide.size(), 400u);
  std::string many;
  for (int i = 0; i < 1000; ++i) many += "hit\n";
  outer_.Write(Ws("many.txt"), many);
  EXPECT_THAT(Text("search", {{"query", "hit"}}), HasSubstr("many.txt:200:hit\n[cut: narrow"));
  EXPECT_EQ(Text("search", {{"query", "(a*)*$"}, {"regex", true}, {"path", "bin"}}),
            "no matches [1 binary, large or unreadable files skipped]");
}

TEST_F(FilesTest, EmptyMatchesEnd) {
  outer_.Write(Ws("a.txt"), "one\n\ntwo\n");
  EXPECT_EQ(Text("search", {{"query", "^$"}, {"regex", true}, {"path", "a.txt"}}), "a.txt:2:\n");
}

TEST(FilesConfigureTest, RefusesWhatItDoesNotKnow) {
  test::Scratch scratch;
  const sdk::Folders folders{.workspace = scratch.path()};
  const auto message = [&](const char* config, const sdk::Folders& where) {
    return std::string(sdk::PluginHarness(MakeFilesPlugin()).Configure(config, where).message());
  };
  EXPECT_THAT(message(R"({"max_red":1})", folders), HasSubstr("option 'max_red' is not known"));
  EXPECT_THAT(message(R"({"max_entries":0})", folders), HasSubstr("max_entries must be above 0"));
  EXPECT_THAT(message("{}", {}), HasSubstr("no workspace"));
  EXPECT_THAT(message("{}", {.workspace = scratch.At("no")}), HasSubstr("No such file"));
}

}  // namespace
}  // namespace talon::plugins
