#pragma once

#include <string>
#include <vector>

#include <metaflow/model.hpp>
#include <metaflow/task.hpp>

#include "package/tar.hpp"

/// The code package of a flow program: what a machine needs that is to run tasks of it, and people to see what ran
/// (docs/formats/code-package.md).
namespace metaflow::package {

/// One file of the package.
struct Member {
  std::string name;     ///< in the package
  std::string file;     ///< on this machine; empty: made for the package
  std::string content;  ///< of one that is made for it
  FileMode mode = FileMode::plain;
};

/// Where the flow is.
struct CodeSource {
  std::string flow;
  std::string program;                                                ///< the executable; empty for a script
  std::vector<std::string> libraries;                                 ///< that it has loaded
  std::string source_file;                                            ///< may have gone since the program was built
  std::vector<std::string> suffixes;                                  ///< of the files beside it that belong to it
  std::vector<std::pair<std::string, std::string>> files = {};        ///< more of them: names in the package, and paths
  std::vector<std::pair<std::string, std::string>> information = {};  ///< beside what is always told
  /// Those of the system come along, too, for machines that may have others or none: with its loader it starts there all the same.
  bool brings_system = false;
};
/// The running program with this flow.
CodeSource code_source(const model::Flow& flow, std::vector<std::string> suffixes);

/// A script, and what its language says of it.
CodeSource code_source(const model::Flow& flow, const std::string& script, const ScriptCode& code,
                       std::vector<std::string> suffixes);

/// Suffixes of C++ sources.
std::vector<std::string> default_suffixes();

/// What the package holds, in its order.
std::vector<Member> package_members(const CodeSource& source);

/// The package itself, as a gzip file of a tar archive; the same files give the same bytes. Error when a file cannot be
/// read.
std::string make_package(const std::vector<Member>& members);

}  // namespace metaflow::package
