#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "cli/invocation.hpp"

namespace metaflow::cli {

/// One option per parameter, in alphabetical order of the attribute.
std::vector<Option> parameter_options(const model::Flow& flow);

/// The parameters of one run: values are converted when this is made, include files found readable. Error(usage) names
/// the option.
class RunParameters {
 public:
  RunParameters(const FlowProgram& program, const Arguments& arguments, const std::string& user);

  /// Stores the include files below the data-tools root and returns all values; `say` gets a line for each file.
  runtime::ParameterValues store(const std::string& data_tools_root,
                                 const std::function<void(const std::string&)>& say) &&;

 private:
  struct IncludeFile {
    std::size_t parameter;
    std::string path;
  };
  /// `text` is the path of a file, or the descriptor of one that is stored already: that begins with `{`.
  void add_file(std::size_t parameter, const std::string& text);

  const model::Flow& flow_;
  runtime::ParameterValues values_;
  std::vector<IncludeFile> files_;
};

}  // namespace metaflow::cli
