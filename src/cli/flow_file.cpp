#include "cli/flow_file.hpp"

#include <array>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <optional>

#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <metaflow/error.hpp>

#include <fmt/format.h>

#include "base/files.hpp"
#include "base/hash.hpp"
#include "base/system_error.hpp"
#include "base/version.hpp"
#include "cli/arguments.hpp"
#include "cli/installation.hpp"
#include "cli/program_cache.hpp"

namespace metaflow::cli {
namespace {

namespace fs = std::filesystem;

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

/// Where a program that is named like this would be found; empty when nowhere.
std::string find_program(const std::string& name) {
  if (name.find('/') != std::string::npos) return ::access(name.c_str(), X_OK) == 0 ? name : "";
  const auto path = environment("PATH") + ':';
  for (std::size_t from = 0, to; (to = path.find(':', from)) != std::string::npos; from = to + 1) {
    const auto candidate = path.substr(from, to - from) + '/' + name;
    if (::access(candidate.c_str(), X_OK) == 0) return candidate;
  }
  return "";
}

struct Compiler {
  std::string path;
  std::vector<std::string> words;  ///< what to start: `ccache g++`
};

Compiler find_compiler() {
  const auto asked = split_at_spaces(environment("CXX"));
  if (!asked.empty()) {
    const auto path = find_program(asked.front());
    if (path.empty())
      throw Error(ErrorCode::not_found, fmt::format("There is no compiler '{}', which CXX names.", asked.front()),
                  "No compiler");
    return {path, asked};
  }
  for (const auto* name : {"g++", "clang++"})
    if (const auto path = find_program(name); !path.empty()) return {path, {name}};
  throw Error(ErrorCode::not_found,
              "Neither g++ nor clang++ was found, and CXX names no other. On Debian and Ubuntu: apt install g++",
              "No compiler");
}

/// The program file behind a name, so that an update of the compiler is noticed.
std::string identity(const std::string& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) return path;
  return fmt::format("{} {} {}.{} {}", path, status.st_size, status.st_mtim.tv_sec, status.st_mtim.tv_nsec,
                     status.st_ino);
}

struct Recipe {
  Compiler compiler;
  std::vector<std::string> compile_flags, link_flags;
  std::string file;  ///< absolute
};

Recipe make_recipe(const std::string& file) {
  const auto installation = find_installation();
  const auto library = installation.library_folder.string();
  Recipe recipe{.compiler = find_compiler(), .compile_flags = {"-std=c++20"}, .link_flags = {}, .file = file};
  const auto flags = split_at_spaces(environment("CXXFLAGS"));
  if (flags.empty()) recipe.compile_flags.emplace_back("-O1");
  recipe.compile_flags.insert(recipe.compile_flags.end(), flags.begin(), flags.end());
  recipe.compile_flags.push_back("-I" + installation.include_folder.string());
  recipe.link_flags = {"-L" + library, "-lmetaflow", "-Wl,-rpath," + library};
  const auto more = split_at_spaces(environment("LDFLAGS"));
  recipe.link_flags.insert(recipe.link_flags.end(), more.begin(), more.end());
  return recipe;
}

/// Differs whenever the same file might become another program.
std::string cache_key(const Recipe& recipe) {
  std::string text = fmt::format("{}\n{}\n{}\n", version, recipe.file, identity(recipe.compiler.path));
  for (const auto* words : {&recipe.compiler.words, &recipe.compile_flags, &recipe.link_flags})
    text += fmt::format("{}\n", fmt::join(*words, "\n"));
  for (const auto* name : {"CPATH", "CPLUS_INCLUDE_PATH", "LIBRARY_PATH", "COMPILER_PATH", "GCC_EXEC_PREFIX"})
    text += environment(name) + '\n';
  text += read_text_file(recipe.file).value_or("");
  return sha1_hex(std::as_bytes(std::span(text)));
}

struct CompilerFailed {};

/// Starts a program that says on this terminal what it has to say, and waits for it.
bool run_program(const std::string& path, const std::vector<std::string>& words) {
  std::vector<char*> arguments;
  for (const auto& word : words) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  pid_t child = -1;
  if (const int problem = ::posix_spawn(&child, path.c_str(), nullptr, nullptr, arguments.data(), ::environ))
    throw system_error("cannot start the compiler '" + path + "'", problem);
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

std::vector<std::string> build(const Recipe& recipe, const std::string& folder) {
  auto words = recipe.compiler.words;
  const auto add = [&](const std::vector<std::string>& more) { words.insert(words.end(), more.begin(), more.end()); };
  const auto rule = folder + "/rule";
  add(recipe.compile_flags);
  add({"-MD", "-MF", rule, recipe.file, "-o", folder + "/program"});
  add(recipe.link_flags);
  if (!run_program(recipe.compiler.path, words)) throw CompilerFailed();
  auto inputs = parse_dependencies(read_text_file(rule).value_or(""));
  remove_file(rule);
  return inputs;
}

[[noreturn]] void become(const std::string& program, const std::string& file,
                         const std::vector<std::string>& arguments) {
  std::vector<std::string> words = {"metaflow " + file};
  words.insert(words.end(), arguments.begin(), arguments.end());
  std::vector<char*> pointers;
  for (auto& word : words) pointers.push_back(word.data());
  pointers.push_back(nullptr);
  ::execv(program.c_str(), pointers.data());
  throw system_error("cannot start '" + program + "'", errno);
}

void check_file(const std::string& file) {
  std::error_code problem;
  const auto status = fs::status(file, problem);
  if (!fs::exists(status)) throw Error(ErrorCode::usage, fmt::format("There is no file '{}'.", file));
  if (!fs::is_regular_file(status)) throw Error(ErrorCode::usage, fmt::format("'{}' is no file.", file));
  if (::access(file.c_str(), R_OK) != 0) throw Error(ErrorCode::usage, fmt::format("'{}' cannot be read.", file));
}

}  // namespace

bool is_flow_file(std::string_view word) {
  for (const std::string_view ending : {".cpp", ".cc", ".cxx", ".C"})
    if (word.size() > ending.size() && word.ends_with(ending)) return true;
  return false;
}

std::vector<std::string> parse_dependencies(std::string_view rule) {
  std::vector<std::string> paths;
  std::string path;
  const auto colon = rule.find(": ");
  if (colon == std::string_view::npos) return paths;
  for (std::size_t i = colon + 2; i <= rule.size(); ++i) {
    const char c = i < rule.size() ? rule[i] : '\n';
    const char next = i + 1 < rule.size() ? rule[i + 1] : '\0';
    if (c == '\\' && (next == ' ' || next == '#' || next == '\\')) {
      path += next;
      ++i;
    } else if (c == '$' && next == '$') {
      path += '$';
      ++i;
    } else if (c == ' ' || c == '\n' || (c == '\\' && next == '\n')) {
      if (!path.empty()) paths.push_back(std::exchange(path, {}));
    } else {
      path += c;
    }
  }
  return paths;
}

int run_flow_file(const std::string& file, const std::vector<std::string>& arguments) {
  check_file(file);
  const auto recipe = make_recipe(fs::canonical(file).string());
  const ProgramCache cache(ProgramCache::default_folder());
  const auto key = cache_key(recipe);
  if (const auto program = cache.find(key)) become(*program, file, arguments);
  try {
    become(cache.store(key, [&](const std::string& folder) { return build(recipe, folder); }), file, arguments);
  } catch (const CompilerFailed&) {
    return 1;
  }
}

}  // namespace metaflow::cli
