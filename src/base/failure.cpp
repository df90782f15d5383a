#include <metaflow/failure.hpp>

#include <array>

#include <metaflow/error.hpp>

namespace metaflow::detail {

void write_failure(pickle::Writer& writer, const Failure& failure) {
  const std::array<std::pair<std::string_view, const std::string&>, 3> state{
      {{"exception", failure.message}, {"type", failure.type}, {"stacktrace", failure.stacktrace}}};
  writer.begin_build();
  writer.begin_call();
  writer.global("metaflow.exception", "MetaflowExceptionWrapper");
  writer.begin_tuple(1);
  writer.none();
  writer.begin_dict(state.size());
  for (const auto& [key, text] : state) {
    writer.text(key);
    writer.text(text);
  }
}

Failure read_failure(const Value& value) {
  if (value.kind() != ValueKind::object) wrong_type(value, failure_type);
  const auto& object = value.as_object();
  Failure failure;
  if (!object.state) return failure;
  const auto field = [&](std::string_view name) {
    const auto* found = object.state->find(name);
    return found == nullptr || found->is_none() ? std::string() : found->str();
  };
  failure.type = field("type");
  failure.message = field("exception");
  failure.stacktrace = field("stacktrace");
  return failure;
}

}  // namespace metaflow::detail
