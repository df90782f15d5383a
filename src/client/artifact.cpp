#include <fmt/format.h>
#include <metaflow/client.hpp>

#include "client/state.hpp"

namespace metaflow::client {
namespace {

/// What the datastore says of it; nothing when it says nothing.
std::optional<ArtifactReference> recorded(const detail::ArtifactState& artifact) {
  const auto table = artifact.task->table();
  if (!table) return std::nullopt;
  const auto found = table->find(artifact.pointer.name);
  if (found == table->end() || found->second.key != artifact.pointer.reference.key) return std::nullopt;
  return found->second;
}

}  // namespace

void detail::refuse_artifact(const std::string& pathspec, const Error& reason) {
  const auto slash = pathspec.rfind('/');
  throw Error(reason.code(), fmt::format("cannot read artifact '{}' of {}: {}", pathspec.substr(slash + 1),
                                         pathspec.substr(0, slash), reason.what()));
}

DataArtifact::DataArtifact(std::string_view pathspec, const Options& options) {
  const auto parts = detail::parse_pathspec(pathspec, {"Flow", "run", "step", "task", "name"});
  state_ = Task(pathspec.substr(0, pathspec.rfind('/')), options).data_artifact(parts.back()).state_;
}

const std::string& DataArtifact::id() const { return state_->pointer.name; }
std::string DataArtifact::pathspec() const { return state_->task->pathspec() + '/' + id(); }
Task DataArtifact::parent() const { return Task(state_->task); }
const std::string& DataArtifact::key() const { return state_->pointer.reference.key; }
Time DataArtifact::finished_at() const { return detail::to_time(state_->pointer.created_ms); }
int DataArtifact::attempt() const { return state_->pointer.attempt; }

Buffer DataArtifact::pickle() const {
  try {
    return detail::load(*state_->task, state_->pointer);
  } catch (const Error& error) {
    detail::refuse_artifact(pathspec(), error);
  }
}

std::optional<std::string> DataArtifact::type() const {
  const auto reference = recorded(*state_);
  return reference && !reference->type.empty() ? std::optional(reference->type) : std::nullopt;
}

std::optional<std::uint64_t> DataArtifact::size() const {
  const auto reference = recorded(*state_);
  if (!reference || reference->size == 0) return std::nullopt;
  if (reference->type == "<class 'metaflow.includefile.IncludedFile'>")
    if (const auto size = detail::included_size(*state_->task, state_->pointer)) return size;
  return reference->size;
}

}  // namespace metaflow::client
