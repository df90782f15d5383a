#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include <metaflow/buffer.hpp>

namespace [[gnu::visibility("default")]] metaflow {

class Value;

namespace detail {
struct Node;
struct ValueAccess;
}  // namespace detail

/// What a Value holds, by the Python type it stands for.
enum class ValueKind : std::uint8_t {
  none,
  boolean,
  integer,      ///< an int that fits 64 bits with sign
  big_integer,  ///< any other int
  real,
  text,
  bytes,  ///< bytes or bytearray
  list,
  tuple,
  dict,
  set,
  frozenset,
  array,   ///< numpy array or scalar of plain numbers, text or bytes
  object,  ///< an instance of any other class, kept as it was described and never run
  global   ///< a class or function, by name
};

/// A numpy array as stored: nothing is converted.
struct ArrayContent {
  std::string dtype;               ///< `<f8`, `>i4`, `|b1`, `<U12`: byte order, kind, bytes per item (characters for U)
  std::vector<std::size_t> shape;  ///< empty for a single item
  bool fortran_order = false;
  bool is_scalar = false;  ///< numpy.float64(1.5) rather than an array
  std::shared_ptr<const Buffer> owner;
  std::span<const std::byte> bytes;  ///< inside owner

  std::size_t item_size() const noexcept;
  std::size_t count() const noexcept;
};

/// An instance of a class, described by how Python would make it again.
struct ObjectContent;

/// Any value that a pickle of plain data can hold. Cheap to copy: containers are shared and never change. Safe to read from several
/// threads. Nested at most `max_depth` deep: what would be deeper is refused with Error(invalid).
class Value {
 public:
  using Kind = ValueKind;
  using Pair = std::pair<Value, Value>;
  static constexpr int max_depth = 1000;

  /// None.
  Value() = default;
  Value(std::nullptr_t) {}
  template <std::same_as<bool> T>
  Value(T value) : content_(value) {}
  template <std::integral T>
  requires(!std::same_as<T, bool> && sizeof(T) <= 8) Value(T value) {
    if (std::unsigned_integral<T> && static_cast<std::uint64_t>(value) > INT64_MAX)
      *this = from_unsigned(static_cast<std::uint64_t>(value));
    else
      content_ = static_cast<std::int64_t>(value);
  }
  template <std::floating_point T>
  Value(T value) : content_(static_cast<double>(value)) {}
  /// Text must be UTF-8; Error(invalid) otherwise.
  Value(std::string_view text);
  Value(const std::string& text) : Value(std::string_view(text)) {}
  Value(const char* text) : Value(std::string_view(text)) {}

  static Value from_unsigned(std::uint64_t value);
  /// Little-endian two's complement, of any length.
  static Value integer(std::span<const std::byte> little_endian);
  static Value bytes(std::span<const std::byte> content);
  static Value list(std::vector<Value> items);
  static Value tuple(std::vector<Value> items);
  static Value set(std::vector<Value> items);
  static Value frozenset(std::vector<Value> items);
  /// Pairs in order; a key given twice keeps its first place and its last value.
  static Value dict(std::vector<Pair> pairs);
  static Value array(ArrayContent content);
  static Value object(ObjectContent content);
  static Value global(std::string_view module, std::string_view name);

  Kind kind() const noexcept;
  bool is_none() const noexcept { return content_.index() == 0; }
  /// The value's Python type: `int`, `dict`, `numpy.ndarray`, `metaflow.exception.MetaflowExceptionWrapper`.
  std::string type_name() const;

  // Each throws Error(invalid), naming what is here and what was asked for, when the kind is another.
  bool as_boolean() const;
  std::int64_t as_integer() const;
  /// Integers are converted.
  double as_real() const;
  std::string_view as_text() const;
  std::span<const std::byte> as_bytes() const;
  /// Items of a list, tuple, set or frozenset.
  std::span<const Value> items() const;
  /// Pairs of a dict, in order of insertion.
  std::span<const Pair> pairs() const;
  const ArrayContent& as_array() const;
  const ObjectContent& as_object() const;
  /// Module and name of a global.
  std::pair<std::string_view, std::string_view> as_global() const;

  /// What a dict holds under a text key; nullptr when it has no such key.
  const Value* find(std::string_view key) const;
  /// The same; Error(not_found) when it has no such key.
  const Value& at(std::string_view key) const;
  const Value& operator[](std::string_view key) const { return at(key); }
  /// Item of a list or tuple; Error(not_found) when there are fewer.
  const Value& operator[](std::size_t index) const;
  const Value& operator[](int index) const { return (*this)[static_cast<std::size_t>(index)]; }
  const Value& operator[](const char* key) const { return at(key); }
  /// Number of items or pairs, of bytes, or length of an array's first axis. (Text: length in bytes.)
  std::size_t size() const;

  /// As Python's `repr` prints it; integers beyond 4300 digits in hexadecimal, large arrays by shape and dtype.
  std::string repr() const;
  /// As Python's `print` shows it: text as it is, all else like repr.
  std::string str() const;

  /// The same kinds and contents; sets and dicts in the same order. 1 and 1.0 and True differ, NaN differs from itself.
  bool operator==(const Value& other) const;

 private:
  friend struct detail::ValueAccess;
  explicit Value(std::shared_ptr<const detail::Node> node) : content_(std::move(node)) {}

  std::variant<std::monostate, bool, std::int64_t, double, std::shared_ptr<const detail::Node>> content_;
};

struct ObjectContent {
  /// How the object came to be: `cls(*arguments)`, or `cls.__new__(cls, *arguments)`.
  enum class Made { called, created };

  std::string module, name;  ///< of the class or function that was called
  Made made = Made::called;
  std::vector<Value> arguments = {};
  std::vector<Value::Pair> keywords = {};
  std::optional<Value> state = {};      ///< given to __setstate__, or stored as attributes
  std::vector<Value> items = {};        ///< appended afterwards
  std::vector<Value::Pair> pairs = {};  ///< set by key afterwards
};

/// A JSON value: text, numbers, lists and dicts with text keys.
using Json = Value;

}  // namespace metaflow
