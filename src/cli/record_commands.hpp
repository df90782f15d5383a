#pragma once

#include "cli/arguments.hpp"

/// `metaflow ls` and `metaflow inspect`.
namespace metaflow::cli {

Command list_command();
int list_records(const Arguments& arguments);

Command inspect_command();
int inspect_record(const Arguments& arguments);

}  // namespace metaflow::cli
