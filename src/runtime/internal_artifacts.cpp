#include "runtime/internal_artifacts.hpp"

#include <algorithm>
#include <array>

#include <metaflow/error.hpp>
#include <metaflow/pickle.hpp>

#include "base/utf8.hpp"

namespace metaflow::runtime {

Encoded encode_none() {
  pickle::Writer writer;
  writer.none();
  return writer.finish();
}

Encoded encode_boolean(bool value) {
  pickle::Writer writer;
  writer.boolean(value);
  return writer.finish();
}

Encoded encode_integer(std::int64_t value) {
  pickle::Writer writer;
  writer.integer(value);
  return writer.finish();
}

Encoded encode_text(std::string_view text) {
  pickle::Writer writer;
  writer.text(text);
  return writer.finish();
}

Encoded encode_texts(std::span<const std::string> texts) {
  pickle::Writer writer;
  writer.begin_list(texts.size());
  for (const auto& text : texts) writer.text(text);
  return writer.finish();
}

Encoded encode_integers(std::span<const std::int64_t> numbers) {
  pickle::Writer writer;
  writer.begin_list(numbers.size());
  for (const auto number : numbers) writer.integer(number);
  return writer.finish();
}

Encoded encode_transition(std::span<const std::string> targets, std::string_view foreach_variable) {
  pickle::Writer writer;
  writer.begin_tuple(2);
  writer.begin_list(targets.size());
  for (const auto& target : targets) writer.text(target);
  foreach_variable.empty() ? writer.none() : writer.text(foreach_variable);
  return writer.finish();
}

Encoded encode_foreach_stack(std::span<const ForeachFrame> frames) {
  pickle::Writer writer;
  writer.begin_list(frames.size());
  for (const auto& frame : frames) {
    writer.begin_create();
    // The official library puts this class into __main__ on purpose.
    writer.global("__main__", "ForeachFrame");
    writer.begin_tuple(5);
    writer.text(frame.step);
    writer.text(frame.variable);
    frame.num_splits ? writer.integer(*frame.num_splits) : writer.none();
    writer.integer(frame.index);
    frame.value ? writer.text(*frame.value) : writer.none();
  }
  return writer.finish();
}

Encoded encode_num_parallel(std::int64_t nodes) {
  pickle::Writer writer;
  writer.begin_build();
  writer.begin_create();
  writer.global("metaflow.flowspec", "ParallelUBF");
  writer.begin_tuple(0);
  writer.begin_dict(1);
  writer.text("num_parallel");
  writer.integer(nodes);
  return writer.finish();
}

std::int64_t num_parallel_of(const Value& value) {
  const auto& state = value.as_object().state;
  const auto* nodes = state ? state->find("num_parallel") : nullptr;
  if (nodes == nullptr) throw Error(ErrorCode::corrupt, "it does not say how many nodes there are");
  return nodes->as_integer();
}

Encoded encode_exception(const Failure& failure) {
  // What an exception says may be any bytes.
  const Failure clean{
      sanitized_utf8(failure.type), sanitized_utf8(failure.message), sanitized_utf8(failure.stacktrace), {}};
  pickle::Writer writer;
  detail::write_failure(writer, clean);
  auto encoded = writer.finish();
  // Long texts are borrowed from the strings above, which end here.
  std::string bytes;
  for (std::size_t i = 0; i < encoded.pickle.count(); ++i) {
    const auto piece = encoded.pickle.piece(i);
    bytes.append(reinterpret_cast<const char*>(piece.data()), piece.size());
  }
  encoded.pickle = Pieces();
  encoded.pickle.own(std::move(bytes));
  return encoded;
}

namespace {

bool is_recorded(std::string_view artifact) {
  static constexpr std::array<std::string_view, 6> read_by_client{"_task_ok",         "_success",       "_exception",
                                                                  "_catch_exception", "_foreach_stack", "_graph_info"};
  return !artifact.starts_with('_') ||
         std::find(read_by_client.begin(), read_by_client.end(), artifact) != read_by_client.end();
}

}  // namespace

datastore::ArtifactTable recorded_artifacts(const datastore::ArtifactTable& artifacts) {
  datastore::ArtifactTable recorded;
  for (const auto& entry : artifacts)
    if (is_recorded(entry.first)) recorded.insert(entry);
  return recorded;
}

}  // namespace metaflow::runtime
