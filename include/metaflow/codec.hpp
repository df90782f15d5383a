#pragma once

#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include <metaflow/array.hpp>
#include <metaflow/buffer.hpp>
#include <metaflow/detail/names.hpp>
#include <metaflow/error.hpp>
#include <metaflow/pickle.hpp>
#include <metaflow/value.hpp>

/// C++ types as Python values and back; `docs/formats/pickle.md` has the table. Which types can be stored is open: a user struct by
/// its list of fields,
///
///     struct Point { double x, y; static constexpr auto fields() { return mf::fields<&Point::x, &Point::y>(); } };
///
/// and any other by a specialization of Codec.
namespace [[gnu::visibility("default")]] metaflow {

/// Where a value to be read comes from.
struct Source {
  const Value& value;
  /// Set when arrays may use their part of it as their own.
  const std::shared_ptr<Buffer>& buffer;

  Source part(const Value& child) const { return {child, buffer}; }
};

/// How T is stored. A specialization has
///   static void write(pickle::Writer&, const T&);
///   static T read(const Source&);              // Error(invalid) when the value is no T
///   static bool fits(const Value&);            // whether it is one exactly, without any conversion
///   static constexpr std::string_view type;    // its Python type: `int`, or `object` where that depends on the value
template <class T>
struct Codec;

/// What can be an artifact.
template <class T>
concept Storable = requires(pickle::Writer& writer, const T& value, const Source& source) {
  Codec<T>::write(writer, value);
  { Codec<T>::read(source) } -> std::convertible_to<T>;
};

/// The members of a struct that are stored, in this order: as a dict by their names.
template <auto... Members>
struct Fields {};
template <auto... Members>
requires(std::is_member_object_pointer_v<decltype(Members)>&&...) constexpr Fields<Members...> fields() { return {}; }

/// The pickle of `value`. Borrows its large parts: `value` has to outlive what is returned, and stay as it is.
template <Storable T>
Encoded encode(const T& value) {
  pickle::Writer writer;
  Codec<T>::write(writer, value);
  return writer.finish();
}

/// The C++ value of a Python value. Error(invalid) names what is there and what was asked for.
template <Storable T>
T from_value(const Value& value) {
  return Codec<T>::read({value, nullptr});
}

/// The C++ value in a pickle; arrays take over the buffer where they can. Errors are those of pickle::decode and from_value.
template <Storable T>
T decode(Buffer pickle) {
  const auto document = pickle::decode_document(std::move(pickle));
  return Codec<T>::read({document.value, document.exclusive ? document.buffer : nullptr});
}

/// One item of a pickled list (tuple, set, array of one axis), much cheaper than decoding all of it: for a foreach task, which needs
/// its own only. Error(not_found) when there are fewer.
template <Storable T>
T decode_element(Buffer pickle, std::size_t index) {
  const auto document = pickle::decode_item(std::move(pickle), index);
  return Codec<T>::read({document.value, document.exclusive ? document.buffer : nullptr});
}

template <Storable T>
Value to_value(const T& value);

/// The Python type in which a T is stored, `object` where that depends on the value.
template <Storable T>
constexpr std::string_view python_type() {
  return Codec<T>::type;
}

namespace detail {

/// Reports that `value` is no `asked`.
[[noreturn]] void wrong_type(const Value& value, std::string_view asked);
[[noreturn]] void wrong_length(const Value& value, std::size_t asked);
[[noreturn]] void no_such_key(const Value& value, std::string_view key);
[[noreturn]] void unknown_enumerator(std::string_view name, std::string_view known);
[[noreturn]] void unnamed_enumerator(long long value);

/// Puts an int into `out`, little-endian two's complement. False when it does not fit; Error(invalid) when the value is no int.
bool read_integer(const Value& value, std::span<std::byte> out, bool is_signed, std::string_view asked);
double read_real(const Value& value);
bool read_boolean(const Value& value);
std::string_view read_text(const Value& value, std::string_view asked);
/// bytes or bytearray.
std::span<const std::byte> read_bytes(const Value& value);
/// Items of a list, tuple or set; of a numpy array too, for which `storage` is filled.
std::span<const Value> read_items(const Value& value, std::vector<Value>& storage);
std::span<const Value::Pair> read_pairs(const Value& value);
std::string short_text(const Value& value);

template <class T>
concept Enumeration = std::is_enum_v<T> && !std::same_as<T, std::byte>;
__extension__ using Int128 = __int128;
__extension__ using UnsignedInt128 = unsigned __int128;
template <class T>
concept WideInteger = std::same_as<T, Int128> || std::same_as<T, UnsignedInt128>;
template <class T>
concept Integer = (std::integral<T> && !std::same_as<T, bool>) || WideInteger<T>;
template <class T>
concept ByteItem = std::same_as<T, std::byte> || std::same_as<T, unsigned char>;
template <class T>
concept HasFields = requires {
  T::fields();
};

template <class T>
concept PathLike = requires(const T& path) {
  { path.native() } -> std::same_as<const std::string&>;
  { path.lexically_normal() } -> std::same_as<T>;
};
template <class T>
concept Container = std::same_as<typename T::iterator, decltype(std::declval<T&>().begin())> &&
    std::default_initializable<T> && requires(const T& container) {
  typename T::value_type;
  { container.size() } -> std::convertible_to<std::size_t>;
  container.end();
};
template <class T>
concept MapLike = Container<T> && requires {
  typename T::mapped_type;
};
template <class T>
concept SetLike = Container<T> && !MapLike<T> && requires {
  typename T::key_type;
};
template <class T>
concept ListLike = Container<T> && !std::same_as<T, std::string> && requires(T list, typename T::value_type item) {
  list.push_back(std::move(item));
};
template <class T>
concept Duration = requires(T duration) {
  typename T::rep;
  typename T::period;
  duration.count();
};

template <class T>
inline constexpr bool is_std_array = false;
template <class T, std::size_t N>
inline constexpr bool is_std_array<std::array<T, N>> = true;
template <class T>
concept TupleLike = requires {
  std::tuple_size<T>::value;
}
&&!is_std_array<T>;

template <class T>
inline constexpr std::size_t tuple_length = std::tuple_size<T>::value;
template <class T, std::size_t... I>
consteval bool all_items_storable(std::index_sequence<I...>) {
  return (Storable<std::remove_cvref_t<typename std::tuple_element<I, T>::type>> && ...);
}

}  // namespace detail

template <>
struct Codec<Value> {
  static constexpr std::string_view type = "object";
  static void write(pickle::Writer& writer, const Value& value) { pickle::write(writer, value); }
  static Value read(const Source& source) { return source.value; }
  static bool fits(const Value&) { return true; }
};

template <>
struct Codec<std::monostate> {
  static constexpr std::string_view type = "NoneType";
  static void write(pickle::Writer& writer, std::monostate) { writer.none(); }
  static std::monostate read(const Source& source) {
    if (!source.value.is_none()) detail::wrong_type(source.value, "None");
    return {};
  }
  static bool fits(const Value& value) { return value.is_none(); }
};

template <>
struct Codec<bool> {
  static constexpr std::string_view type = "bool";
  static void write(pickle::Writer& writer, bool value) { writer.boolean(value); }
  static bool read(const Source& source) { return detail::read_boolean(source.value); }
  static bool fits(const Value& value) { return value.kind() == ValueKind::boolean; }
};

template <detail::Integer T>
struct Codec<T> {
  static constexpr std::string_view type = "int";
  static constexpr bool is_signed = static_cast<T>(-1) < static_cast<T>(0);

