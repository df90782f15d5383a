#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <typeinfo>
#include <vector>

#include <metaflow/buffer.hpp>
#include <metaflow/task.hpp>

namespace [[gnu::visibility("default")]] metaflow {
namespace detail {

/// The task whose artifacts the members of one flow object show. Outlives that object.
struct TaskView {
  const ArtifactSource* source = nullptr;
  std::string flow_name;
  /// What the running step is called, for errors.
  std::string step_name;
  const std::vector<ForeachFrame>* foreach_stack = nullptr;
  bool is_join = false;
};

/// Runs an action until it has succeeded once; several threads may ask at the same time.
class Once {
 public:
  template <class Action>
  void run(Action action) {
    for (;;) {
      auto state = state_.load(std::memory_order_acquire);
      if (state == done) return;
      if (state == running) {
        state_.wait(running);
        continue;
      }
      if (!state_.compare_exchange_strong(state, running)) continue;
      try {
        action();
      } catch (...) {
        set(idle);
        throw;
      }
      set(done);
    }
  }
  bool is_done() const noexcept { return state_.load(std::memory_order_acquire) == done; }
  void set_done(bool yes) noexcept { state_.store(yes ? done : idle, std::memory_order_release); }

 private:
  static constexpr unsigned idle = 0, running = 1, done = 2;
  void set(unsigned state) noexcept {
    state_.store(state, std::memory_order_release);
    state_.notify_all();
  }
  std::atomic<unsigned> state_ = idle;
};

/// One data member of a flow: a name, and the stored value it stands for.
class Slot {
 public:
  Slot() = default;
  virtual ~Slot() = default;

 protected:
  friend struct SlotAccess;
  /// Copies show the same stored value.
  Slot(const Slot& other) noexcept
      : task_(other.task_), name_(other.name_), source_(other.source_), stored_name_(other.stored_name_) {}
  Slot& operator=(const Slot&) = delete;

  /// What a flow's author asked about this member since the task began.
  enum class Change : unsigned char {
    none,      ///< shows what the task began with
    passed,    ///< shows a stored value of another task or name
    set,       ///< holds a value of its own
    forgotten  ///< shows nothing
  };

  /// Artifacts say true: they are written back.
  virtual bool is_artifact() const = 0;
  virtual Encoded encode_value() const = 0;

  /// The stored value behind this member, nothing when there is none.
  std::optional<ArtifactReference> stored() const;
  /// The bytes of the stored value. Error(not_found) when there is none.
  Buffer load() const;
  /// Rethrows the current exception with the name of this artifact, its stored type and the type asked for.
  [[noreturn]] void rethrow_as_unreadable(const std::type_info& asked) const;
  /// Shows from now on what `other` shows. Error(not_found) when that is nothing.
  void pass_from(const Slot& other);
  [[noreturn]] void throw_unset() const;

  const TaskView* task_ = nullptr;
  std::string_view name_;
  const ArtifactSource* source_ = nullptr;
  std::string_view stored_name_;
  Change change_ = Change::none;
};

/// For the runner: everything about slots that authors of flows need not see.
struct SlotAccess {
  static void bind(Slot& slot, const TaskView& task, std::string_view name);
  static bool is_artifact(const Slot& slot) { return slot.is_artifact(); }
  static bool has_value(const Slot& slot);
  static void pass(Slot& slot, const ArtifactSource& source, std::string_view name);
  static const TaskView* task(const Slot& slot) { return slot.task_; }
  static std::string_view name(const Slot& slot) { return slot.name_; }
  /// Adds the slot's value to `values`, or tells the task at once, according to what was done to it.
  static void save(const Slot& slot, std::vector<NamedArtifact>& values, TaskContext& task);
};

/// How C++ calls a type: `std::vector<double, …>`.
std::string type_text(const std::type_info& type);

}  // namespace detail
}  // namespace metaflow
