#include "package/code_package.hpp"

#include <algorithm>
#include <filesystem>

#include <metaflow/error.hpp>

#include <fmt/format.h>

#include "base/files.hpp"
#include "base/gzip.hpp"
#include "base/json.hpp"
#include "base/program.hpp"
#include "base/version.hpp"

namespace metaflow::package {
namespace {

namespace filesystem = std::filesystem;

std::string file_name(const std::string& path) { return filesystem::path(path).filename().string(); }

/// Every machine has these of its own; ours it has not, wherever it is installed here.
bool belongs_to_system(const std::string& library) {
  if (file_name(library).starts_with("libmetaflow.")) return false;
  return std::ranges::any_of(std::vector<std::string>{"/lib/", "/lib64/", "/usr/lib/", "/usr/lib64/"},
                             [&](const std::string& folder) { return library.starts_with(folder); });
}

/// What the kernel starts, so that it may start the program.
bool is_loader(const std::string& library) { return file_name(library).starts_with("ld-linux"); }

bool has_suffix(const std::string& name, const std::vector<std::string>& suffixes) {
  return std::ranges::any_of(suffixes, [&](const std::string& suffix) { return name.ends_with(suffix); });
}

/// Hidden folders, what CMake builds in, and what Python compiles to.
bool is_passed_over(const filesystem::directory_entry& folder) {
  const auto name = folder.path().filename().string();
  return name.starts_with('.') || name == "__pycache__" || filesystem::exists(folder.path() / "CMakeCache.txt");
}

/// The flow's own file and those beside and below it with one of the suffixes, sorted, relative to its folder.
std::vector<std::string> source_names(const CodeSource& source) {
  std::vector<std::string> names;
  if (!file_size(source.source_file)) return names;
  const auto folder = filesystem::path(source.source_file).parent_path();
  names.push_back(file_name(source.source_file));
  // What may not be read is somebody else's: a flow may lie in /tmp.
  constexpr auto options = filesystem::directory_options::skip_permission_denied;
  for (auto i = filesystem::recursive_directory_iterator(folder, options); i != filesystem::end(i); ++i) {
    if (i->is_directory() && is_passed_over(*i)) i.disable_recursion_pending();
    const auto name = i->path().lexically_relative(folder).string();
    const bool is_source = has_suffix(name, source.suffixes) && !file_name(name).starts_with('.');
    if (is_source && i->is_regular_file() && name != names.front()) names.push_back(name);
  }
  std::ranges::sort(names);
  return names;
}

std::string information(const CodeSource& source, const std::string& script) {
  JsonObject object;
  object.text("platform", "Linux")
      .text("environment_type", "local")
      .raw("use_r", "false")
      .text("metaflow_version", version)
      .text("script", script);
  for (const auto& [name, value] : source.information) object.text(name, value);
  return object.take();
}

std::string name_of_program(const CodeSource& source) { return "bin/" + source.flow; }

/// A path as the compiler saw it may be relative to the folder in which it was called: mostly the build folder, in which
/// the program lies somewhere. Stays as it is when no such file is found.
std::string found_source(const std::string& file, const std::string& program) {
  const filesystem::path path(file);
  if (file.empty() || path.is_absolute()) return file;
  for (auto folder = filesystem::path(program).parent_path();; folder = folder.parent_path()) {
    auto candidate = (folder / path).lexically_normal().string();
    if (file_size(candidate)) return candidate;
    if (folder == folder.root_path()) return file;
  }
}

}  // namespace

CodeSource code_source(const model::Flow& flow, std::vector<std::string> suffixes) {
  const auto program = program_path();
  return {.flow = flow.name,
          .program = program,
          .libraries = loaded_libraries(),
          .source_file = found_source(flow.source_file, program),
          .suffixes = std::move(suffixes),
          .files = {},
          .information = {{"language", "c++"}, {"program", "bin/" + flow.name}}};
}

CodeSource code_source(const model::Flow& flow, const std::string& script, const ScriptCode& code,
                       std::vector<std::string> suffixes) {
  return {.flow = flow.name,
          .program = {},
          .libraries = {},
          .source_file = filesystem::absolute(script).lexically_normal().string(),
          .suffixes = std::move(suffixes),
          .files = code.files,
          .information = code.information};
}

std::vector<std::string> default_suffixes() { return {".cpp", ".cc", ".cxx", ".hpp", ".hh", ".hxx", ".h"}; }

std::vector<Member> package_members(const CodeSource& source) {
  const auto sources = source_names(source);
  // Readers show the file named here as the code of the flow.
  const auto script = sources.empty() ? name_of_program(source) : file_name(source.source_file);
  const auto made = [](std::string name, std::string content) {
    return Member{.name = std::move(name), .file = {}, .content = std::move(content)};
  };
  std::vector<Member> members = {made(".mf_meta/INFO", information(source, script)), made(".mf_meta/CONFIG", "{}"),
                                 made(".mf_meta/DIST_INFO", "{}"),
                                 made(".mf_install", R"({"version": 1, "module_files": []})")};
  for (const auto& [name, file] : source.files) members.push_back({.name = name, .file = file, .content = {}});
  if (!source.program.empty())
    members.push_back(
        {.name = name_of_program(source), .file = source.program, .content = {}, .mode = FileMode::executable});
  for (const auto& library : source.libraries)
    if (source.brings_system || !belongs_to_system(library))
      members.push_back({.name = "lib/" + file_name(library),
                         .file = library,
                         .content = {},
                         .mode = is_loader(library) ? FileMode::executable : FileMode::plain});
  const auto folder = filesystem::path(source.source_file).parent_path();
  for (const auto& name : sources) members.push_back({.name = name, .file = (folder / name).string(), .content = {}});
  return members;
}

std::string make_package(const std::vector<Member>& members) {
  TarWriter tar;
  for (const auto& member : members) {
    if (member.file.empty()) {
      tar.add(member.name, member.mode, member.content);
      continue;
    }
    const auto content = read_file(member.file);
    if (!content)
      throw Error(ErrorCode::not_found, fmt::format("'{}' has gone while it was being packaged", member.file));
    tar.add(member.name, member.mode, content->span());
  }
  const auto archive = tar.finish();
  Pieces bytes;
  bytes.borrow(std::as_bytes(std::span(archive)));
  const auto packed = gzip_pack(bytes);
  std::string package;
  package.reserve(packed.size());
  for (std::size_t i = 0; i < packed.count(); ++i) {
    const auto piece = packed.piece(i);
    package.append(reinterpret_cast<const char*>(piece.data()), piece.size());
  }
  return package;
}

}  // namespace metaflow::package
