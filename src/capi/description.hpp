#pragma once

#include <string_view>

#include <metaflow/task.hpp>

namespace metaflow::capi {

/// A flow and what its language brings along, from the JSON of docs/formats/c-interface.md; without any function. Error(invalid) names
/// the member that is wrong.
FlowProgram read_description(std::string_view json);

}  // namespace metaflow::capi
