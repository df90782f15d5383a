#pragma once

#include "cli/arguments.hpp"

/// `metaflow ls`, `metaflow inspect` and `metaflow gc`.
namespace metaflow::cli {

Command list_command();
int list_records(const Arguments& arguments);

Command inspect_command();
int inspect_record(const Arguments& arguments);

Command gc_command();
int collect_garbage(const Arguments& arguments);

}  // namespace metaflow::cli
