// Any bytes read as a gzip file give their content or Error(corrupt), and whatever is packed comes back.
#include <span>

#include "base/gzip.hpp"
#include "fuzz.hpp"

namespace mf = metaflow;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto bytes = std::as_bytes(std::span(data, size));
  const auto content = fuzz::accepted({mf::ErrorCode::corrupt}, [&] { return mf::gzip_unpack(bytes); });
  if (content) fuzz::require(content->size() <= size * 1100);  // more than deflate can make of it

  mf::Pieces pieces;
  pieces.borrow(bytes);
  const auto packed = mf::gzip_pack(pieces);
  std::string file;
  for (std::size_t i = 0; i < packed.count(); ++i) {
    const auto piece = packed.piece(i);
    file.append(reinterpret_cast<const char*>(piece.data()), piece.size());
  }
  fuzz::require(mf::gzip_unpack(std::as_bytes(std::span(file))).text() == fuzz::text_of(data, size));
  return 0;
}
