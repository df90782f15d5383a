#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <metaflow/buffer.hpp>
#include <metaflow/value.hpp>

/// Python's pickle format, as far as plain data needs it. `docs/formats/pickle.md` says which part that is. Nothing is ever executed.
namespace [[gnu::visibility("default")]] metaflow {
namespace pickle {

/// Writes one value, from the outside in, as CPython's C pickler writes protocol 4: a container is begun with its length and is complete
/// when that many values have followed. Asserts that the calls form exactly one value.
///
/// Text and bytes of 64 KiB or more are borrowed: they have to outlive the Encoded and stay unchanged.
class Writer {
 public:
  Writer();

  void none();
  void boolean(bool value);
  void integer(std::int64_t value);
  void integer(std::uint64_t value);
  /// Little-endian two's complement, of any length.
  void big_integer(std::span<const std::byte> little_endian);
  void real(double value);
  /// Error(invalid) when it is no UTF-8.
  void text(std::string_view utf8);
  void bytes(std::span<const std::byte> content);

  void begin_list(std::size_t items);
  void begin_tuple(std::size_t items);
  void begin_set(std::size_t items);
  void begin_frozenset(std::size_t items);
  /// Key, value, key, value… follow.
  void begin_dict(std::size_t pairs);

  /// A class or function by name.
  void global(std::string_view module, std::string_view name);
  /// Two values follow: a global and the tuple of arguments it is called with.
  void begin_call();
  /// Two values follow: a class and the tuple of arguments its __new__ gets.
  void begin_create();
  /// Two values follow: an object and the state it is given.
  void begin_build();

  /// A numpy.ndarray that Python may write to. `dtype` as in ArrayContent, `content` in row-major order; 64 KiB or more are borrowed
  /// and come to lie at a multiple of Buffer::alignment.
  void array(std::string_view dtype, std::span<const std::size_t> shape, std::span<const std::byte> content);

  /// The finished pickle and its type. The writer is spent.
  Encoded finish();

 private:
  enum class Open : std::uint8_t { list, tuple, set, frozenset, dict, call, create, build };
  struct Container {
    Open kind;
    std::size_t values;  // expected
    std::size_t done = 0;
  };

  void begin_value(const char* type);
  void end_value();
  bool end_item(Container& container);
  void close(const Container& container);
  void begin(Open kind, std::size_t values, const char* type);
  void opcode(unsigned char code);
  void put(const void* data, std::size_t size);
  void little_endian(std::uint64_t value, std::size_t bytes);
  void memoize();
  void get(std::uint32_t memo_index);
  void commit_frame();
  void close_full_frame();
  void payload(unsigned char short_code, unsigned char code, unsigned char long_code, std::string_view content);
  void large_payload(unsigned char code, std::size_t length_bytes, std::string_view content);
  void set_type(std::string_view type);
  void pad_for(std::size_t header);

  std::string body_;  // not yet in pieces_
  static constexpr std::size_t no_frame = static_cast<std::size_t>(-1);
  std::size_t frame_start_ = no_frame;
  Pieces pieces_;
  std::uint32_t memo_size_ = 0;
  std::map<std::pair<std::string, std::string>, std::uint32_t> globals_;
  std::vector<Container> open_;
  std::string type_;
  bool pad_next_ = false;
};

/// A pickle read, and whether its parts may be taken over.
struct Document {
  Value value;
  std::shared_ptr<Buffer> buffer;
  /// No container and no bytes are reachable in two ways, so that an array may use its part of the buffer as its own.
  bool exclusive = true;
};

/// The value in a pickle of protocol 0 to 5. Error(corrupt) names byte offset and opcode; Error(invalid) when the pickle needs what is
/// not understood here (persistent ids, extension codes, values that hold themselves): such a value can still be passed on. Large
/// bytes and arrays share `buffer`.
Value decode(Buffer buffer);
/// The same for bytes that are only borrowed during the call.
Value decode(std::span<const std::byte> bytes);
Document decode_document(Buffer buffer);
/// One item of a list, tuple, set or array of one axis; Error(not_found) when it has fewer. For a list, what lies before the item is
/// passed over without making values of it, and what lies behind it is not looked at.
Document decode_item(Buffer buffer, std::size_t index);

/// A pickle of which many items are read, each as decode_item does: where they lie is found out once. Safe to use from several
/// threads; copies share the bytes, and so nothing read is `exclusive`.
class Items {
 public:
  explicit Items(Buffer buffer);
  Document item(std::size_t index) const;
  /// A pickle of the item alone, of whatever it is made; nothing when it cannot be told from the others, as it refers to them in more
  /// than plain ways, or when what is pickled is no list.
  std::optional<std::string> pickle(std::size_t index) const;

 private:
  struct State;
  std::shared_ptr<const State> state_;
};

/// The pickle of any Value. Large text, bytes and arrays are borrowed from it.
Encoded encode(const Value& value);
void write(Writer& writer, const Value& value);

}  // namespace pickle
}  // namespace metaflow
