// Any text read as JSON gives a value or Error(corrupt), and a value written is read back the same.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include <metaflow/error.hpp>

#include "base/json.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  try {
    const auto value = metaflow::parse_json(text, "fuzzed.json");
    const auto written = metaflow::dump_json(value);
    if (metaflow::dump_json(metaflow::parse_json(written, "written.json")) != written) std::abort();
  } catch (const metaflow::Error& error) {
    if (error.code() != metaflow::ErrorCode::corrupt) std::abort();
  }
  return 0;
}
