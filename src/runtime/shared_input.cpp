#include "runtime/shared_input.hpp"

#include <algorithm>

#include "runtime/input_paths.hpp"

namespace metaflow::runtime {

SharedInput::SharedInput(const model::Flow& flow, storage::ObjectStore& objects)
    : flow_(flow), blobs_(objects, flow.name), tasks_(objects, flow.name) {}

void SharedInput::prepare(const TaskRequest& request) noexcept {
  if (!request.split_index) return;
  try {
    read(request);
  } catch (...) {
    path_.reset();
  }
}

void SharedInput::read(const TaskRequest& request) {
  const auto paths = decode_input_paths(request.input_paths);
  if (paths.size() != 1) return;
  auto path = datastore::parse_task_path(paths[0]);
  if (path_ == path) return;
  task_ = open_task(tasks_, blobs_, flow_.name, path);
  // What is asked of a source once, it keeps: the tasks find it in their copy.
  const auto& source = *task_->source;
  source.foreach_stack();
  tells_foreach_items();
  const auto split = std::ranges::find(flow_.steps, path.step, &model::Step::name);
  if (split != flow_.steps.end()) {
    const auto list = source.find(split->foreach_artifact);
    if (list && list->type == "<class 'list'>")
      source.load_item_pickle(split->foreach_artifact, *list, static_cast<std::size_t>(*request.split_index));
  }
  path_ = std::move(path);
}

std::shared_ptr<const OpenedTask> SharedInput::find(const datastore::TaskPath& path) const {
  return path_ == path ? task_ : nullptr;
}

}  // namespace metaflow::runtime
