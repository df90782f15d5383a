#pragma once

#include <concepts>
#include <optional>
#include <type_traits>
#include <utility>

#include <metaflow/codec.hpp>
#include <metaflow/detail/slot.hpp>

namespace [[gnu::visibility("default")]] metaflow {

/// A value that a step leaves for the steps after it, stored under the member's name. Reads like a const std::optional:
///
///     mf::Artifact<std::vector<std::string>> genres;
///     …
///     genres = {"comedy", "drama"};          // set
///     for (const auto& g : *genres) …        // read
///     genres.edit().push_back("western");    // change in place
///
/// A value of an earlier step is loaded on first use. One that is neither set nor edited is passed on by its key:
/// neither loaded nor written. Reading throws Error(not_found) when no step has set it, Error(invalid) when what is
/// stored is no T, Error(corrupt) or Error(unavailable) when it cannot be loaded.
///
/// Several threads may read one artifact; setting, editing and resetting need them to have stopped. A copy shows the
/// same value; an artifact outside a running task is simply a place for a value.
template <class T>
class Artifact : public detail::Slot {
  static_assert(Storable<T>,
                "this type cannot be stored as an artifact: use scalars, strings, standard containers, mf::Array, or "
                "give your struct a list of its fields (docs/flow-api.md)");

 public:
  using value_type = T;

  Artifact() = default;
  Artifact(const Artifact& other) : Slot(other) { copy_value(other); }

  /// Sets the value.
  template <class U = T>
  requires(!std::same_as<std::remove_cvref_t<U>, Artifact> && std::constructible_from<T, U> &&
           std::convertible_to<U, T>) Artifact&
  operator=(U&& value) {
    value_.emplace(std::forward<U>(value));
    mark_set();
    return *this;
  }
  /// Takes over the other's value: by its key, without loading it, when that one was not changed.
  /// Error(not_found) when it has none.
  Artifact& operator=(const Artifact& other) {
    if (this == &other) return *this;
    if (other.is_set()) {
      value_ = other.value_;
      mark_set();
    } else {
      pass_from(other);
      value_.reset();
      loaded_.set_done(false);
    }
    return *this;
  }

  /// Whether there is a value; loads nothing.
  bool has_value() const { return is_set() || stored().has_value(); }

  const T& operator*() const& { return get(); }
  const T* operator->() const { return &get(); }
  operator const T&() const& { return get(); }
  const T& value() const& { return get(); }
  template <class U>
  T value_or(U&& fallback) const {
    return has_value() ? get() : static_cast<T>(std::forward<U>(fallback));
  }

  /// The value, to be changed in place; it is stored anew when the step ends.
  T& edit() {
    get();
    mark_set();
    return *value_;
  }
  /// Forgets the value, for this step and those after it.
  void reset() {
    value_.reset();
    loaded_.set_done(false);
    change_ = Change::forgotten;
  }

  template <class U>
  requires(!std::derived_from<U, detail::Slot>) && requires(const T& a, const U& b) {
    { a == b } -> std::convertible_to<bool>;
  }
  friend bool operator==(const Artifact& a, const U& b) { return a.get() == b; }

  friend bool operator==(const Artifact& a, const Artifact& b) { return a.get() == b.get(); }

 private:
  bool is_artifact() const override { return true; }
  Encoded encode_value() const override { return encode(*value_); }
  bool is_set() const { return change_ == Change::set; }

  void mark_set() {
    change_ = Change::set;
    loaded_.set_done(true);
  }
  void copy_value(const Artifact& other) {
    if (other.is_set()) {
      value_ = other.value_;
      mark_set();
    } else {
      change_ = other.change_;
    }
  }
  const T& get() const {
    loaded_.run([this] {
      try {
        value_.emplace(decode<T>(load()));
      } catch (const Error& error) {
        if (error.code() != ErrorCode::invalid) throw;
        rethrow_as_unreadable(typeid(T));
      }
    });
    return *value_;
  }

  mutable std::optional<T> value_;
  mutable detail::Once loaded_;
};

}  // namespace metaflow
