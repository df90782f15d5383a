#pragma once

#include <string_view>

#include <metaflow/error.hpp>

namespace metaflow {

/// The Error for a failed system call. `doing` says what was tried and where (`cannot write '/data/x'`), `number` is
/// its errno; the words add the reason and, where the user can do something about it, what.
Error system_error(std::string_view doing, int number);

}  // namespace metaflow
