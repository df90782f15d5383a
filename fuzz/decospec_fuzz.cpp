// Any text behind --with is a decorator or Error(invalid); its attributes are JSON, and written out again they are the same.
#include "base/json.hpp"
#include "cli/decospec.hpp"
#include "fuzz.hpp"

namespace mf = metaflow;

namespace {

/// Empty when the rules of the text would take its values for something else.
std::string written(const mf::model::Decorator& decorator) {
  std::string spec = decorator.name;
  for (const auto& [name, json] : decorator.attributes) {
    if (json.find_first_of(",\\") != json.npos) return "";
    spec += (spec == decorator.name ? ":" : ",") + name + '=' + json;
  }
  return spec;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto text = fuzz::text_of(data, size);
  const auto decorator = fuzz::accepted({mf::ErrorCode::invalid}, [&] { return mf::cli::parse_decospec(text); });
  if (!decorator) return 0;
  fuzz::require(text.starts_with(decorator->name) && !decorator->statically_defined);
  for (const auto& [name, json] : decorator->attributes) mf::parse_json(json, name);
  const auto spec = written(*decorator);
  if (!spec.empty()) fuzz::require(mf::cli::parse_decospec(spec).attributes == decorator->attributes);
  return 0;
}
