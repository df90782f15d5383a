#pragma once

#include <atomic>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/files.hpp"

namespace metaflow::network {

/// For tests: a server on a free port of this machine that answers each request with bytes as they stand.
class TestServer {
 public:
  struct Reply {
    std::string bytes;  ///< head and body; nothing at all when empty
    enum class After { keep, close, reset, hang } after = After::keep;
  };
  /// Gets head and body of a request; called from several threads.
  using Answer = std::function<Reply(const std::string& request)>;

  explicit TestServer(Answer answer, std::string greeting = "")
      : answer_(std::move(answer)), greeting_(std::move(greeting)), stop_(::eventfd(0, EFD_CLOEXEC)) {
    listener_ = FileDescriptor(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    ::bind(listener_.get(), reinterpret_cast<sockaddr*>(&address), size);
    ::listen(listener_.get(), 100);
    ::getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
    acceptor_ = std::jthread([this] { accept_all(); });
  }
  ~TestServer() {
    const std::uint64_t one = 1;
    (void)!::write(stop_.get(), &one, sizeof one);
    acceptor_.join();
  }

  std::string url(const std::string& path = "/") const { return "http://127.0.0.1:" + std::to_string(port_) + path; }
  int connections() const { return connections_; }

 private:
  bool readable(int descriptor) const {
    pollfd watched[] = {{descriptor, POLLIN, 0}, {stop_.get(), POLLIN, 0}};
    return ::poll(watched, 2, -1) > 0 && watched[1].revents == 0;
  }

  void accept_all() {
    std::vector<std::jthread> served;
    while (readable(listener_.get())) {
      const int connection = ::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC);
      if (connection < 0) continue;
      ++connections_;
      served.emplace_back([this, connection] { serve(FileDescriptor(connection)); });
    }
  }

  bool receive(int connection, std::string& into) const {
    char bytes[65536];
    if (!readable(connection)) return false;
    const auto count = ::recv(connection, bytes, sizeof bytes, 0);
    if (count <= 0) return false;
    into.append(bytes, static_cast<std::size_t>(count));
    return true;
  }

  void serve(FileDescriptor connection) const {
    std::string received;
    send_all(connection.get(), greeting_);
    while (true) {
      std::size_t end = 0;
      while ((end = received.find("\r\n\r\n")) == std::string::npos)
        if (!receive(connection.get(), received)) return;
      const auto field = received.find("Content-Length: ");
      const auto length = field < end ? std::stoul(received.substr(field + 16)) : 0;
      if (received.substr(0, end).find("Expect: 100-continue") != std::string::npos)
        send_all(connection.get(), "HTTP/1.1 100 Continue\r\n\r\n");
      while (received.size() < end + 4 + length)
        if (!receive(connection.get(), received)) return;
      const auto reply = answer_(received.substr(0, end + 4 + length));
      received.erase(0, end + 4 + length);
      send_all(connection.get(), reply.bytes);
      if (reply.after == Reply::After::hang) readable(-1);
      if (reply.after == Reply::After::reset) {
        const linger at_once{1, 0};
        ::setsockopt(connection.get(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
      }
      if (reply.after != Reply::After::keep) return;
    }
  }

  static void send_all(int connection, const std::string& bytes) {
    for (std::size_t done = 0; done < bytes.size();) {
      const auto count = ::send(connection, bytes.data() + done, bytes.size() - done, MSG_NOSIGNAL);
      if (count <= 0) return;
      done += static_cast<std::size_t>(count);
    }
  }

  Answer answer_;
  std::string greeting_;  // sent before anything is asked
  FileDescriptor stop_, listener_;
  std::uint16_t port_ = 0;
  std::atomic<int> connections_ = 0;
  std::jthread acceptor_;
};

inline std::string ok(const std::string& body, const std::string& more_headers = "") {
  return "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(body.size()) + "\r\n" + more_headers + "\r\n" + body;
}

}  // namespace metaflow::network
