#include <algorithm>
#include <filesystem>
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/random.hpp"
#include "package/code_package.hpp"

namespace metaflow::package {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::Not;

/// Names as a reader of ustar and pax sees them.
std::vector<std::string> names_in(const std::string& tar) {
  std::vector<std::string> names;
  std::string next;
  for (std::size_t at = 0; tar[at] != '\0';) {
    const std::string name = tar.substr(at, 100).c_str(), prefix = tar.substr(at + 345, 155).c_str();
    const auto size = std::stoul(tar.substr(at + 124, 11), nullptr, 8);
    if (tar[at + 156] == 'x') {
      const auto record = tar.substr(at + 512, size);
      EXPECT_EQ(std::stoul(record), record.size());
      const auto equals = record.find('=');
      next = record.substr(equals + 1, record.size() - equals - 2);
    } else {
      names.push_back(!next.empty() ? next : prefix.empty() ? name : prefix + '/' + name);
      next.clear();
    }
    at += 512 + (size + 511) / 512 * 512;
  }
  return names;
}

TEST(Tar, HoldsNamesOfAnyLength) {
  const std::string longest(100, 'n'), divided = std::string(155, 'd') + '/' + longest, whole(101, 'w'),
                                       deep = std::string(200, 'x') + "/y";
  TarWriter tar;
  for (const auto& name : {std::string("short"), longest, divided, whole, deep}) tar.add(name, FileMode::plain, "text");
  EXPECT_THAT(names_in(tar.finish()), ElementsAre("short", longest, divided, whole, deep));
}

TEST(Tar, FillsContentUpToWholeBlocks) {
  for (const std::size_t size : {0, 1, 511, 512, 513}) {
    TarWriter tar;
    tar.add("a", FileMode::plain, std::string(size, 'x'));
    EXPECT_EQ(tar.finish().size(), 512 + (size + 511) / 512 * 512 + 1024) << size;
  }
}

class CodePackage : public testing::Test {
 protected:
  void SetUp() override {
    for (const auto* file : {"flow.cpp", "helper.hpp", "notes.txt", "below/more.cc", ".hidden/x.cpp", "build/y.cpp",
                             "build/CMakeCache.txt", ".z.cpp", "program"})
      write(file, "text of " + std::string(file));
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  void write(const std::string& file, const std::string& text) const {
    std::filesystem::create_directories((folder_ / file).parent_path());
    std::ofstream(folder_ / file) << text;
  }
  CodeSource source() const {
    return {.flow = "Flow",
            .program = (folder_ / "program").string(),
            .libraries = {},
            .source_file = (folder_ / "flow.cpp").string(),
            .suffixes = default_suffixes()};
  }
  static std::vector<std::string> names(const std::vector<Member>& members) {
    std::vector<std::string> names;
    for (const auto& member : members)
      if (!member.name.starts_with(".mf_meta/") && member.name != ".mf_install") names.push_back(member.name);
    return names;
  }

  const std::filesystem::path folder_ = std::filesystem::temp_directory_path() / ("package_test_" + random_name(8));
};

TEST_F(CodePackage, HoldsTheProgramAndTheSourcesBesideTheFlow) {
  EXPECT_THAT(names(package_members(source())), ElementsAre("bin/Flow", "below/more.cc", "flow.cpp", "helper.hpp"));
}

TEST_F(CodePackage, HoldsTheFlowsOwnFileWhateverItsSuffix) {
  auto other = source();
  other.suffixes = {".txt"};
  EXPECT_THAT(names(package_members(other)), ElementsAre("bin/Flow", "flow.cpp", "notes.txt"));
}

TEST_F(CodePackage, HoldsLibrariesThatAreNotTheSystems) {
  auto with = source();
  with.libraries = {"/lib/x86_64-linux-gnu/libc.so.6", "/usr/lib/libother.so.1", "/opt/lib/libmine.so.2",
                    "/usr/lib/libmetaflow.so.0.1"};
  const auto members = names(package_members(with));
  EXPECT_THAT(members, Contains("lib/libmine.so.2"));
  EXPECT_THAT(members, Contains("lib/libmetaflow.so.0.1"));
  EXPECT_THAT(members, Not(Contains("lib/libc.so.6")));
  EXPECT_THAT(members, Not(Contains("lib/libother.so.1")));
}

TEST_F(CodePackage, ForAContainerBringsThoseOfTheSystemAndTheLoader) {
  auto with = source();
  with.brings_system = true;
  with.libraries = {"/lib/x86_64-linux-gnu/libc.so.6", "/lib64/ld-linux-x86-64.so.2"};
  const auto members = package_members(with);
  EXPECT_THAT(names(members), Contains("lib/libc.so.6"));
  const auto loader = std::ranges::find(members, "lib/ld-linux-x86-64.so.2", &Member::name);
  ASSERT_NE(loader, members.end());
  EXPECT_EQ(loader->mode, FileMode::executable);
}

TEST_F(CodePackage, OfAFlowWhoseSourceHasGoneHoldsTheProgram) {
  std::filesystem::remove(folder_ / "flow.cpp");
  const auto members = package_members(source());
  EXPECT_THAT(names(members), ElementsAre("bin/Flow"));
  EXPECT_NE(members.front().content.find(R"("script": "bin/Flow")"), std::string::npos);
}

TEST_F(CodePackage, OfAScriptHoldsWhatItsLanguageNames) {
  model::Flow flow;
  flow.name = "Flow";
  const ScriptCode code{.suffixes = {".cc"},
                        .files = {{".mf_code/engine", (folder_ / "program").string()}},
                        .information = {{"language", "python"}}};
  const auto members = package_members(code_source(flow, (folder_ / "flow.cpp").string(), code, code.suffixes));
  EXPECT_THAT(names(members), ElementsAre(".mf_code/engine", "below/more.cc", "flow.cpp"));
  EXPECT_NE(members.front().content.find(R"("script": "flow.cpp", "language": "python")"), std::string::npos);
}

TEST_F(CodePackage, IsTheSameForTheSameFiles) {
  const auto first = make_package(package_members(source()));
  std::filesystem::last_write_time(folder_ / "flow.cpp", std::filesystem::file_time_type::clock::now());
  std::filesystem::permissions(folder_ / "helper.hpp", std::filesystem::perms::owner_read);
  EXPECT_EQ(make_package(package_members(source())), first);
  write("helper.hpp2", "");
  write("helper.hxx", "more");
  EXPECT_NE(make_package(package_members(source())), first);
}

}  // namespace
}  // namespace metaflow::package
