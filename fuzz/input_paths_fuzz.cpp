// Any text behind --input-paths is a list or Error(usage), and a list of tasks written is read back the same.
#include "datastore/task_store.hpp"
#include "fuzz.hpp"
#include "runtime/input_paths.hpp"

namespace mf = metaflow;

namespace {

/// Whether a path is one of a task whose names hold none of the characters with a meaning of their own.
bool is_plain(const std::string& path) {
  if (path.front() == '!' || path.find_first_of(":,") != path.npos) return false;
  return fuzz::accepted({mf::ErrorCode::invalid}, [&] { return mf::datastore::parse_task_path(path); }).has_value();
}

void check_list(std::vector<std::string> paths) {
  std::erase_if(paths, [](const std::string& path) { return path.empty() || !is_plain(path); });
  fuzz::require(mf::runtime::decode_input_paths(mf::runtime::encode_input_paths(paths)) == paths);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto text = fuzz::text_of(data, size);
  const auto paths = fuzz::accepted({mf::ErrorCode::usage}, [&] { return mf::runtime::decode_input_paths(text); });
  if (paths) check_list(*paths);
  check_list(fuzz::split(text, '\n'));
  return 0;
}
