// Any bytes read as a gzip file give their content or Error(corrupt), and whatever is packed comes back.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>
#include <string>

#include <metaflow/error.hpp>

#include "base/gzip.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto bytes = std::as_bytes(std::span(data, size));
  try {
    metaflow::gzip_unpack(bytes);
  } catch (const metaflow::Error& error) {
    if (error.code() != metaflow::ErrorCode::corrupt) std::abort();
  }

  metaflow::Pieces content;
  content.borrow(bytes);
  const auto packed = metaflow::gzip_pack(content);
  std::string file;
  for (std::size_t i = 0; i < packed.count(); ++i) {
    const auto piece = packed.piece(i);
    file.append(reinterpret_cast<const char*>(piece.data()), piece.size());
  }
  const auto unpacked = metaflow::gzip_unpack(std::as_bytes(std::span(file)));
  if (unpacked.text() != std::string_view(reinterpret_cast<const char*>(data), size)) std::abort();
  return 0;
}
