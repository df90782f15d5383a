#include "cli/flow_code.hpp"

#include "base/configuration.hpp"
#include "cli/commands.hpp"

namespace metaflow::cli {

package::CodeSource code_of(const Invocation& invocation) {
  const auto& flow = invocation.program.flow;
  const auto& binding = invocation.program.binding;
  // What runs is an interpreter: the program alone would be no flow.
  if (binding.has_opaque_values && !binding.code)
    throw Error(ErrorCode::unavailable, "This program does not say what the code package of its flow holds.",
                "No code package");
  auto wanted = invocation.top.optional_text("package-suffixes");
  if (!wanted) wanted = setting("DEFAULT_PACKAGE_SUFFIXES");
  auto suffixes = split_at_commas(wanted.value_or(""));
  if (binding.code) {
    suffixes.insert(suffixes.end(), binding.code->suffixes.begin(), binding.code->suffixes.end());
    return package::code_source(flow, invocation.script, *binding.code, std::move(suffixes));
  }
  return package::code_source(flow, suffixes.empty() ? package::default_suffixes() : std::move(suffixes));
}

}  // namespace metaflow::cli
