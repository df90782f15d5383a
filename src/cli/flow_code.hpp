#pragma once

#include "cli/invocation.hpp"
#include "package/code_package.hpp"

namespace metaflow::cli {

/// Where the code of the flow is, with the suffixes that options and configuration name. Error(unavailable) for a program that does not say.
package::CodeSource code_of(const Invocation& invocation);

}  // namespace metaflow::cli