  static void write(pickle::Writer& writer, T value) {
    if constexpr (sizeof(T) <= 8 && is_signed) {
      writer.integer(static_cast<std::int64_t>(value));
    } else if constexpr (sizeof(T) <= 8) {
      writer.integer(static_cast<std::uint64_t>(value));
    } else {
      std::byte bytes[sizeof(T) + 1]{};  // the last one is the sign
      std::memcpy(bytes, &value, sizeof value);
      if (is_signed && value < 0) bytes[sizeof(T)] = std::byte{0xff};
      writer.big_integer(bytes);
    }
  }
  static T read(const Source& source) {
    T number{};
    if (!detail::read_integer(source.value, std::as_writable_bytes(std::span(&number, 1)), is_signed, name()))
      detail::wrong_type(source.value, name());
    return number;
  }
  static bool fits(const Value& value) {
    T number{};
    return (value.kind() == ValueKind::integer || value.kind() == ValueKind::big_integer) &&
           detail::read_integer(value, std::as_writable_bytes(std::span(&number, 1)), is_signed, name());
  }

 private:
  static constexpr std::string_view name() {
    if constexpr (sizeof(T) == 1) return is_signed ? "int of 8 bits" : "int of 8 bits without sign";
    if constexpr (sizeof(T) == 2) return is_signed ? "int of 16 bits" : "int of 16 bits without sign";
    if constexpr (sizeof(T) == 4) return is_signed ? "int of 32 bits" : "int of 32 bits without sign";
    if constexpr (sizeof(T) == 8) return is_signed ? "int of 64 bits" : "int of 64 bits without sign";
    return is_signed ? "int of 128 bits" : "int of 128 bits without sign";
  }
};

template <std::floating_point T>
struct Codec<T> {
  static constexpr std::string_view type = "float";
  static void write(pickle::Writer& writer, T value) { writer.real(static_cast<double>(value)); }
  static T read(const Source& source) { return static_cast<T>(detail::read_real(source.value)); }
  static bool fits(const Value& value) { return value.kind() == ValueKind::real; }
};

template <>
struct Codec<std::string> {
  static constexpr std::string_view type = "str";
  static void write(pickle::Writer& writer, const std::string& value) { writer.text(value); }
  static std::string read(const Source& source) { return std::string(detail::read_text(source.value, "str")); }
  static bool fits(const Value& value) { return value.kind() == ValueKind::text; }
};

/// std::filesystem::path, without including it: that costs every flow half a second to compile.
template <detail::PathLike T>
struct Codec<T> {
  static constexpr std::string_view type = "str";
  static void write(pickle::Writer& writer, const T& value) { writer.text(value.native()); }
  static T read(const Source& source) { return detail::read_text(source.value, "str"); }
  static bool fits(const Value& value) { return value.kind() == ValueKind::text; }
};

template <detail::ByteItem T>
struct Codec<std::vector<T>> {
  static constexpr std::string_view type = "bytes";
  static void write(pickle::Writer& writer, const std::vector<T>& value) {
    writer.bytes(std::as_bytes(std::span(value)));
  }
  static std::vector<T> read(const Source& source) {
    const auto bytes = detail::read_bytes(source.value);
    const auto* first = reinterpret_cast<const T*>(bytes.data());
    return {first, first + bytes.size()};
  }
  static bool fits(const Value& value) { return value.kind() == ValueKind::bytes; }
};

/// By the enumerator's name.
template <detail::Enumeration T>
struct Codec<T> {
  static constexpr std::string_view type = "str";
  static void write(pickle::Writer& writer, T value) {
    const auto name = detail::enumerator_name(value);
    if (name.empty()) detail::unnamed_enumerator(static_cast<long long>(value));
    writer.text(name);
  }
  static T read(const Source& source) {
    const auto name = detail::read_text(source.value, "str");
    T value{};
    if (!detail::find_enumerator(name, value)) detail::unknown_enumerator(name, known());
    return value;
  }
  static bool fits(const Value& value) {
    T ignored{};
    return value.kind() == ValueKind::text && detail::find_enumerator(value.as_text(), ignored);
  }

