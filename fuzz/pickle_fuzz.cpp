// Any bytes read as a pickle are a value or an Error, however they are read, and a value written is read back the same.
#include <metaflow/codec.hpp>
#include <metaflow/pickle.hpp>

#include "fuzz.hpp"

namespace mf = metaflow;

namespace {

mf::Buffer joined(const mf::Encoded& encoded) {
  mf::Buffer buffer(encoded.pickle.size());
  auto* at = buffer.data();
  for (std::size_t i = 0; i < encoded.pickle.count(); ++i) {
    const auto piece = encoded.pickle.piece(i);
    at = std::copy(piece.begin(), piece.end(), at);
  }
  return buffer;
}

/// What was read and can be written is read again as it was shown before.
void check(const mf::Value& value) {
  const std::string shown = value.repr();
  if (shown.size() > 100'000) return;
  mf::Value again;
  try {
    again = mf::pickle::decode(joined(mf::pickle::encode(value)));
  } catch (const mf::Error& error) {
    if (error.code() != mf::ErrorCode::invalid) throw;
    return;
  }
  if (shown.find("bytearray") == shown.npos) fuzz::require(again.repr() == shown);
}

mf::Buffer copy_of(std::span<const std::byte> bytes) {
  mf::Buffer buffer(bytes.size());
  std::copy(bytes.begin(), bytes.end(), buffer.data());
  return buffer;
}

/// Any item of a list is the same whether read alone, cut out, or with all others.
void check_items(const mf::Value& value, std::span<const std::byte> bytes) {
  if (value.kind() != mf::ValueKind::list) return;
  const mf::pickle::Items items(copy_of(bytes));
  for (std::size_t i = 0; i < value.size() && i < 20; ++i) {
    const auto shown = value[i].repr();
    fuzz::require(mf::pickle::decode_item(copy_of(bytes), i).value.repr() == shown);
    fuzz::require(items.item(i).value.repr() == shown);
    if (const auto cut = items.pickle(i))
      fuzz::require(mf::pickle::decode(std::as_bytes(std::span(*cut))).repr() == shown);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  try {
    const auto bytes = std::as_bytes(std::span(data, size));
    const auto value = mf::pickle::decode(bytes);
    check(value);
    check_items(value, bytes);
    (void)mf::decode<std::vector<mf::Array<double>>>(copy_of(bytes));
  } catch (const mf::Error&) {
  }
  return 0;
}
