// The records of local metadata: any text is one or Error(corrupt), and what was read is written and read back the same.
#include "fuzz.hpp"
#include "metadata/local_records.hpp"

namespace mf = metaflow;
using namespace mf::metadata;

namespace {

const std::string file = "fuzzed.json";
const Place place{.flow = "Flow", .run = "7", .step = "start", .task = "1"};

void check_run(std::string_view text) {
  const auto read = [&](std::string_view record) { return parse_run(record, place, file); };
  const auto run = fuzz::accepted({mf::ErrorCode::corrupt}, [&] { return read(text); });
  if (!run) return;
  const auto again = read(run_text(*run));
  fuzz::require(again.user == run->user && again.tags == run->tags && again.system_tags == run->system_tags);
  fuzz::require(again.created_ms == run->created_ms);
  fuzz::require(parse_created(text, file) == run->created_ms);
}

void check_datum(std::string_view text) {
  const auto datum = fuzz::accepted({mf::ErrorCode::corrupt}, [&] { return parse_datum(text, file); });
  if (!datum) return;
  const auto again = parse_datum(datum_text({}, place, *datum), file);
  fuzz::require(again.field == datum->field && again.value == datum->value && again.json == datum->json);
  fuzz::require(again.type == (datum->type.empty() ? datum->field : datum->type));
  fuzz::require(again.attempt == datum->attempt && again.created_ms == datum->created_ms);
}

void check_pointer(std::string_view text) {
  constexpr int attempt = 3;
  constexpr std::string_view root = ":root:";
  const auto pointer = fuzz::accepted({mf::ErrorCode::corrupt}, [&] { return parse_pointer(text, attempt, file); });
  if (!pointer || !pointer->location.starts_with(root)) return;
  const PointerTexts texts({}, place, attempt, pointer->ds_type, pointer->location.substr(root.size()),
                           pointer->created_ms);
  const auto again = parse_pointer(texts.text(pointer->name, pointer->reference), attempt, file);
  fuzz::require(again.name == pointer->name && again.reference == pointer->reference);
  fuzz::require(again.ds_type == pointer->ds_type && again.location == pointer->location);
  fuzz::require(again.created_ms == pointer->created_ms);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto text = fuzz::text_of(data, size);
  check_run(text);
  check_datum(text);
  check_pointer(text);
  return 0;
}
