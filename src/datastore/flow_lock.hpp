#pragma once

#include <functional>
#include <optional>
#include <string>

#include "base/files.hpp"
#include "storage/object_store.hpp"

namespace metaflow::datastore {

/// What a flow without a lock file means to who wants to use it.
enum class IfAbsent {
  make,  ///< it is about to begin
  pass   ///< where there is no flow, or nothing may be made for us to hold it by, it is used without
};

/// Holds what a flow has stored: whoever runs tasks of it, or reads what these will rely on, holds it together with
/// others; `metaflow gc` holds it alone while it takes things away. An flock on `<Flow>/.lock`, which the kernel lets go
/// when its process ends, however it does (docs/formats/gc.md). Official Metaflow does not know it.
class FlowLock {
 public:
  /// Together with others. While gc holds it alone, calls `on_wait` once and waits: Error(unavailable) after ten minutes.
  /// Holds nothing in a store that is no folder, and on a file system without locks, where gc refuses to work by
  /// itself.
  static FlowLock share(const storage::ObjectStore& store, const std::string& flow, IfAbsent if_absent,
                        const std::function<void()>& on_wait);
  /// The same in a folder.
  static FlowLock share(const std::string& root, const std::string& flow, IfAbsent if_absent,
                        const std::function<void()>& on_wait);
  /// Alone; nothing when somebody else holds it. Error when the file system knows no locks or does not let us write.
  static std::optional<FlowLock> take(const std::string& root, const std::string& flow);

 private:
  explicit FlowLock(FileDescriptor file) : file_(std::move(file)) {}

  FileDescriptor file_;
};

}  // namespace metaflow::datastore
