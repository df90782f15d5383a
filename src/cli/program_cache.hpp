#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace metaflow::cli {

/// Programs built from flow files, so that an unchanged one starts at once. One folder per program, named by `key`:
///
///     <folder>/<key>/program      what to start
///     <folder>/<key>/inputs       all that the compiler read, to be compared before it is started
///
/// A program is used only while every input has the content it was built from. Stamps spare reading what was not
/// touched. Programs are started with the user's rights, so a folder that others could write to is refused.
class ProgramCache {
 public:
  /// `folder` and those above it are made, for this user alone. Error(denied) when it belongs to somebody else or
  /// others may write to it.
  explicit ProgramCache(std::string folder);
  /// Below `$XDG_CACHE_HOME`, else `~/.cache`. Error(not_found) when there is no home.
  static std::string default_folder();

  /// The program built for `key` from inputs that have not changed since; nothing if there is none.
  std::optional<std::string> find(const std::string& key) const;

  /// What a build left in the folder it was given: `program`, and the files the compiler read.
  using Build = std::function<std::vector<std::string>(const std::string& draft_folder)>;
  /// Builds into a draft folder and puts it in place at once. Returns the program's path. Whatever `build` throws
  /// leaves the cache as it was. Programs that were built more than 30 days ago are removed.
  std::string store(const std::string& key, const Build& build) const;

 private:
  void remove_old() const;

  std::string folder_;
};

}  // namespace metaflow::cli
