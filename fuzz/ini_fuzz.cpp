// The files of ~/.aws: whatever they hold, they are read or refused; what was read stands in the file.
#include "aws/ini_file.hpp"
#include "fuzz.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto text = fuzz::text_of(data, size);
  const auto file =
      fuzz::accepted({metaflow::ErrorCode::invalid}, [&] { return metaflow::aws::parse_ini(text, "config"); });
  if (!file) return 0;
  for (const auto& [name, section] : *file)
    fuzz::require(text.find(name) != std::string_view::npos && section.line > 0);
  return 0;
}
