#pragma once

#include <concepts>
#include <string_view>
#include <utility>

#include <metaflow/codec.hpp>
#include <metaflow/detail/slot.hpp>
#include <metaflow/model.hpp>

namespace [[gnu::visibility("default")]] metaflow {
namespace detail {

/// What the description of a flow needs to know of a constant.
class ConstantSlot : public Slot {
 public:
  virtual model::Constant describe(std::string_view name) const = 0;

 private:
  bool is_artifact() const final { return false; }
  Encoded encode_value() const final { return {}; }
};

model::Constant make_constant(std::string_view name, const Encoded& value);

}  // namespace detail

/// A value that belongs to the flow itself: the same in every run of this program, stored with each under the member's
/// name, read-only.
///
///     mf::Constant<int> folds{5};
///     mf::Constant<std::vector<std::string>> genres{std::vector<std::string>{"comedy", "drama"}};
///
/// `*c` reads what the program says, in any step and from several threads; nothing is loaded.
template <class T>
class Constant : public detail::ConstantSlot {
  static_assert(Storable<T>,
                "this type cannot be stored as a constant: use what an artifact may hold (docs/flow-api.md)");

 public:
  using value_type = T;

  Constant(T value) : value_(std::move(value)) {}
  Constant(const Constant& other) : ConstantSlot(other), value_(other.value_) {}
  Constant& operator=(const Constant&) = delete;

  const T& operator*() const& { return value_; }
  const T* operator->() const { return &value_; }
  operator const T&() const& { return value_; }
  const T& value() const& { return value_; }

  template <class U>
  requires(!std::derived_from<U, detail::Slot>) && requires(const T& a, const U& b) {
    { a == b } -> std::convertible_to<bool>;
  }
  friend bool operator==(const Constant& a, const U& b) { return a.value_ == b; }

  model::Constant describe(std::string_view name) const override { return detail::make_constant(name, encode(value_)); }

 private:
  T value_;
};

}  // namespace metaflow
