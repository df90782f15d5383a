#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include <metaflow/error.hpp>

namespace metaflow::cloud {

/// Texts that grow, in a store whose values do not: they are kept here and written whole, several at a time, by a thread that starts with
/// the first of them. What is left when this goes is written then, or lost if that fails. Safe to use from several threads.
class Appends {
 public:
  struct Grown {
    std::string key, text;
    /// Nobody has looked yet whether the key holds something already; if it does, `text` belongs behind it.
    bool is_new = false;
    std::string before = {};  ///< that, filled in by who writes it
  };
  /// Writes all of these, or throws Error.
  using Write = std::function<void(std::vector<Grown>& texts)>;

  /// A text is written `wait` after it has grown.
  Appends(Write write, std::chrono::milliseconds wait) : write_(std::move(write)), wait_(wait) {}

  /// Throws, once, what kept a text from being written for good; what may pass is tried again.
  void append(std::string_view key, std::string_view bytes);
  /// The text is to be written soon, and then forgotten.
  void settle(std::string_view key);
  /// Returns when what was appended is written, to one key or to all; at once when nothing was. Throws what keeps it from that.
  void flush(std::string_view key);
  void flush_all();

 private:
  using Moment = std::chrono::steady_clock::time_point;
  struct Text {
    std::string text;
    bool is_new = true, is_changed = false, is_being_written = false, is_settled = false;
    Moment due = {};  ///< when it is changed
  };

  void run(const std::stop_token& stop);
  std::optional<Moment> next_due() const;
  std::vector<Grown> take_due(Moment until);
  void finish(Grown& written, const std::optional<Error>& error);
  void hurry(Text& text);
  void wait_for(std::string_view key, std::unique_lock<std::mutex>& lock);

  const Write write_;
  const std::chrono::milliseconds wait_;
  std::mutex mutex_;
  std::condition_variable_any news_, written_;
  std::map<std::string, Text, std::less<>> texts_;  // guarded by mutex_
  std::optional<Error> error_;                      // guarded by mutex_, that nobody has been told
  std::optional<Error> last_error_;                 // guarded by mutex_
  int failures_ = 0;                                // guarded by mutex_
  std::jthread writer_;                             // guarded by mutex_; last, as it uses all others
};

}  // namespace metaflow::cloud
