#pragma once

#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "base/pipes.hpp"

namespace metaflow::compute {

/// One end of the connection between scheduler and fork server: frames of text in both directions, with descriptors
/// beside them (docs/formats/fork-server.md). Never waits: what the socket does not take now is kept. For one thread.
///
///     stream = { frame }
///     frame  = length text          length: of the text in bytes, 4 bytes, most significant first
///
/// Descriptors travel as SCM_RIGHTS with the first byte of their frame, so they are there when the frame is whole.
class FrameChannel {
 public:
  explicit FrameChannel(FileDescriptor socket) : socket_(std::move(socket)) {}

  int descriptor() const noexcept { return socket_.get(); }
  /// Sends or keeps a frame; `descriptors` are closed here once sent.
  void send(std::string_view text, std::vector<FileDescriptor> descriptors = {});
  /// Sends what was kept; call when the socket is writable.
  void flush();
  bool has_unsent() const noexcept { return !unsent_.empty(); }

  /// Frames that have arrived whole since the last call.
  std::vector<std::string> receive();
  /// Those of the next frame that had any; fewer than it had when this process may open no more.
  std::vector<FileDescriptor> take_descriptors();
  /// The other end is gone; nothing more comes or goes.
  bool closed() const noexcept { return closed_; }

 private:
  struct Unsent {
    std::string bytes;
    std::size_t sent = 0;
    std::vector<FileDescriptor> descriptors;
  };
  bool send_some(Unsent& frame);
  bool receive_some();

  FileDescriptor socket_;
  std::deque<Unsent> unsent_;
  static constexpr std::size_t chunk_size = 65'536;
  std::unique_ptr<char[]> chunk_ = std::make_unique_for_overwrite<char[]>(chunk_size);
  std::string received_;
  std::deque<std::vector<FileDescriptor>> descriptors_;  // by frame
  bool closed_ = false;
};

}  // namespace metaflow::compute
