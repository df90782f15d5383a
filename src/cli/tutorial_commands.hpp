#pragma once

#include <vector>

#include "cli/arguments.hpp"

/// The commands below `metaflow tutorials`. Each takes `--language`; without it the language is the one that alone has the
/// episode, else what somebody at a terminal answers, else the first of those installed.
namespace metaflow::cli {

Command list_tutorials_command();
int list_tutorials(const Arguments& arguments);

Command describe_tutorial_command();
int describe_tutorial(const Arguments& arguments);

Command pull_tutorials_command();
/// Copies episodes into ./metaflow-tutorials; asks before it replaces.
int pull_tutorials(const Arguments& arguments);

}  // namespace metaflow::cli
