// Messages between scheduler, fork server and tasks: bytes become the frames that they are, however they arrive, and a
// request, outcome or failure that can be read at all is written and read back the same.
#include <sys/socket.h>

#include <nlohmann/json.hpp>

#include "compute/frame_channel.hpp"
#include "fuzz.hpp"
#include "runtime/task_codec.hpp"

namespace mf = metaflow;
using namespace mf::runtime;

namespace {

/// What a channel makes of `bytes`, sent to it in pieces of `piece` bytes.
std::vector<std::string> received(std::string_view bytes, std::size_t piece) {
  auto [there, here] = mf::make_socket_pair();
  mf::compute::FrameChannel channel(std::move(here));
  std::vector<std::string> frames;
  const auto receive = [&] {
    for (auto& frame : channel.receive()) frames.push_back(std::move(frame));
  };
  while (!bytes.empty()) {
    const auto sent = ::send(there.get(), bytes.data(), std::min(piece, bytes.size()), 0);
    fuzz::require(sent > 0);
    bytes.remove_prefix(static_cast<std::size_t>(sent));
    receive();
  }
  fuzz::require(!channel.closed());
  there.close();
  receive();
  fuzz::require(channel.closed());
  return frames;
}

std::vector<std::string> frames_in(std::string_view bytes) {
  std::vector<std::string> frames;
  while (bytes.size() >= 4) {
    std::size_t length = 0;
    for (int i = 0; i < 4; ++i) length = length * 256 + static_cast<unsigned char>(bytes[static_cast<std::size_t>(i)]);
    if (length > bytes.size() - 4) break;
    frames.emplace_back(bytes.substr(4, length));
    bytes.remove_prefix(4 + length);
  }
  return frames;
}

/// A text comes out at the other end as it went in.
void check_channel(std::string_view text) {
  auto [there, here] = mf::make_socket_pair();
  mf::compute::FrameChannel from(std::move(there)), to(std::move(here));
  from.send(text);
  std::vector<std::string> frames;
  while (frames.empty()) {
    frames = to.receive();
    from.flush();
  }
  fuzz::require(frames.size() == 1 && frames[0] == text);
}

void check_outcome(std::string_view text) {
  const auto outcome = decode_outcome(text);
  if (!outcome) return;
  const auto written = encode_outcome(*outcome);
  const auto again = decode_outcome(written);
  fuzz::require(again && encode_outcome(*again) == written);
  fuzz::require(again->next == outcome->next && again->foreach_values == outcome->foreach_values);
}

void check_failure(std::string_view text) {
  const auto failure = decode_failure(text);
  if (!failure) return;
  const auto again = decode_failure(encode_failure(*failure)).value();
  fuzz::require(again.type == failure->type && again.message == failure->message);
  fuzz::require(again.stacktrace == failure->stacktrace && again.headline == failure->headline);
}

void check_request(std::string_view text) {
  const auto json = nlohmann::json::parse(text, nullptr, false);
  if (json.is_discarded()) return;
  const auto request = fuzz::accepted({mf::ErrorCode::corrupt}, [&] { return task_request(json); });
  if (!request) return;
  const auto written = to_json(*request);
  fuzz::require(to_json(task_request(written)) == written);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const auto text = fuzz::text_of(data + 1, size - 1);
  const auto frames = frames_in(text);
  fuzz::require(received(text, 1 + data[0] * 16u) == frames);
  check_channel(text);
  check_outcome(text);
  check_failure(text);
  check_request(text);
  return 0;
}
