#include "cloud/appends.hpp"

#include <algorithm>

namespace metaflow::cloud {

void Appends::append(std::string_view key, std::string_view bytes) {
  const std::scoped_lock lock(mutex_);
  if (error_) throw Error(*std::exchange(error_, std::nullopt));
  auto& text = texts_[std::string(key)];
  text.text += bytes;
  text.is_settled = false;
  if (std::exchange(text.is_changed, true)) return;
  text.due = std::chrono::steady_clock::now() + wait_;
  if (!writer_.joinable()) writer_ = std::jthread([this](const std::stop_token& stop) { run(stop); });
  news_.notify_one();
}

void Appends::settle(std::string_view key) {
  const std::scoped_lock lock(mutex_);
  const auto found = texts_.find(key);
  if (found == texts_.end()) return;
  found->second.is_settled = true;
  if (found->second.is_changed)
    hurry(found->second);
  else if (!found->second.is_being_written)
    texts_.erase(found);
}

void Appends::flush(std::string_view key) {
  std::unique_lock lock(mutex_);
  wait_for(key, lock);
}

void Appends::flush_all() {
  std::unique_lock lock(mutex_);
  std::vector<std::string> keys;
  for (auto& [key, text] : texts_) {
    if (text.is_changed) hurry(text);
    keys.push_back(key);
  }
  for (const auto& key : keys) wait_for(key, lock);
}

void Appends::hurry(Text& text) {
  text.due = std::chrono::steady_clock::now();
  news_.notify_one();
}

void Appends::wait_for(std::string_view key, std::unique_lock<std::mutex>& lock) {
  if (const auto found = texts_.find(key); found != texts_.end() && found->second.is_changed) hurry(found->second);
  const auto failures = failures_;
  written_.wait(lock, [&] {
    const auto found = texts_.find(key);
    return failures_ != failures || found == texts_.end() ||
           (!found->second.is_changed && !found->second.is_being_written);
  });
  if (failures_ != failures) throw Error(*last_error_);
}

void Appends::run(const std::stop_token& stop) {
  std::unique_lock lock(mutex_);
  while (true) {
    const bool is_end = stop.stop_requested();
    const auto due = next_due();
    if (!due && is_end) return;
    const auto has_changed = [&] { return next_due() != due; };
    if (!is_end && !due) {
      news_.wait(lock, stop, has_changed);
      continue;
    }
    if (!is_end && *due > std::chrono::steady_clock::now()) {
      news_.wait_until(lock, stop, *due, has_changed);
      continue;
    }
    auto texts = take_due(is_end ? Moment::max() : std::chrono::steady_clock::now());
    std::optional<Error> error;
    lock.unlock();
    try {
      write_(texts);
    } catch (const Error& problem) {
      error = problem;
    }
    lock.lock();
    for (auto& text : texts) finish(text, error);
    if (error) {
      last_error_ = error;
      ++failures_;
      if (!error->retryable()) error_ = error;
    }
    written_.notify_all();
    if (is_end) return;
  }
}

std::optional<Appends::Moment> Appends::next_due() const {
  std::optional<Moment> first;
  for (const auto& [key, text] : texts_)
    if (text.is_changed) first = std::min(first.value_or(Moment::max()), text.due);
  return first;
}

std::vector<Appends::Grown> Appends::take_due(Moment until) {
  std::vector<Grown> due;
  for (auto& [key, text] : texts_) {
    if (!text.is_changed || text.due > until) continue;
    text.is_changed = false;
    text.is_being_written = true;
    due.push_back({.key = key, .text = text.text, .is_new = text.is_new});
  }
  return due;
}

void Appends::finish(Grown& written, const std::optional<Error>& error) {
  const auto found = texts_.find(written.key);
  auto& text = found->second;
  text.is_being_written = false;
  if (error && error->retryable()) {
    text.is_changed = true;
    text.due = std::chrono::steady_clock::now() + wait_;
    return;
  }
  text.is_new = false;
  text.text.insert(0, written.before);
  if (error || (text.is_settled && !text.is_changed)) texts_.erase(found);
}

}  // namespace metaflow::cloud
