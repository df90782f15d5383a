#include <algorithm>
#include <bit>
#include <cassert>
#include <cstring>
#include <limits>

#include <metaflow/error.hpp>
#include <metaflow/pickle.hpp>

#include "base/pickle_opcodes.hpp"
#include "base/unicode.hpp"
#include "base/value_nodes.hpp"

namespace metaflow::pickle {
namespace {

using namespace detail;

std::string_view characters(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

std::span<const std::byte> without_sign_extension(std::span<const std::byte> bytes) {
  const auto is_negative = [&](std::size_t i) { return (std::to_integer<int>(bytes[i]) & 0x80) != 0; };
  while (bytes.size() > 1 && bytes.back() == (is_negative(bytes.size() - 2) ? std::byte{0xff} : std::byte{0}))
    bytes = bytes.first(bytes.size() - 1);
  return bytes;
}

}  // namespace

Writer::Writer() {
  opcode(PROTO);
  opcode(4);
  frame_start_ = body_.size();
  body_.append(frame_header_size, '\0');
}

void Writer::opcode(unsigned char code) { body_ += static_cast<char>(code); }
void Writer::put(const void* data, std::size_t size) { body_.append(static_cast<const char*>(data), size); }

void Writer::little_endian(std::uint64_t value, std::size_t bytes) {
  char buffer[8];
  for (std::size_t i = 0; i < bytes; ++i, value >>= 8) buffer[i] = static_cast<char>(value);
  put(buffer, bytes);
}

void Writer::memoize() {
  opcode(MEMOIZE);
  ++memo_size_;
}

void Writer::get(std::uint32_t memo_index) {
  const bool is_short = memo_index < 256;
  opcode(is_short ? BINGET : LONG_BINGET);
  little_endian(memo_index, is_short ? 1 : 4);
}

/// Fills in the header of the frame being written, or takes it out where the frame is too short to have one.
void Writer::commit_frame() {
  const std::size_t length = body_.size() - frame_start_ - frame_header_size;
  if (length < frame_minimum) {
    body_.erase(frame_start_, frame_header_size);
  } else {
    body_[frame_start_] = static_cast<char>(FRAME);
    for (std::size_t i = 0; i < 8; ++i) body_[frame_start_ + 1 + i] = static_cast<char>(length >> (8 * i));
  }
  frame_start_ = no_frame;
}

void Writer::set_type(std::string_view type) {
  if (type_.empty()) type_ = type;
}

/// Starts a batch of the container around, where one is due, and closes the frame if it is full.
void Writer::begin_value(const char* type) {
  if (!open_.empty()) {
    const auto& around = open_.back();
    const std::size_t unit = around.kind == Open::dict ? 2 : 1;
    const bool has_batches = around.kind == Open::list || around.kind == Open::set || around.kind == Open::dict;
    const bool is_single = around.kind != Open::set && around.values == unit;
    if (has_batches && !is_single && around.done % (unit * batch_size) == 0) opcode(MARK);
  }
  close_full_frame();
  if (type) set_type(type);
}

void Writer::close_full_frame() {
  if (body_.size() - frame_start_ - frame_header_size < frame_target) return;
  commit_frame();
  frame_start_ = body_.size();
  body_.append(frame_header_size, '\0');
}

/// Counts a value that is complete as part of what is open around it; what thereby becomes complete is closed.
void Writer::end_value() {
  while (!open_.empty() && end_item(open_.back())) {
    const auto closed = open_.back();
    open_.pop_back();
    close(closed);
  }
}

/// Whether this was the last value of `container`.
bool Writer::end_item(Container& container) {
  const std::size_t done = ++container.done;
  const bool is_last = done == container.values;
  switch (container.kind) {
    case Open::list:
      if (container.values == 1)
        opcode(APPEND);
      else if (is_last || done % batch_size == 0)
        opcode(APPENDS);
      break;
    case Open::set:
      if (is_last || done % batch_size == 0) opcode(ADDITEMS);
      break;
    case Open::dict:
      if (container.values == 2 && is_last)
        opcode(SETITEM);
      else if (container.values > 2 && (is_last || done % (2 * batch_size) == 0))
        opcode(SETITEMS);
      break;
    default:
      break;
  }
  return is_last;
}

void Writer::close(const Container& container) {
  static constexpr Opcode short_tuples[] = {EMPTY_TUPLE, TUPLE1, TUPLE2, TUPLE3};
  switch (container.kind) {
    case Open::list:
      return;
    case Open::set:  // The C pickler learns only after a full batch that nothing follows.
      if (container.values > 0 && container.values % batch_size == 0) opcode(MARK), opcode(ADDITEMS);
      return;
    case Open::dict:
      if (container.values > 0 && container.values % (2 * batch_size) == 0) opcode(MARK), opcode(SETITEMS);
      return;
    case Open::tuple:
      opcode(container.values < 4 ? short_tuples[container.values] : TUPLE);
      if (container.values > 0) memoize();
      return;
    case Open::frozenset:
      opcode(FROZENSET);
      return memoize();
    case Open::call:
      opcode(REDUCE);
      return memoize();
    case Open::create:
      opcode(NEWOBJ);
      return memoize();
    case Open::build:
      opcode(BUILD);
      return;
  }
}

void Writer::begin(Open kind, std::size_t values, const char* type) {
  begin_value(type);
  const auto memoized = [this](Opcode code) { opcode(code), memoize(); };
  switch (kind) {
    case Open::list:
      memoized(EMPTY_LIST);
      break;
    case Open::set:
      memoized(EMPTY_SET);
      break;
    case Open::dict:
      memoized(EMPTY_DICT);
      break;
    case Open::frozenset:
      opcode(MARK);
      break;
    case Open::tuple:
      if (values > 3) opcode(MARK);
      break;
    default:
      break;
  }
  if (values > 0) {
    open_.push_back({kind, values});
  } else {
    close({kind, 0});
    end_value();
  }
}

void Writer::none() {
  begin_value("NoneType");
  opcode(NONE);
  end_value();
}

void Writer::boolean(bool value) {
  begin_value("bool");
  opcode(value ? NEWTRUE : NEWFALSE);
  end_value();
}

void Writer::integer(std::int64_t value) {
  if (value != static_cast<std::int32_t>(value)) {
    std::byte bytes[8];
    for (int i = 0; i < 8; ++i) bytes[i] = static_cast<std::byte>(static_cast<std::uint64_t>(value) >> (8 * i));
    return big_integer(bytes);
  }
  begin_value("int");
  const bool is_byte = value >= 0 && value <= 0xff, is_short = value >= 0 && value <= 0xffff;
  opcode(is_byte ? BININT1 : is_short ? BININT2 : BININT);
  little_endian(static_cast<std::uint64_t>(value), is_byte ? 1 : is_short ? 2 : 4);
  end_value();
}

void Writer::integer(std::uint64_t value) {
  if (value <= INT64_MAX) return integer(static_cast<std::int64_t>(value));
  std::byte bytes[9]{};
  for (int i = 0; i < 8; ++i) bytes[i] = static_cast<std::byte>(value >> (8 * i));
  big_integer(bytes);
}

void Writer::big_integer(std::span<const std::byte> bytes) {
  bytes = without_sign_extension(bytes);
  begin_value("int");
  if (bytes.size() < 256) {
    opcode(LONG1);
    opcode(static_cast<unsigned char>(bytes.size()));
  } else {
    if (bytes.size() > INT32_MAX) throw Error(ErrorCode::invalid, "an integer of more than 2 GiB cannot be stored");
    opcode(LONG4);
    little_endian(bytes.size(), 4);
  }
  put(bytes.data(), bytes.size());
  end_value();
}

void Writer::real(double value) {
  begin_value("float");
  auto bits = std::bit_cast<std::uint64_t>(value);
  char bytes[9] = {static_cast<char>(BINFLOAT)};
  for (int i = 8; i > 0; --i, bits >>= 8) bytes[i] = static_cast<char>(bits);
  put(bytes, sizeof bytes);
  end_value();
}

void Writer::text(std::string_view utf8) {
  if (const auto valid = valid_utf8_length(utf8); valid != utf8.size())
    throw Error(ErrorCode::invalid, "text is not valid UTF-8 at byte " + std::to_string(valid) +
                                        "; store it as bytes (std::vector<std::byte>) instead");
  begin_value("str");
  payload(SHORT_BINUNICODE, BINUNICODE, BINUNICODE8, utf8);
  memoize();
  end_value();
}

void Writer::bytes(std::span<const std::byte> content) {
  begin_value("bytes");
  payload(SHORT_BINBYTES, BINBYTES, BINBYTES8, characters(content));
  memoize();
  end_value();
}

void Writer::payload(unsigned char short_code, unsigned char code, unsigned char long_code, std::string_view content) {
  if (content.size() < 256) {
    opcode(short_code);
    opcode(static_cast<unsigned char>(content.size()));
    put(content.data(), content.size());
  } else if (content.size() < frame_target) {
    opcode(code);
    little_endian(content.size(), 4);
    put(content.data(), content.size());
  } else {
    const bool is_long = content.size() > std::numeric_limits<std::uint32_t>::max();
    large_payload(is_long ? long_code : code, is_long ? 8 : 4, content);
  }
}

void Writer::large_payload(unsigned char code, std::size_t length_bytes, std::string_view content) {
  if (std::exchange(pad_next_, false)) pad_for(1 + length_bytes);
  commit_frame();
  opcode(code);
  little_endian(content.size(), length_bytes);
  pieces_.own(std::exchange(body_, {}));
  pieces_.borrow(std::as_bytes(std::span(content)));
  frame_start_ = 0;
  body_.assign(frame_header_size, '\0');
}

/// Lets what follows `header` more bytes lie at a multiple of Buffer::alignment, by opcodes without effect.
void Writer::pad_for(std::size_t header) {
  const std::size_t position = pieces_.size() + body_.size() + header;
  std::size_t padding = (Buffer::alignment - position % Buffer::alignment) % Buffer::alignment;
  if (padding == 1) padding += Buffer::alignment;
  if (padding % 2 == 1) {
    opcode(BININT1), opcode(0), opcode(POP);
    padding -= 3;
  }
  for (; padding > 0; padding -= 2) opcode(NONE), opcode(POP);
}

void Writer::begin_list(std::size_t items) { begin(Open::list, items, "list"); }
void Writer::begin_tuple(std::size_t items) { begin(Open::tuple, items, "tuple"); }
void Writer::begin_set(std::size_t items) { begin(Open::set, items, "set"); }
void Writer::begin_frozenset(std::size_t items) { begin(Open::frozenset, items, "frozenset"); }
void Writer::begin_dict(std::size_t pairs) { begin(Open::dict, 2 * pairs, "dict"); }
void Writer::begin_call() { begin(Open::call, 2, nullptr); }
void Writer::begin_create() { begin(Open::create, 2, nullptr); }
void Writer::begin_build() { begin(Open::build, 2, nullptr); }

void Writer::global(std::string_view module, std::string_view name) {
  begin_value(nullptr);
  if (open_.empty()) set_type("type");
  set_type(module == "builtins" ? std::string(name) : std::string(module) + '.' + std::string(name));
  const auto [entry, added] = globals_.try_emplace({std::string(module), std::string(name)}, 0);
  if (added) {
    for (const auto part : {module, name}) {
      if (valid_utf8_length(part) != part.size()) throw Error(ErrorCode::invalid, "a class name is not valid UTF-8");
      close_full_frame();
      payload(SHORT_BINUNICODE, BINUNICODE, BINUNICODE8, part);
      memoize();
    }
    opcode(STACK_GLOBAL);
    entry->second = memo_size_;
    memoize();
  } else {
    get(entry->second);
  }
  end_value();
}

void Writer::array(std::string_view dtype, std::span<const std::size_t> shape, std::span<const std::byte> content) {
  begin_build();
  begin_call();
  global("numpy", "ndarray");
  begin_tuple(1);
  begin_tuple(1);
  integer(std::int64_t{0});
  begin_tuple(5);  // what numpy.ndarray.__setstate__ takes
  integer(std::int64_t{1});
  begin_tuple(shape.size());
  for (const auto extent : shape) integer(std::uint64_t{extent});
  begin_call();
  global("numpy", "dtype");
  begin_tuple(1);
  text(dtype);
  boolean(false);  // not in Fortran order
  pad_next_ = true;
  bytes(content);
  pad_next_ = false;
}

Encoded Writer::finish() {
  assert(open_.empty() && !type_.empty());
  opcode(STOP);
  commit_frame();
  pieces_.own(std::move(body_));
  return {std::move(pieces_), "<class '" + type_ + "'>"};
}

namespace {

void write_pairs(Writer& writer, std::span<const Value::Pair> pairs) {
  writer.begin_dict(pairs.size());
  for (const auto& [key, value] : pairs) {
    write(writer, key);
    write(writer, value);
  }
}

void write_items(Writer& writer, const Value& value) {
  switch (value.kind()) {
    case ValueKind::list:
      writer.begin_list(value.size());
      break;
    case ValueKind::tuple:
      writer.begin_tuple(value.size());
      break;
    case ValueKind::set:
      writer.begin_set(value.size());
      break;
    default:
      writer.begin_frozenset(value.size());
  }
  for (const auto& item : value.items()) write(writer, item);
}

void write_array(Writer& writer, const ArrayContent& array) {
  if (array.fortran_order || array.is_scalar)
    throw Error(ErrorCode::invalid, "a numpy scalar, or an array in Fortran order, cannot be written again");
  writer.array(array.dtype, array.shape, array.bytes);
}

void write_object(Writer& writer, const ObjectContent& object) {
  if (!object.items.empty() || !object.pairs.empty() || !object.keywords.empty())
    throw Error(ErrorCode::invalid, "an object of class " + object.module + '.' + object.name +
                                        " cannot be written again, but it can be passed on as it is");
  if (object.state) writer.begin_build();
  object.made == ObjectContent::Made::called ? writer.begin_call() : writer.begin_create();
  writer.global(object.module, object.name);
  writer.begin_tuple(object.arguments.size());
  for (const auto& argument : object.arguments) write(writer, argument);
  if (object.state) write(writer, *object.state);
}

}  // namespace

void write(Writer& writer, const Value& value) {
  switch (value.kind()) {
    case ValueKind::none:
      return writer.none();
    case ValueKind::boolean:
      return writer.boolean(value.as_boolean());
    case ValueKind::integer:
      return writer.integer(value.as_integer());
    case ValueKind::big_integer:
      return writer.big_integer(
          std::as_bytes(std::span(metaflow::detail::node_as<metaflow::detail::TextNode>(value).text)));
    case ValueKind::real:
      return writer.real(value.as_real());
    case ValueKind::text:
      return writer.text(value.as_text());
    case ValueKind::bytes:
      return writer.bytes(value.as_bytes());
    case ValueKind::dict:
      return write_pairs(writer, value.pairs());
    case ValueKind::array:
      return write_array(writer, value.as_array());
    case ValueKind::object:
      return write_object(writer, value.as_object());
    case ValueKind::global:
      return writer.global(value.as_global().first, value.as_global().second);
    default:
      return write_items(writer, value);
  }
}

Encoded encode(const Value& value) {
  Writer writer;
  write(writer, value);
  return writer.finish();
}

}  // namespace metaflow::pickle
