#pragma once

#include <chrono>
#include <functional>
#include <string>

namespace metaflow::cloud {

/// Who asks on this terminal for the code that the device of a serial number shows; null when standard input and error are none. Waits so long for an
/// answer, then throws Error(denied), as for an empty one.
std::function<std::string(const std::string& serial)> code_prompt(
    std::chrono::milliseconds limit = std::chrono::minutes(2));

}  // namespace metaflow::cloud
