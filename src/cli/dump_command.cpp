#include <algorithm>

#include <metaflow/pickle.hpp>

#include <fmt/format.h>

#include "base/files.hpp"
#include "cli/commands.hpp"
#include "datastore/artifacts.hpp"
#include "datastore/blob_store.hpp"
#include "datastore/task_store.hpp"

namespace metaflow::cli {
namespace {

struct Selection {
  bool private_names = false;
  std::uint64_t max_value_size = 0;
  std::vector<std::string> names;  ///< empty: all

  bool takes(const std::string& name) const {
    if (!names.empty()) return std::find(names.begin(), names.end(), name) != names.end();
    return private_names || !name.starts_with('_');
  }
};

/// Finished tasks that a path names.
class Tasks {
 public:
  Tasks(storage::ObjectStore& store, std::string flow, const InputPath& path)
      : flow_(std::move(flow)), tasks_(store, flow_), blobs_(store, flow_) {
    if (path.task.empty()) {
      for (const auto& id : store.list(flow_ + '/' + path.run + '/' + path.step)) ids_.push_back(id);
      sort_task_ids(ids_);
    } else {
      ids_.push_back(path.task);
    }
  }

  template <class Visit>
  void each(const InputPath& path, Visit visit) const {
    for (const auto& id : ids_) {
      const datastore::TaskPath task{path.run, path.step, id};
      if (auto table = tasks_.read(task)) {
        visit(task, *datastore::make_artifact_source(blobs_, flow_, task, std::move(*table)));
      } else if (!path.task.empty()) {
        throw Error(ErrorCode::not_found, fmt::format("Task {}/{} has no finished attempt.", flow_, task.text()));
      }
    }
  }

 private:
  std::string flow_;
  datastore::TaskStore tasks_;
  datastore::BlobStore blobs_;
  std::vector<std::string> ids_;
};

std::string value_text(const ArtifactSource& source, const std::string& name, const ArtifactReference& reference) {
  auto pickle = source.load(name, reference);
  try {
    return pickle::decode(std::move(pickle)).str();
  } catch (const Error& error) {
    return fmt::format("< only Python can read this: {} >", error.what());
  }
}

void print_task(const ArtifactSource& source, const Selection& selection) {
  for (const auto& name : source.names()) {
    if (!selection.takes(name)) continue;
    const auto reference = source.find(name).value();
    const bool is_small = reference.size > 0 && reference.size < selection.max_value_size;
    print(fmt::format("{} [size: {} type: {}] = {}\n", name, reference.size, reference.type,
                      is_small ? value_text(source, name, reference) : "< artifact too large >"));
  }
}

Value values_of(const ArtifactSource& source, const Selection& selection) {
  std::vector<Value::Pair> pairs;
  for (const auto& name : source.names())
    if (selection.takes(name))
      pairs.emplace_back(Value(name), pickle::decode(source.load(name, source.find(name).value())));
  return Value::dict(std::move(pairs));
}

}  // namespace

void describe_dump(Command& command, const FlowProgram&) {
  command.description =
      "Show the artifacts that a finished task left, or all finished tasks of a step. INPUT-PATH is run/step or "
      "run/step/task.";
  command.arguments = {{"INPUT-PATH"}};
  command.options = {
      {.name = "private",
       .kind = OptionKind::flag,
       .help = "Show names that begin with _, too.",
       .off_name = "no-private"},
      {.name = "max-value-size",
       .kind = OptionKind::integer,
       .type = "INTEGER",
       .help = "Show values that take fewer bytes than this; 0: names, sizes and types alone.",
       .default_text = "1000"},
      {.name = "include", .help = "Show these names alone, separated by commas."},
      {.name = "file", .type = "PATH", .help = "Write the values, whatever their size, as a pickle to this file."},
  };
}

int execute_dump(Invocation& invocation) {
  const auto path = parse_input_path(*invocation.own.argument(0));
  const Selection selection{.private_names = invocation.own.flag("private"),
                            .max_value_size = static_cast<std::uint64_t>(invocation.own.integer("max-value-size")),
                            .names = split_at_commas(invocation.own.text("include"))};
  OpenedStores stores(find_roots(invocation, false));
  const auto file = invocation.own.optional_text("file");
  std::vector<Value::Pair> dumped;
  Tasks(stores.objects(), invocation.flow_name(), path).each(path, [&](const auto& task, const ArtifactSource& source) {
    invocation.console.echo(
        fmt::format("Dumping output of run_id={} step={} task_id={}", task.run, task.step, task.task), Style::banner);
    if (file)
      dumped.emplace_back(Value(task.text()), values_of(source, selection));
    else
      print_task(source, selection);
  });
  if (file) {
    const auto all = Value::dict(std::move(dumped));
    DraftFile draft(*file);
    draft.write(pickle::encode(all).pickle);
    draft.keep();
    invocation.console.echo("Artifacts written to " + *file);
  }
  return 0;
}

}  // namespace metaflow::cli
