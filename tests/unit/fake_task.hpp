#pragma once

#include <cstring>
#include <deque>
#include <map>
#include <string>
#include <vector>

#include <metaflow/flow.hpp>

/// A task without an engine: artifacts in memory, by name.
namespace metaflow::testing {

inline std::string bytes_of(const Encoded& value) {
  std::string bytes;
  for (std::size_t i = 0; i < value.pickle.count(); ++i) {
    const auto piece = value.pickle.piece(i);
    bytes.append(reinterpret_cast<const char*>(piece.data()), piece.size());
  }
  return bytes;
}

inline Buffer buffer_of(std::string_view bytes) {
  Buffer buffer(bytes.size());
  if (!bytes.empty()) std::memcpy(buffer.data(), bytes.data(), bytes.size());
  return buffer;
}

/// Artifacts of one task. The key of a value is its bytes.
class FakeSource : public ArtifactSource {
 public:
  template <class T>
  FakeSource& with(const std::string& name, const T& value) {
    const auto encoded = encode(value);
    artifacts[name] = {bytes_of(encoded), encoded.type, encoded.pickle.size()};
    return *this;
  }

  std::optional<ArtifactReference> find(std::string_view name) const override {
    const auto found = artifacts.find(std::string(name));
    if (found == artifacts.end()) return std::nullopt;
    return found->second;
  }
  std::vector<std::string> names() const override {
    std::vector<std::string> all;
    for (const auto& [name, reference] : artifacts) all.push_back(name);
    return all;
  }
  Buffer load(std::string_view, const ArtifactReference& reference) const override {
    ++loads;
    return buffer_of(reference.key);
  }
  Buffer load_included_file(std::string_view url) const override { return buffer_of(files.at(std::string(url))); }
  std::string task_pathspec() const override { return pathspec; }
  std::string step_name() const override { return step; }
  const std::vector<ForeachFrame>& foreach_stack() const override { return stack; }

  std::map<std::string, ArtifactReference> artifacts;
  std::map<std::string, std::string> files;
  std::vector<ForeachFrame> stack;
  std::string pathspec = "12/start/3", step = "start";
  mutable std::atomic<int> loads = 0;
};

class FakeTask : public TaskContext {
 public:
  FakeTask() {
    current_.flow_name = "Films";
    current_.run_id = "12";
    current_.task_id = "7";
  }
  const Current& current() const override { return current_; }
  const ArtifactSource& inherited() const override { return before; }
  std::size_t input_count() const override { return inputs.size(); }
  const ArtifactSource& input(std::size_t i) const override { return inputs[i]; }
  void store(std::span<const NamedArtifact> artifacts) override {
    for (const auto& artifact : artifacts) {
      after.artifacts[artifact.name] = {bytes_of(artifact.value), artifact.value.type, artifact.value.pickle.size()};
      stored.push_back(artifact.name);
    }
  }
  void pass(std::string_view name, const ArtifactReference& reference) override {
    after.artifacts[std::string(name)] = reference;
    passed.emplace_back(name);
  }
  void drop(std::string_view name) override { dropped.emplace_back(name); }

  /// Runs one step of the flow by name.
  template <class Flow>
  StepResult run(std::string_view step) {
    const auto program = metaflow::program<Flow>();
    for (std::size_t i = 0; i < program.flow.steps.size(); ++i)
      if (program.flow.steps[i].name == step) return program.run_step(i, *this);
    throw Error(ErrorCode::not_found, "no such step");
  }
  /// What the task left under a name.
  template <class T>
  T left(const std::string& name) const {
    return decode<T>(buffer_of(after.artifacts.at(name).key));
  }

  Current current_;
  FakeSource before, after;
  std::deque<FakeSource> inputs;
  std::vector<std::string> stored, passed, dropped;
};

}  // namespace metaflow::testing
