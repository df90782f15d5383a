#pragma once

#include <algorithm>
#include <cassert>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include <metaflow/buffer.hpp>
#include <metaflow/error.hpp>
#include <metaflow/value.hpp>

namespace [[gnu::visibility("default")]] metaflow {

namespace detail {
/// std::complex<float> and std::complex<double>, without including <complex>: it costs every flow a tenth of its time
/// to compile.
template <class T>
concept ComplexItem = requires(const T& number) {
  requires std::same_as<typename T::value_type, float> || std::same_as<typename T::value_type, double>;
  requires sizeof(T) == 2 * sizeof(typename T::value_type);
  { number.real() } -> std::same_as<typename T::value_type>;
  { number.imag() } -> std::same_as<typename T::value_type>;
};
}  // namespace detail

template <class T>
concept ArrayItem = (std::is_arithmetic_v<T> && sizeof(T) <= 8) || detail::ComplexItem<T>;

namespace detail {

/// numpy's name of T: `<f8`.
template <ArrayItem T>
constexpr auto dtype_text() {
  struct Text {
    char characters[5]{};
    constexpr operator std::string_view() const { return characters; }
  } text;
  constexpr bool is_complex = !std::is_arithmetic_v<T>;
  std::size_t at = 0;
  text.characters[at++] = sizeof(T) == 1 ? '|' : '<';
  text.characters[at++] = is_complex                    ? 'c'
                          : std::is_same_v<T, bool>     ? 'b'
                          : std::is_floating_point_v<T> ? 'f'
                          : std::is_signed_v<T>         ? 'i'
                                                        : 'u';
  if (sizeof(T) > 9) text.characters[at++] = '1';
  text.characters[at] = static_cast<char>('0' + sizeof(T) % 10);
  return text;
}

/// Whether the array's bytes are, as they lie, row-major items of `dtype`.
bool has_layout(const ArrayContent& array, std::string_view dtype);
/// Row-major items of `dtype`, this machine's byte order. Error(invalid) when that cannot be done exactly.
void copy_array(const ArrayContent& array, std::string_view dtype, std::byte* out);
/// Product of the extents. Error(invalid) when that many items cannot be.
std::size_t checked_count(std::span<const std::size_t> shape, std::size_t item_size);

}  // namespace detail

/// Numbers in a grid of any rank, row-major; Python sees a numpy.ndarray. Owns its items; copies are deep.
template <ArrayItem T>
class Array {
 public:
  using value_type = T;
  using iterator = T*;
  using const_iterator = const T*;

  /// One axis of no items.
  Array() : shape_{0} {}
  /// All items are zero.
  explicit Array(std::vector<std::size_t> shape) : Array(std::move(shape), Uninitialized{}) {
    std::fill_n(data_, size_, T{});
  }
  /// `items` in row-major order; Error(invalid) when there are more or fewer than the shape says.
  Array(std::vector<std::size_t> shape, std::span<const T> items) : Array(std::move(shape), Uninitialized{}) {
    if (items.size() != size_)
      throw Error(ErrorCode::invalid, "the array's shape holds " + std::to_string(size_) + " items, but " +
                                          std::to_string(items.size()) + " were given");
    std::copy(items.begin(), items.end(), data_);
  }
  Array(std::vector<std::size_t> shape, std::initializer_list<T> items)
      : Array(std::move(shape), std::span<const T>(items.begin(), items.size())) {}
  Array(const Array& other) : Array(other.shape_, Uninitialized{}) { std::copy_n(other.data_, size_, data_); }
  Array(Array&& other) noexcept
      : shape_(std::exchange(other.shape_, {0})),
        owner_(std::move(other.owner_)),
        data_(std::exchange(other.data_, nullptr)),
        size_(std::exchange(other.size_, 0)) {}
  Array& operator=(Array other) noexcept {
    std::swap(shape_, other.shape_);
    std::swap(owner_, other.owner_);
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    return *this;
  }

  /// The items an array read from storage has. With `buffer`, which then nobody else may change, they are used where they lie if they
  /// are of this type and aligned for it; otherwise they are copied and converted.
  static Array from(const ArrayContent& content, std::shared_ptr<Buffer> buffer = nullptr) {
    const auto address = reinterpret_cast<std::uintptr_t>(content.bytes.data());
    if (buffer && buffer == content.owner && address % alignof(T) == 0 && detail::has_layout(content, dtype())) {
      Array array;
      array.shape_ = content.shape;
      array.size_ = content.count();
      array.data_ = reinterpret_cast<T*>(const_cast<std::byte*>(content.bytes.data()));
      array.owner_ = std::move(buffer);
      return array;
    }
    Array array(content.shape, Uninitialized{});
    detail::copy_array(content, dtype(), reinterpret_cast<std::byte*>(array.data_));
    return array;
  }

  std::span<const std::size_t> shape() const noexcept { return shape_; }
  std::size_t rank() const noexcept { return shape_.size(); }
  std::size_t size() const noexcept { return size_; }
  bool empty() const noexcept { return size_ == 0; }
  T* data() noexcept { return data_; }
  const T* data() const noexcept { return data_; }
  T* begin() noexcept { return data_; }
  T* end() noexcept { return data_ + size_; }
  const T* begin() const noexcept { return data_; }
  const T* end() const noexcept { return data_ + size_; }

  /// By position in row-major order; unchecked.
  T& operator[](std::size_t i) noexcept { return data_[i]; }
  const T& operator[](std::size_t i) const noexcept { return data_[i]; }
  /// One index for each axis; unchecked.
  template <std::convertible_to<std::size_t>... Index>
  T& operator()(Index... index) noexcept {
    return data_[position({static_cast<std::size_t>(index)...})];
  }
  template <std::convertible_to<std::size_t>... Index>
  const T& operator()(Index... index) const noexcept {
    return data_[position({static_cast<std::size_t>(index)...})];
  }

  /// numpy's name of the item type: `<f8`.
  static constexpr std::string_view dtype() { return name_; }

  bool operator==(const Array& other) const {
    return shape_ == other.shape_ && std::equal(begin(), end(), other.begin(), other.end());
  }

 private:
  struct Uninitialized {};
  static constexpr auto name_ = detail::dtype_text<T>();

  Array(std::vector<std::size_t> shape, Uninitialized)
      : shape_(std::move(shape)), size_(detail::checked_count(shape_, sizeof(T))) {
    owner_ = std::make_shared<Buffer>(size_ * sizeof(T));
    data_ = reinterpret_cast<T*>(owner_->data());
  }

  std::size_t position(std::initializer_list<std::size_t> index) const noexcept {
    assert(index.size() == shape_.size());
    std::size_t place = 0;
    const auto* extent = shape_.data();
    for (const auto i : index) place = place * *extent++ + i;
    return place;
  }

  std::vector<std::size_t> shape_;
  std::shared_ptr<Buffer> owner_;
  T* data_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace metaflow
