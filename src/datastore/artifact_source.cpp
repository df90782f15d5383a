#include <algorithm>
#include <array>
#include <map>
#include <mutex>

#include <metaflow/error.hpp>
#include <metaflow/pickle.hpp>

#include "datastore/artifacts.hpp"

namespace metaflow::datastore {
namespace {

constexpr std::array<std::string_view, 4> known_encodings{"pickle-v4", "pickle-v2", "gzip+pickle-v4", "gzip+pickle-v2"};

/// Bytes of a list that is kept for the next item asked of it. The process that forks tasks holds it for all of them, and forking
/// gets slower with all it holds; but each task that reads the list anew takes far longer.
constexpr std::size_t largest_kept_list = 64 << 20;

// Of the pickle of []: what most tasks have for a foreach stack.
constexpr std::string_view key_of_empty_list = "c5cf38908fc549f499ade5b17ce221ff0ced377f";

/// A ForeachFrame of the reference: a named tuple (step, var, num_splits, index, value). Older ones lack the value.
ForeachFrame parse_frame(const Value& value) {
  const auto& object = value.as_object();
  const auto& fields = object.arguments;
  if (object.name != "ForeachFrame" || fields.size() < 4) {
    throw Error(ErrorCode::corrupt, "a " + object.name + " is no ForeachFrame");
  }
  ForeachFrame frame{.step = std::string(fields[0].as_text()),
                     .variable = std::string(fields[1].as_text()),
                     .num_splits = std::nullopt,
                     .index = fields[3].is_none() ? -1 : fields[3].as_integer(),
                     .value = std::nullopt};
  if (!fields[2].is_none()) frame.num_splits = fields[2].as_integer();
  if (fields.size() > 4 && !fields[4].is_none()) frame.value = std::string(fields[4].as_text());
  return frame;
}

std::vector<ForeachFrame> parse_stack(Buffer pickle) {
  std::vector<ForeachFrame> stack;
  const auto value = pickle::decode(std::move(pickle));
  for (const auto& frame : value.items()) stack.push_back(parse_frame(frame));
  return stack;
}

class StoredArtifacts final : public ArtifactSource {
 public:
  StoredArtifacts(const BlobStore& blobs, std::string flow, TaskPath path, ArtifactTable artifacts)
      : blobs_(blobs), flow_(std::move(flow)), path_(std::move(path)), artifacts_(std::move(artifacts)) {}

  std::optional<ArtifactReference> find(std::string_view name) const override {
    const auto found = artifacts_.find(name);
    if (found == artifacts_.end()) return std::nullopt;
    return found->second;
  }

  std::vector<std::string> names() const override {
    std::vector<std::string> names;
    for (const auto& [name, reference] : artifacts_) names.push_back(name);
    return names;
  }

  Buffer load(std::string_view name, const ArtifactReference& reference) const override {
    return named(name, [&] {
      if (std::find(known_encodings.begin(), known_encodings.end(), reference.encoding) == known_encodings.end()) {
        throw Error(ErrorCode::invalid, "its encoding '" + reference.encoding + "' is not known here");
      }
      return blobs_.get(reference.key);
    });
  }

  pickle::Document load_item(std::string_view name, const ArtifactReference& reference,
                             std::size_t index) const override {
    if (reference.size > largest_kept_list) return ArtifactSource::load_item(name, reference, index);
    return kept_list(name, reference).item(index);
  }

  std::optional<std::string> load_item_pickle(std::string_view name, const ArtifactReference& reference,
                                              std::size_t index) const override {
    if (reference.size > largest_kept_list) return ArtifactSource::load_item_pickle(name, reference, index);
    return kept_list(name, reference).pickle(index);
  }

  Buffer load_included_file(std::string_view url) const override {
    return datastore::load_included_file(url, is_content_address(url));
  }

  std::string task_pathspec() const override { return path_.text(); }
  std::string step_name() const override { return path_.step; }

  const std::vector<ForeachFrame>& foreach_stack() const override {
    const std::scoped_lock lock(mutex_);
    if (!stack_) {
      const auto reference = find("_foreach_stack");
      const bool is_empty = !reference || reference->key == key_of_empty_list;
      stack_ = !is_empty ? named("_foreach_stack", [&] { return parse_stack(blobs_.get(reference->key)); })
                         : std::vector<ForeachFrame>();
    }
    return *stack_;
  }

 private:
  /// Says of whatever fails which artifact of which task it was.
  template <class Read>
  auto named(std::string_view name, Read read) const -> decltype(read()) {
    try {
      return read();
    } catch (const Error& error) {
      throw Error(error.code(), "cannot read artifact '" + std::string(name) + "' of " + flow_ + '/' + path_.text() +
                                    ": " + error.what());
    }
  }

  pickle::Items kept_list(std::string_view name, const ArtifactReference& reference) const {
    const std::scoped_lock lock(mutex_);
    auto list = lists_.find(reference.key);
    if (list == lists_.end()) list = lists_.emplace(reference.key, load(name, reference)).first;
    return list->second;
  }

  const BlobStore& blobs_;
  const std::string flow_;
  const TaskPath path_;
  const ArtifactTable artifacts_;
  mutable std::mutex mutex_;                                // guards what follows
  mutable std::map<std::string, pickle::Items> lists_;      // by key
  mutable std::optional<std::vector<ForeachFrame>> stack_;  // never changed once set
};

}  // namespace

std::unique_ptr<ArtifactSource> make_artifact_source(const BlobStore& blobs, std::string flow_name, TaskPath path,
                                                     ArtifactTable artifacts) {
  return std::make_unique<StoredArtifacts>(blobs, std::move(flow_name), std::move(path), std::move(artifacts));
}

}  // namespace metaflow::datastore