 private:
  static std::string known() {
    std::string names;
    for (const auto name : detail::enumerators<T>)
      if (!name.empty()) (names += names.empty() ? "" : ", ") += name;
    return names;
  }
};

/// Seconds.
template <detail::Duration T>
struct Codec<T> {
  static constexpr std::string_view type = "float";
  static constexpr double tick = static_cast<double>(T::period::num) / static_cast<double>(T::period::den);
  static void write(pickle::Writer& writer, const T& value) { writer.real(static_cast<double>(value.count()) * tick); }
  static T read(const Source& source) {
    const double ticks = detail::read_real(source.value) / tick;
    if constexpr (std::is_floating_point_v<typename T::rep>) {
      return T(static_cast<typename T::rep>(ticks));
    } else {
      if (!(ticks > -9.2e18 && ticks < 9.2e18)) detail::wrong_type(source.value, "duration in seconds");
      return T(static_cast<typename T::rep>(ticks < 0 ? ticks - 0.5 : ticks + 0.5));
    }
  }
  static bool fits(const Value& value) { return value.kind() == ValueKind::real; }
};

template <class T>
requires Storable<T>
struct Codec<std::optional<T>> {
  static constexpr std::string_view type = "object";
  static void write(pickle::Writer& writer, const std::optional<T>& value) {
    if (value)
      Codec<T>::write(writer, *value);
    else
      writer.none();
  }
  static std::optional<T> read(const Source& source) {
    if (source.value.is_none()) return std::nullopt;
    return Codec<T>::read(source);
  }
  static bool fits(const Value& value) { return value.is_none() || Codec<T>::fits(value); }
};

/// Read as the first alternative that it fits exactly, else as the first that it can be converted to.
template <class... T>
requires(Storable<T>&&...) struct Codec<std::variant<T...>> {
  using Variant = std::variant<T...>;
  static constexpr std::string_view type = "object";
  static void write(pickle::Writer& writer, const Variant& value) {
    std::visit([&](const auto& held) { Codec<std::remove_cvref_t<decltype(held)>>::write(writer, held); }, value);
  }
  static Variant read(const Source& source) {
    std::optional<Variant> found;
    (void)((Codec<T>::fits(source.value) && (found.emplace(std::in_place_type<T>, Codec<T>::read(source)), true)) ||
           ...);
    if (!found) (void)(try_read<T>(source, found) || ...);
    if (!found) detail::wrong_type(source.value, "any alternative of the variant");
    return std::move(*found);
  }
  static bool fits(const Value& value) { return (Codec<T>::fits(value) || ...); }

 private:
  template <class U>
  static bool try_read(const Source& source, std::optional<Variant>& found) try {
    found.emplace(std::in_place_type<U>, Codec<U>::read(source));
    return true;
  } catch (const Error& error) {
    if (error.code() != ErrorCode::invalid) throw;
    return false;
  }
};

/// vector, deque, list: a Python list. Tuples, sets and numpy arrays of one axis are read too.
template <detail::ListLike T>
requires(Storable<typename T::value_type>) struct Codec<T> {
  using Item = typename T::value_type;
  static constexpr std::string_view type = "list";
  static void write(pickle::Writer& writer, const T& value) {
    writer.begin_list(value.size());
    for (const auto& item : value) Codec<Item>::write(writer, item);
  }
  static T read(const Source& source) {
    std::vector<Value> storage;
    const auto items = detail::read_items(source.value, storage);
    T list;
    if constexpr (requires { list.reserve(items.size()); }) list.reserve(items.size());
    for (const auto& item : items) list.push_back(Codec<Item>::read(source.part(item)));
    return list;
  }
  static bool fits(const Value& value) {
    if (value.kind() != ValueKind::list) return false;
    for (const auto& item : value.items())
      if (!Codec<Item>::fits(item)) return false;
    return true;
  }
};

template <class Item, std::size_t N>
requires Storable<Item>
struct Codec<std::array<Item, N>> {
  static constexpr std::string_view type = "list";
  static void write(pickle::Writer& writer, const std::array<Item, N>& value) {
    writer.begin_list(N);
    for (const auto& item : value) Codec<Item>::write(writer, item);
  }
  static std::array<Item, N> read(const Source& source) {
    std::vector<Value> storage;
    const auto items = detail::read_items(source.value, storage);
    if (items.size() != N) detail::wrong_length(source.value, N);
    return [&]<std::size_t... I>(std::index_sequence<I...>) {
      return std::array<Item, N>{Codec<Item>::read(source.part(items[I]))...};
    }
    (std::make_index_sequence<N>());
  }
  static bool fits(const Value& value) { return value.kind() == ValueKind::list && value.size() == N; }
};

template <detail::SetLike T>
requires(Storable<typename T::value_type>) struct Codec<T> {
  using Item = typename T::value_type;
  static constexpr std::string_view type = "set";
  static void write(pickle::Writer& writer, const T& value) {
    writer.begin_set(value.size());
    for (const auto& item : value) Codec<Item>::write(writer, item);
  }
  static T read(const Source& source) {
    std::vector<Value> storage;
    T set;
    for (const auto& item : detail::read_items(source.value, storage)) set.insert(Codec<Item>::read(source.part(item)));
    return set;
  }
  static bool fits(const Value& value) { return value.kind() == ValueKind::set; }
};

template <detail::MapLike T>
requires(Storable<typename T::key_type>&& Storable<typename T::mapped_type>) struct Codec<T> {
  using Key = typename T::key_type;
  using Mapped = typename T::mapped_type;
  static constexpr std::string_view type = "dict";
  static void write(pickle::Writer& writer, const T& value) {
    writer.begin_dict(value.size());
    for (const auto& [key, mapped] : value) {
      Codec<Key>::write(writer, key);
      Codec<Mapped>::write(writer, mapped);
    }
  }
  static T read(const Source& source) {
    T map;
    for (const auto& [key, mapped] : detail::read_pairs(source.value))
      map.insert_or_assign(Codec<Key>::read(source.part(key)), Codec<Mapped>::read(source.part(mapped)));
    return map;
  }
  static bool fits(const Value& value) {
    if (value.kind() != ValueKind::dict) return false;
    for (const auto& [key, mapped] : value.pairs())
      if (!Codec<Key>::fits(key) || !Codec<Mapped>::fits(mapped)) return false;
    return true;
  }
};

/// pair and tuple.
template <detail::TupleLike T>
requires(detail::all_items_storable<T>(std::make_index_sequence<detail::tuple_length<T>>())) struct Codec<T> {
  static constexpr std::size_t length = detail::tuple_length<T>;
  template <std::size_t I>
  using Item = std::remove_cvref_t<typename std::tuple_element<I, T>::type>;
  static constexpr std::string_view type = "tuple";

  static void write(pickle::Writer& writer, const T& value) {
    writer.begin_tuple(length);
    [&]<std::size_t... I>(std::index_sequence<I...>) {
      using std::get;
      (Codec<Item<I>>::write(writer, get<I>(value)), ...);
    }
    (std::make_index_sequence<length>());
  }
  static T read(const Source& source) {
    std::vector<Value> storage;
    const auto items = detail::read_items(source.value, storage);
    if (items.size() != length) detail::wrong_length(source.value, length);
    return [&]<std::size_t... I>(std::index_sequence<I...>) {
      return T{Codec<Item<I>>::read(source.part(items[I]))...};
    }
    (std::make_index_sequence<length>());
  }
  static bool fits(const Value& value) { return value.kind() == ValueKind::tuple && value.size() == length; }
};

template <class T>
struct Codec<Array<T>> {
  static constexpr std::string_view type = "numpy.ndarray";
  static void write(pickle::Writer& writer, const Array<T>& value) {
    writer.array(Array<T>::dtype(), value.shape(), std::as_bytes(std::span(value.data(), value.size())));
  }
  static Array<T> read(const Source& source) {
    if (source.value.kind() != ValueKind::array) detail::wrong_type(source.value, "numpy.ndarray");
    return Array<T>::from(source.value.as_array(), source.buffer);
  }
  static bool fits(const Value& value) {
    return value.kind() == ValueKind::array && detail::has_layout(value.as_array(), Array<T>::dtype());
  }
};

/// A struct with a list of its fields: a dict. Keys of the dict that are no field are ignored.
template <detail::HasFields T>
struct Codec<T> {
  static constexpr std::string_view type = "dict";
  static void write(pickle::Writer& writer, const T& value) { write_fields(writer, value, T::fields()); }
  static T read(const Source& source) {
    T value{};
    read_fields(source, value, T::fields());
    return value;
  }
  static bool fits(const Value& value) { return value.kind() == ValueKind::dict && has_fields(value, T::fields()); }

