// Any text read as JSON gives a value or Error(corrupt), whichever way it is read; a value written is read back the same.
#include "base/json.hpp"
#include "base/utf8.hpp"
#include "fuzz.hpp"

namespace mf = metaflow;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using enum mf::ErrorCode;
  const auto text = fuzz::text_of(data, size);
  if (const auto value = fuzz::accepted({corrupt}, [&] { return mf::parse_json(text, "fuzzed.json"); })) {
    const auto written = mf::dump_json(*value);
    fuzz::require(std::all_of(written.begin(), written.end(), [](char c) { return c >= ' ' && c < 0x7f; }));
    fuzz::require(mf::dump_json(mf::parse_json(written, "written.json")) == written);
    mf::value_of(*value).repr();
    mf::JsonHandler takes_all;
    mf::read_json(text, "fuzzed.json", takes_all);
  }

  std::string quoted;
  mf::append_json_string(quoted, text);
  fuzz::require(mf::parse_json(quoted, "quoted.json").get<std::string>() == mf::sanitized_utf8(text));
  return 0;
}
