#include "cli/new_project.hpp"

#include <algorithm>
#include <cctype>

#include <fcntl.h>

#include <metaflow/error.hpp>

#include <fmt/format.h>

#include "base/files.hpp"

namespace metaflow::cli {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view flow_template = R"flow(// One number for each item, worked out side by side, and their sum.
#include <metaflow/flow.hpp>

#include <iostream>
#include <vector>

namespace mf = metaflow;

struct @FLOW@ {
  mf::Parameter<int> count{5, "How many items"};

  mf::Artifact<std::vector<int>> items;
  mf::Artifact<double> result;
  mf::Artifact<double> total;

  void start() {
    std::vector<int> list;
    for (int i = 1; i <= *count; ++i) list.push_back(i);
    items = list;
  }

  void work(const int& item) { result = item * 0.5; }

  void join(mf::Inputs<@FLOW@> branches) {
    double sum = 0;
    for (const auto& branch : branches) sum += *branch.result;
    total = sum;
  }

  void end() { std::cout << "total " << *total << '\n'; }

  static constexpr auto graph() {
    using F = @FLOW@;
    return mf::graph(mf::step<&F::start>().foreach<&F::items, &F::work>(),
                     mf::step<&F::work>().to<&F::join>(),
                     mf::step<&F::join>().to<&F::end>(),
                     mf::step<&F::end>());
  }
};

int main(int argc, char** argv) { return mf::main<@FLOW@>(argc, argv); }
)flow";

constexpr std::string_view cmake_template = R"text(cmake_minimum_required(VERSION 3.25)
project(@NAME@ LANGUAGES CXX)

# Installed elsewhere than /usr/local: cmake -DCMAKE_PREFIX_PATH=<prefix> …
find_package(metaflow REQUIRED)

add_executable(@NAME@ @NAME@.cpp)
target_link_libraries(@NAME@ PRIVATE metaflow::metaflow)
)text";

constexpr std::string_view readme_template = R"text(# @NAME@

To try it without building anything:

    metaflow @NAME@.cpp run --count 8

To build it:

    cmake -B build && cmake --build build
    build/@NAME@ run

`build/@NAME@ show` describes the flow, `build/@NAME@ run --help` lists its parameters, and
`build/@NAME@ dump <run>/end` shows what a run left.
)text";

std::string filled(std::string_view text, const std::string& name, const std::string& flow) {
  std::string out(text);
  const auto replace = [&](std::string_view mark, const std::string& value) {
    for (std::size_t at = 0; (at = out.find(mark, at)) != std::string::npos; at += value.size())
      out.replace(at, mark.size(), value);
  };
  replace("@NAME@", name);
  replace("@FLOW@", flow);
  return out;
}

/// `my_model` becomes `MyModelFlow`: never a word of the language.
std::string flow_name(const std::string& name) {
  std::string flow;
  bool starts_word = true;
  for (const char c : name) {
    if (c == '-' || c == '_') {
      starts_word = true;
      continue;
    }
    flow += starts_word ? static_cast<char>(std::toupper(static_cast<unsigned char>(c))) : c;
    starts_word = false;
  }
  return flow.ends_with("Flow") ? flow : flow + "Flow";
}

void check_name(const std::string& name) {
  const auto is_allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
  };
  const bool starts_well = !name.empty() && std::isalpha(static_cast<unsigned char>(name.front())) != 0;
  if (!starts_well || name.size() > 100 || !std::all_of(name.begin(), name.end(), is_allowed))
    throw Error(ErrorCode::usage,
                fmt::format("'{}' is no name for a flow: a letter, then up to 99 letters, digits, '-' and '_'.", name));
  // CMake keeps these for targets of its own.
  for (const auto* taken : {"all", "clean", "help", "install", "test", "package", "edit_cache", "rebuild_cache"})
    if (name == taken) throw Error(ErrorCode::usage, fmt::format("'{}' is a name that CMake keeps for itself.", name));
}

}  // namespace

void make_project(const fs::path& parent, const std::string& name) {
  check_name(name);
  const auto folder = parent / name;
  std::error_code ignored;
  if (fs::exists(fs::symlink_status(folder, ignored)) || !make_new_directory(folder.string()))
    throw Error(ErrorCode::conflict, fmt::format("There is a '{}' already; nothing was changed.", name),
                "Folder exists");
  const auto flow = flow_name(name);
  const auto write = [&](const std::string& file, std::string_view text) {
    const auto path = (folder / file).string();
    write_all(open_file(path, O_WRONLY | O_CREAT | O_EXCL, 0666).get(), filled(text, name, flow), path);
  };
  write(name + ".cpp", flow_template);
  write("CMakeLists.txt", cmake_template);
  write("README.md", readme_template);
}

}  // namespace metaflow::cli
