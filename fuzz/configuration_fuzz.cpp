// The settings in config.json: any text gives settings, or Error(invalid) that names the file, and what is written is read
// back the same.
#include "base/settings_file.hpp"
#include "fuzz.hpp"

namespace mf = metaflow;

namespace {

const std::string file = "/home/ann/.metaflowconfig/config.json";

void check(const mf::Settings& settings) {
  for (const auto& [key, value] : settings) {
    const auto text = mf::setting_text(value);
    fuzz::require(text.has_value() != value.is_null());
    if (text && !value.is_string()) fuzz::require(mf::dump_json(mf::parse_json(*text, key)) == *text);
  }
  const auto document = mf::settings_document(settings);
  fuzz::require(mf::settings_document(mf::parse_settings(document, file)) == document);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  try {
    check(mf::parse_settings(std::string(fuzz::text_of(data, size)), file));
  } catch (const mf::Error& error) {
    if (error.code() != mf::ErrorCode::invalid) throw;
    fuzz::require(std::string_view(error.what()).find(file) != std::string_view::npos);
  }
  return 0;
}
