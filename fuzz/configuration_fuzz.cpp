// The configuration, config.json: any text gives a setting, none, or Error(invalid) that names the file. A setting is the
// text in it or the JSON of it.
#include "base/configuration.hpp"
#include "base/json.hpp"
#include "fuzz.hpp"

namespace mf = metaflow;

namespace {

const std::string file = "/home/ann/.metaflowconfig/config.json";

/// Whatever is not said to be wrong is an object.
void check(std::string_view text, const std::optional<std::string>& value) {
  const auto all = mf::parse_json(text, file);
  const auto found = all.find("METAFLOW_USER");
  const bool is_set = found != all.end() && !found->is_null();
  fuzz::require(is_set == value.has_value());
  if (!is_set) return;
  if (found->is_string())
    fuzz::require(*value == found->get<std::string>());
  else
    fuzz::require(mf::dump_json(mf::parse_json(*value, "value")) == *value);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto text = fuzz::text_of(data, size);
  try {
    check(text, mf::setting_in_file(text, file, "USER"));
  } catch (const mf::Error& error) {
    if (error.code() != mf::ErrorCode::invalid) throw;
    fuzz::require(std::string_view(error.what()).find(file) != std::string_view::npos);
  }
  return 0;
}
