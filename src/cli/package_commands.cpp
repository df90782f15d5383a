#include <filesystem>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/files.hpp"
#include "base/hash.hpp"
#include "base/version.hpp"
#include "cli/commands.hpp"
#include "cli/flow_code.hpp"

namespace metaflow::cli {
namespace {

std::string sha1_of(const std::string& bytes) { return sha1_hex(std::as_bytes(std::span(bytes))); }

int execute_info(Invocation& invocation) {
  const auto source = code_of(invocation);
  const auto members = package::package_members(source);
  const auto package = package::make_package(members);
  print(fmt::format("Package size: {:.2f} MB\nNumber of files: {}\nSHA-1: {}\n\nMetaflow version: {}\n\n",
                    static_cast<double>(package.size()) / (1 << 20), members.size(), sha1_of(package), version));
  if (!source.program.empty()) print(fmt::format("Program: {}\n", source.program));
  print(fmt::format("Sources in {}, with suffixes {}\n",
                    std::filesystem::path(source.source_file).parent_path().string(),
                    fmt::join(source.suffixes, ", ")));
  return 0;
}

void describe_list(Command& command, const FlowProgram&) {
  command.description =
      "Show the files of the code package, each by its path on this machine; <in angle brackets> those that are made "
      "for it.";
  command.options = {{.name = "archive",
                      .kind = OptionKind::flag,
                      .help = "Show them by their paths in the package instead.",
                      .off_name = "no-archive"}};
}

int execute_list(Invocation& invocation) {
  invocation.console.echo("Files in the code package (--package-suffixes chooses the sources):");
  for (const auto& member : package::package_members(code_of(invocation))) {
    if (invocation.own.flag("archive"))
      print(member.name + '\n');
    else
      print(member.file.empty() ? fmt::format("<{}>\n", member.name) : member.file + '\n');
  }
  return 0;
}

void describe_save(Command& command, const FlowProgram&) {
  command.description = "Write the code package into a file, as a gzip tar archive.";
  command.arguments = {{"PATH"}};
}

int execute_save(Invocation& invocation) {
  const auto path = *invocation.own.argument(0);
  const auto folder = std::filesystem::absolute(path).parent_path();
  if (!std::filesystem::is_directory(folder))
    throw Error(ErrorCode::not_found, fmt::format("There is no folder '{}' to save the package in.", folder.string()),
                "Invalid command");
  const auto package = package::make_package(package::package_members(code_of(invocation)));
  replace_file(path, package);
  invocation.console.echo(fmt::format("The code package is saved in {} (SHA-1 {}).", path, sha1_of(package)));
  return 0;
}

void describe_nothing(Command&, const FlowProgram&) {}

}  // namespace

void describe_package(Command& command, const FlowProgram&) {
  command.description =
      "The code package is what another machine needs to run tasks of this flow: the program, libraries that it brings "
      "along, and its sources for people to read.";
  command.options = {{.name = "timeout", .kind = OptionKind::integer, .visibility = Visibility::accepted}};
}

const std::vector<FlowCommand>& package_commands() {
  constexpr auto shown = Visibility::shown;
  static const std::vector<FlowCommand> commands = {
      {"info", "Say how large the code package is, and what it is made of.", shown, describe_nothing, execute_info},
      {"list", "List the files in the code package.", shown, describe_list, execute_list},
      {"save", "Write the code package into a file.", shown, describe_save, execute_save},
  };
  return commands;
}

}  // namespace metaflow::cli