 private:
  template <auto Member>
  using Type = std::remove_cvref_t<decltype(std::declval<T&>().*Member)>;

  template <auto... Members>
  static void write_fields(pickle::Writer& writer, const T& value, Fields<Members...>) {
    writer.begin_dict(sizeof...(Members));
    ((writer.text(detail::name_of<Members>), Codec<Type<Members>>::write(writer, value.*Members)), ...);
  }
  template <auto... Members>
  static void read_fields(const Source& source, T& value, Fields<Members...>) {
    detail::read_pairs(source.value);  // complains when it is no dict
    (read_field<Members>(source, value), ...);
  }
  template <auto Member>
  static void read_field(const Source& source, T& value) {
    const auto* found = source.value.find(detail::name_of<Member>);
    if (!found) detail::no_such_key(source.value, detail::name_of<Member>);
    value.*Member = Codec<Type<Member>>::read(source.part(*found));
  }
  template <auto... Members>
  static bool has_fields(const Value& value, Fields<Members...>) {
    return (value.find(detail::name_of<Members>) && ...);
  }
};

/// Text views and literals can be written only.
inline Encoded encode(std::string_view text) {
  pickle::Writer writer;
  writer.text(text);
  return writer.finish();
}
inline Encoded encode(const char* text) { return encode(std::string_view(text)); }

/// The same value without its C++ type.
template <Storable T>
Value to_value(const T& value) {
  const auto encoded = encode(value);
  Buffer bytes(encoded.pickle.size());
  std::size_t at = 0;
  for (std::size_t i = 0; i < encoded.pickle.count(); ++i) {
    const auto piece = encoded.pickle.piece(i);
    if (!piece.empty()) std::memcpy(bytes.data() + at, piece.data(), piece.size());
    at += piece.size();
  }
  return pickle::decode(std::move(bytes));
}

/// How a foreach shows its item: text and numbers as Python prints them, all else by a short repr; at most 30 characters.
template <Storable T>
std::string foreach_value(const T& item) {
  return detail::short_text(to_value(item));
}

}  // namespace metaflow
