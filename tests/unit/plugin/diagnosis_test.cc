// SPDX-License-Identifier: Apache-2.0
#include "plugin/diagnosis.h"

#include <elf.h>
#include <gmock/gmock.h>

#include <cstring>
#include <filesystem>

#include "base/file.h"
#include "tests/support/temp_folder.h"

namespace talon::plugin {
namespace {

using testing::HasSubstr;
using testing::Not;

class DiagnosisTest : public testing::Test {
 protected:
  std::string Describe(const std::string& content, unsigned mode = 0755) {
    const std::string path = folder_ / "program";
    EXPECT_TRUE(WriteFileAtomic(path, content, mode).ok());
    return DescribeProgram(path);
  }
  test::TempFolder folder_{test::Where::kMemory};
};

TEST_F(DiagnosisTest, Files) {
  EXPECT_THAT(DescribeProgram(folder_ / "none"), HasSubstr("No such file"));
  EXPECT_THAT(DescribeProgram(folder_.path()), HasSubstr("not a regular file"));
  EXPECT_THAT(Describe("hello"), HasSubstr("neither a program nor a script"));
  EXPECT_THAT(Describe(""), HasSubstr("empty or unreadable"));
}

TEST_F(DiagnosisTest, Scripts) {
  EXPECT_THAT(Describe("#!/bin/sh\n", 0644), HasSubstr("mode 0644 (not executable)"));
  EXPECT_THAT(Describe("#!/bin/sh -e\n"), HasSubstr("script of /bin/sh -e"));
  EXPECT_THAT(Describe("#!/opt/none/python\n"), HasSubstr("(missing)"));
  EXPECT_THAT(Describe("#!/usr/bin/env sh\n"), Not(HasSubstr("is not in")));
  EXPECT_THAT(Describe("#!/usr/bin/env no-such-interpreter\n"),
              HasSubstr("'no-such-interpreter' is not in /usr/local/sbin"));
  EXPECT_THAT(Describe("#!/bin/sh\r\n"), HasSubstr("\\r\\n"));
}

TEST_F(DiagnosisTest, Programs) {
  EXPECT_THAT(DescribeProgram("/proc/self/exe"), HasSubstr("program for"));
  EXPECT_THAT(DescribeProgram("/proc/self/exe"), Not(HasSubstr("loader")));
  Elf64_Ehdr elf{};
  std::memcpy(elf.e_ident, ELFMAG, SELFMAG);
  elf.e_machine = EM_RISCV;
  const auto bytes = [&] { return std::string(reinterpret_cast<const char*>(&elf), sizeof(elf)); };
  EXPECT_THAT(Describe(bytes()), HasSubstr("program for riscv (this machine:"));
#if defined(__x86_64__)
  elf.e_machine = EM_X86_64;
  elf.e_phentsize = sizeof(Elf64_Phdr);
  elf.e_phnum = 1;
  elf.e_phoff = sizeof(elf);
  Elf64_Phdr header{};
  header.p_type = PT_INTERP;
  header.p_offset = sizeof(elf) + sizeof(header);
  const std::string loader("/lib/ld-none.so.1\0", 18);
  header.p_filesz = loader.size();
  EXPECT_THAT(
      Describe(bytes() + std::string(reinterpret_cast<const char*>(&header), sizeof(header)) +
               loader),
      HasSubstr("its loader /lib/ld-none.so.1 is missing"));
#endif
}

}  // namespace
}  // namespace talon::plugin
