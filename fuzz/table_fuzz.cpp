// The table of a finished attempt: any bytes are one or Error(corrupt), and a table written is read back the same.
#include "datastore/task_store.hpp"
#include "fuzz.hpp"

namespace mf = metaflow;
using namespace mf::datastore;

namespace {

void put(mf::storage::ObjectStore& store, const std::string& key, std::string text) {
  mf::Pieces pieces;
  pieces.own(std::move(text));
  store.put(key, pieces);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto objects = mf::storage::make_memory_store();
  TaskStore tasks(*objects, "Flow");
  const TaskPath task{"7", "start", "1"};
  put(*objects, "Flow/7/start/1/0.data.json", std::string(fuzz::text_of(data, size)));
  put(*objects, "Flow/7/start/1/0.DONE.lock", "");
  const auto table = fuzz::accepted({mf::ErrorCode::corrupt}, [&] { return tasks.read(task, 0).value(); });
  if (!table) return 0;
  for (const auto& [name, reference] : *table) fuzz::require(!reference.key.empty());
  tasks.finish(task, 1, *table);
  fuzz::require(tasks.read(task, 1) == *table);
  return 0;
}
