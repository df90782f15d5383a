#include "compute/frame_channel.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstring>

#include <sys/socket.h>

namespace metaflow::compute {
namespace {

constexpr std::size_t header_size = 4;
constexpr std::size_t descriptors_per_message = 16;
using ControlBuffer = char[CMSG_SPACE(sizeof(int) * descriptors_per_message)];

std::string header(std::size_t length) {
  std::string bytes(header_size, '\0');
  for (std::size_t i = 0; i < header_size; ++i) bytes[i] = static_cast<char>(length >> (8 * (header_size - 1 - i)));
  return bytes;
}

std::size_t length_of(std::string_view bytes) {
  std::size_t length = 0;
  for (std::size_t i = 0; i < header_size; ++i) length = length << 8 | static_cast<unsigned char>(bytes[i]);
  return length;
}

void attach(msghdr& message, ControlBuffer& buffer, const std::vector<FileDescriptor>& descriptors) {
  std::vector<int> numbers;
  for (const auto& descriptor : descriptors) numbers.push_back(descriptor.get());
  const auto size = numbers.size() * sizeof(int);
  message.msg_control = buffer;
  message.msg_controllen = CMSG_SPACE(size);
  auto* control = CMSG_FIRSTHDR(&message);
  control->cmsg_level = SOL_SOCKET;
  control->cmsg_type = SCM_RIGHTS;
  control->cmsg_len = CMSG_LEN(size);
  std::copy(numbers.begin(), numbers.end(), reinterpret_cast<int*>(CMSG_DATA(control)));
}

/// What came with one frame: the kernel never gives those of two at a time.
std::vector<FileDescriptor> collect(msghdr& message) {
  std::vector<FileDescriptor> descriptors;
  for (auto* control = CMSG_FIRSTHDR(&message); control != nullptr; control = CMSG_NXTHDR(&message, control)) {
    if (control->cmsg_level != SOL_SOCKET || control->cmsg_type != SCM_RIGHTS) continue;
    const auto count = (control->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (std::size_t i = 0; i < count; ++i) {
      int number = -1;
      std::memcpy(&number, CMSG_DATA(control) + i * sizeof(int), sizeof(int));
      descriptors.emplace_back(number);
    }
  }
  return descriptors;
}

}  // namespace

void FrameChannel::send(std::string_view text, std::vector<FileDescriptor> descriptors) {
  if (closed_) return;
  unsent_.push_back({header(text.size()).append(text), 0, std::move(descriptors)});
  flush();
}

void FrameChannel::flush() {
  while (!unsent_.empty() && send_some(unsent_.front())) unsent_.pop_front();
}

/// True when the whole frame has gone.
bool FrameChannel::send_some(Unsent& frame) {
  while (frame.sent < frame.bytes.size()) {
    iovec bytes{frame.bytes.data() + frame.sent, frame.bytes.size() - frame.sent};
    msghdr message{};
    message.msg_iov = &bytes;
    message.msg_iovlen = 1;
    ControlBuffer buffer;
    if (!frame.descriptors.empty()) attach(message, buffer, frame.descriptors);
    const auto sent = ::sendmsg(socket_.get(), &message, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0 && errno == EAGAIN) return false;
    if (sent < 0) {
      // The other end is gone. What it said before that can still be received.
      unsent_.clear();
      return false;
    }
    frame.descriptors.clear();
    frame.sent += static_cast<std::size_t>(sent);
  }
  return true;
}

std::vector<std::string> FrameChannel::receive() {
  while (!closed_ && receive_some()) {
  }
  std::vector<std::string> frames;
  std::size_t at = 0;
  while (received_.size() - at >= header_size) {
    const auto length = length_of(std::string_view(received_).substr(at));
    if (received_.size() - at - header_size < length) break;
    frames.push_back(received_.substr(at + header_size, length));
    at += header_size + length;
  }
  received_.erase(0, at);
  return frames;
}

bool FrameChannel::receive_some() {
  iovec bytes{chunk_.get(), chunk_size};
  ControlBuffer buffer;
  msghdr message{};
  message.msg_iov = &bytes;
  message.msg_iovlen = 1;
  message.msg_control = buffer;
  message.msg_controllen = sizeof buffer;
  const auto got = ::recvmsg(socket_.get(), &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  if (got > 0) {
    received_.append(chunk_.get(), static_cast<std::size_t>(got));
    auto descriptors = collect(message);
    // Cut short, perhaps to none, they stand for their frame all the same: the next one would take those after them.
    if (!descriptors.empty() || (message.msg_flags & MSG_CTRUNC) != 0) descriptors_.push_back(std::move(descriptors));
    return true;
  }
  if (got < 0 && errno == EINTR) return true;
  if (got < 0 && errno == EAGAIN) return false;
  closed_ = true;
  return false;
}

std::vector<FileDescriptor> FrameChannel::take_descriptors() {
  if (descriptors_.empty()) return {};
  auto taken = std::move(descriptors_.front());
  descriptors_.pop_front();
  return taken;
}

}  // namespace metaflow::compute
