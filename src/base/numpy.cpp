#include "base/numpy.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>

#include <metaflow/array.hpp>
#include <metaflow/error.hpp>

#include "base/unicode.hpp"

namespace metaflow {
namespace detail {
namespace {

/// Up to 16 bytes of one number, brought into this machine's order.
struct Item {
  std::byte bytes[16]{};

  template <class T>
  T as(std::size_t part = 0) const {
    T value;
    std::memcpy(&value, bytes + part * sizeof(T), sizeof value);
    return value;
  }
};

bool is_foreign_order(std::string_view dtype) {
  return dtype[0] == (std::endian::native == std::endian::little ? '>' : '<');
}

/// Size of what is swapped as one: half an item for complex numbers, a character for text.
std::size_t swap_unit(const ArrayContent& array) {
  if (array.dtype[1] == 'c') return array.item_size() / 2;
  if (array.dtype[1] == 'U') return 4;
  return array.dtype[1] == 'S' ? 1 : array.item_size();
}

void reverse_units(std::byte* bytes, std::size_t size, std::size_t unit) {
  for (std::size_t at = 0; at + unit <= size; at += unit) std::reverse(bytes + at, bytes + at + unit);
}

/// Where in memory the item lies that is `index`th in row-major order.
std::size_t memory_index(const ArrayContent& array, std::size_t index) {
  if (!array.fortran_order) return index;
  std::size_t place = 0, stride = array.count();
  for (std::size_t axis = array.shape.size(); axis-- > 0;) {
    const std::size_t extent = array.shape[axis];
    stride /= extent;
    place += (index % extent) * stride;
    index /= extent;
  }
  return place;
}

Item item_at(const ArrayContent& array, std::size_t place) {
  Item item;
  const std::size_t size = array.item_size();
  std::memcpy(item.bytes, array.bytes.data() + place * size, size);
  if (is_foreign_order(array.dtype)) reverse_units(item.bytes, size, swap_unit(array));
  return item;
}

double from_half(std::uint16_t half) {
  const int exponent = (half >> 10) & 31;
  const double fraction = half & 1023;
  const double sign = half & 0x8000 ? -1 : 1;
  if (exponent == 31) return fraction != 0 ? std::nan("") : sign * HUGE_VAL;
  if (exponent == 0) return sign * std::ldexp(fraction, -24);
  return sign * std::ldexp(fraction + 1024, exponent - 25);
}

Value text_item(const ArrayContent& array, std::size_t place) {
  const std::size_t size = array.item_size();
  std::vector<std::byte> bytes(array.bytes.begin() + static_cast<std::ptrdiff_t>(place * size),
                               array.bytes.begin() + static_cast<std::ptrdiff_t>((place + 1) * size));
  if (array.dtype[1] == 'S') {
    while (!bytes.empty() && bytes.back() == std::byte{0}) bytes.pop_back();
    return Value::bytes(bytes);
  }
  if (is_foreign_order(array.dtype)) reverse_units(bytes.data(), bytes.size(), 4);
  std::string text;
  for (std::size_t i = 0; i + 4 <= bytes.size(); i += 4) {
    char32_t point;
    std::memcpy(&point, bytes.data() + i, 4);
    if (point > 0x10ffff) throw Error(ErrorCode::corrupt, "a numpy text array holds a code point that does not exist");
    append_utf8(text, point);
  }
  return Value(std::string_view(text).substr(0, text.find_last_not_of('\0') + 1));
}

Value integer_item(const Item& item, std::size_t size) {
  switch (size) {
    case 1:
      return item.as<std::int8_t>();
    case 2:
      return item.as<std::int16_t>();
    case 4:
      return item.as<std::int32_t>();
    default:
      return item.as<std::int64_t>();
  }
}

Value unsigned_item(const Item& item, std::size_t size) {
  switch (size) {
    case 1:
      return item.as<std::uint8_t>();
    case 2:
      return item.as<std::uint16_t>();
    case 4:
      return item.as<std::uint32_t>();
    default:
      return item.as<std::uint64_t>();
  }
}

Value real_item(const Item& item, std::size_t size) {
  if (size == 2) return from_half(item.as<std::uint16_t>());
  return size == 4 ? Value(item.as<float>()) : Value(item.as<double>());
}

Value complex_item(const Item& item, std::size_t size) {
  if (size == 8) return Value::tuple({item.as<float>(0), item.as<float>(1)});
  return Value::tuple({item.as<double>(0), item.as<double>(1)});
}

[[noreturn]] void cannot_convert(const ArrayContent& array, std::string_view asked, const char* why) {
  throw Error(ErrorCode::invalid,
              "the array has dtype " + array.dtype + ", which " + why + " dtype " + std::string(asked));
}

template <class T>
void convert(const ArrayContent& array, std::byte* out, std::string_view dtype) {
  for (std::size_t i = 0, count = array.count(); i < count; ++i) {
    const Value item = array_item(array, i);
    T converted{};
    if constexpr (std::is_floating_point_v<T>) {
      converted =
          static_cast<T>(item.kind() == ValueKind::boolean ? static_cast<double>(item.as_boolean()) : item.as_real());
    } else {
      const std::int64_t number = item.kind() == ValueKind::boolean ? item.as_boolean() : item.as_integer();
      if (!std::in_range<T>(number)) cannot_convert(array, dtype, "holds a number out of range for");
      converted = static_cast<T>(number);
    }
    std::memcpy(out + i * sizeof(T), &converted, sizeof converted);
  }
}

void convert_to(const ArrayContent& array, std::byte* out, std::string_view dtype) {
  const auto kind_size = dtype.substr(1);
  if (kind_size == "f8") return convert<double>(array, out, dtype);
  if (kind_size == "f4") return convert<float>(array, out, dtype);
  if (kind_size == "i8") return convert<std::int64_t>(array, out, dtype);
  if (kind_size == "i4") return convert<std::int32_t>(array, out, dtype);
  if (kind_size == "i2") return convert<std::int16_t>(array, out, dtype);
  if (kind_size == "i1") return convert<std::int8_t>(array, out, dtype);
  if (kind_size == "u8") return convert<std::uint64_t>(array, out, dtype);
  if (kind_size == "u4") return convert<std::uint32_t>(array, out, dtype);
  if (kind_size == "u2") return convert<std::uint16_t>(array, out, dtype);
  return convert<std::uint8_t>(array, out, dtype);
}

/// Whether every kind of `from` is also a number of kind `to`: not float to int, nothing to bool, complex only to itself, and no float
/// to a shorter one.
bool widens(std::string_view from, std::string_view to) {
  static constexpr std::string_view order = "biuf";
  const auto of = [](char kind) { return kind == 'u' ? order.find('i') : order.find(kind); };
  if (of(from[1]) == order.npos || of(to[1]) == order.npos || to[1] == 'b') return false;
  if (from[1] == 'f' && to[1] == 'f') return from[2] <= to[2];
  return of(from[1]) <= of(to[1]);
}

void reorder(const ArrayContent& array, std::byte* out) {
  const std::size_t size = array.item_size();
  for (std::size_t i = 0, count = array.count(); i < count; ++i)
    std::memcpy(out + i * size, array.bytes.data() + memory_index(array, i) * size, size);
}

}  // namespace

bool is_plain_dtype(std::string_view dtype) {
  if (dtype.size() < 3 || dtype.size() > 12 || std::string_view("<>|").find(dtype[0]) == std::string_view::npos)
    return false;
  const auto size = dtype.substr(2);
  const auto is_one_of = [&](std::initializer_list<std::string_view> sizes) {
    return std::find(sizes.begin(), sizes.end(), size) != sizes.end();
  };
  switch (dtype[1]) {
    case 'b':
      return size == "1";
    case 'i':
    case 'u':
      return is_one_of({"1", "2", "4", "8"});
    case 'f':
      return is_one_of({"2", "4", "8"});
    case 'c':
      return is_one_of({"8", "16"});
    case 'U':
    case 'S':
      return std::all_of(size.begin(), size.end(), [](char c) { return '0' <= c && c <= '9'; });
    default:
      return false;
  }
}

std::string numpy_scalar_type(std::string_view dtype) {
  if (dtype[1] == 'U') return "numpy.str_";
  if (dtype[1] == 'S') return "numpy.bytes_";
  if (dtype[1] == 'b') return "numpy.bool";
  const char* kind = dtype[1] == 'i' ? "int" : dtype[1] == 'u' ? "uint" : dtype[1] == 'f' ? "float" : "complex";
  return "numpy." + std::string(kind) + std::to_string(8 * std::stoi(std::string(dtype.substr(2))));
}

Value array_item(const ArrayContent& array, std::size_t index) {
  const std::size_t place = memory_index(array, index);
  if (array.dtype[1] == 'U' || array.dtype[1] == 'S') return text_item(array, place);
  const Item item = item_at(array, place);
  switch (array.dtype[1]) {
    case 'b':
      return item.as<std::uint8_t>() != 0;
    case 'i':
      return integer_item(item, array.item_size());
    case 'u':
      return unsigned_item(item, array.item_size());
    case 'f':
      return real_item(item, array.item_size());
    default:
      return complex_item(item, array.item_size());
  }
}

bool has_layout(const ArrayContent& array, std::string_view dtype) {
  const auto axes =
      std::count_if(array.shape.begin(), array.shape.end(), [](std::size_t extent) { return extent > 1; });
  return array.dtype.substr(1) == dtype.substr(1) && !(is_foreign_order(array.dtype) && array.item_size() > 1) &&
         (!array.fortran_order || axes <= 1);
}

void copy_array(const ArrayContent& array, std::string_view dtype, std::byte* out) {
  if (array.bytes.empty() && array.count() == 0) return;
  if (array.dtype.substr(1) != dtype.substr(1)) {
    if (!widens(array.dtype, dtype)) cannot_convert(array, dtype, "cannot be read exactly as");
    return convert_to(array, out, dtype);
  }
  if (array.fortran_order)
    reorder(array, out);
  else
    std::memcpy(out, array.bytes.data(), array.bytes.size());
  if (is_foreign_order(array.dtype)) reverse_units(out, array.bytes.size(), swap_unit(array));
}

std::size_t checked_count(std::span<const std::size_t> shape, std::size_t item_size) {
  std::size_t count = 1;
  for (const auto extent : shape)
    if (__builtin_mul_overflow(count, extent, &count))
      throw Error(ErrorCode::invalid, "an array of this shape is too large");
  std::size_t bytes = 0;
  if (__builtin_mul_overflow(count, item_size, &bytes) || bytes > PTRDIFF_MAX)
    throw Error(ErrorCode::invalid, "an array of this shape is too large");
  return count;
}

}  // namespace detail
}  // namespace metaflow
