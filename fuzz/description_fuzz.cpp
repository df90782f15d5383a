// Any text as the description of a flow is a flow that the checker can judge, or Error(invalid).
#include "capi/description.hpp"
#include "fuzz.hpp"
#include "model/check.hpp"

namespace mf = metaflow;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto text = fuzz::text_of(data, size);
  const auto program = fuzz::accepted({mf::ErrorCode::invalid}, [&] { return mf::capi::read_description(text); });
  if (!program) return 0;
  fuzz::require(!program->flow.name.empty() && program->flow.name.find('/') == std::string::npos);
  for (const auto& finding : mf::model::check(program->flow)) fuzz::require(!finding.message.empty());
  return 0;
}
