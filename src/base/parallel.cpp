#include "base/parallel.hpp"

#include <algorithm>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <optional>
#include <system_error>
#include <thread>
#include <vector>

namespace metaflow {
namespace {

/// Who does which index, and which are done.
class Progress {
 public:
  explicit Progress(std::size_t count) : done_(count, false) {}

  /// The next index nobody has begun; nothing when there is none or all is to stop.
  std::optional<std::size_t> begin() {
    const std::scoped_lock lock(mutex_);
    if (failure_ || next_ == done_.size()) return std::nullopt;
    return next_++;
  }

  void run(std::size_t index, const std::function<void(std::size_t)>& produce) {
    try {
      produce(index);
      const std::scoped_lock lock(mutex_);
      done_[index] = true;
    } catch (...) {
      fail(std::current_exception());
    }
    changed_.notify_one();
  }

  void fail(std::exception_ptr failure) {
    const std::scoped_lock lock(mutex_);
    if (!failure_) failure_ = std::move(failure);
  }

  bool is_done(std::size_t index) {
    const std::scoped_lock lock(mutex_);
    return done_[index];
  }

  /// False when it never will be.
  bool wait_for(std::size_t index) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return done_[index] || failure_; });
    return !failure_;
  }

  void rethrow() {
    if (failure_) std::rethrow_exception(failure_);
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::size_t next_ = 0;        // guarded by mutex_, as all that follows
  std::vector<bool> done_;      // guarded by mutex_
  std::exception_ptr failure_;  // guarded by mutex_
};

void work(Progress& progress, const std::function<void(std::size_t)>& produce) {
  while (const auto index = progress.begin()) progress.run(*index, produce);
}

/// The caller consumes what is done and lends a hand while it would have to wait.
void consume_all(Progress& progress, std::size_t count, const std::function<void(std::size_t)>& produce,
                 const std::function<void(std::size_t)>& consume) {
  for (std::size_t i = 0; i < count; ++i) {
    while (!progress.is_done(i)) {
      const auto index = progress.begin();
      if (!index) break;
      progress.run(*index, produce);
    }
    if (!progress.wait_for(i)) return;
    consume(i);
  }
}

}  // namespace

void produce_in_order(std::size_t count, const std::function<void(std::size_t)>& produce,
                      const std::function<void(std::size_t)>& consume) {
  Progress progress(count);
  {
    std::vector<std::jthread> helpers;
    const auto cores = std::max<std::size_t>(std::thread::hardware_concurrency(), 1);
    const auto threads = std::min(cores, count);
    try {
      for (std::size_t i = 1; i < threads; ++i) helpers.emplace_back([&] { work(progress, produce); });
    } catch (const std::system_error&) {
      // No more threads are allowed here: the caller's own does all the work, only later.
    }
    try {
      consume_all(progress, count, produce, consume);
    } catch (...) {
      progress.fail(std::current_exception());
    }
  }
  progress.rethrow();
}

void for_each_index(std::size_t count, const std::function<void(std::size_t)>& job) {
  if (count == 1) return job(0);
  produce_in_order(count, job, [](std::size_t) {});
}

}  // namespace metaflow
