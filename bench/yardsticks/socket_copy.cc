// Copies bytes over one loopback TCP connection between two processes: GB/s and CPU s/GB of both
// ends.
//   socket_copy MEBIBYTES
#include <sys/wait.h>
#include <unistd.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "usage.h"

namespace asio = boost::asio;
using tcp = asio::ip::tcp;

namespace {

constexpr size_t kWriteBytes = 256 * 1024;

class Receiver {
 public:
  Receiver(asio::io_context& context, tcp::socket socket, uint64_t bytes)
      : context_(context), socket_(std::move(socket)), left_(bytes) {}

  void read() {
    socket_.async_read_some(asio::buffer(buffer_),
                            [this](boost::system::error_code error, size_t count) {
                              left_ -= count;
                              if (error || left_ == 0) {
                                context_.stop();
                                return;
                              }
                              read();
                            });
  }

 private:
  asio::io_context& context_;
  tcp::socket socket_;
  uint64_t left_;
  std::vector<char> buffer_ = std::vector<char>(kWriteBytes);
};

class Sender {
 public:
  Sender(tcp::socket socket, uint64_t bytes) : socket_(std::move(socket)), left_(bytes) {}

  void write() {
    if (left_ == 0) return;
    const size_t count = std::min<uint64_t>(left_, buffer_.size());
    left_ -= count;
    asio::async_write(socket_, asio::buffer(buffer_.data(), count),
                      [this](boost::system::error_code error, size_t) {
                        if (!error) write();
                      });
  }

 private:
  tcp::socket socket_;
  uint64_t left_;
  std::vector<char> buffer_ = std::vector<char>(kWriteBytes, 'x');
};

int receive(tcp::acceptor& acceptor, uint64_t bytes) {
  asio::io_context context(1);
  tcp::socket socket(context);
  acceptor.accept(socket);
  Receiver receiver(context, std::move(socket), bytes);
  receiver.read();
  context.run();
  return 0;
}

}  // namespace

int main(int count, char** words) {
  if (count != 2) {
    std::fprintf(stderr, "socket_copy MEBIBYTES\n");
    return 2;
  }
  const uint64_t bytes = static_cast<uint64_t>(std::atoll(words[1])) << 20;
  asio::io_context context(1);
  tcp::acceptor acceptor(context, {asio::ip::make_address("127.0.0.1"), 0});
  const pid_t child = fork();
  if (child == 0) _exit(receive(acceptor, bytes));
  tcp::socket socket(context);
  socket.connect(acceptor.local_endpoint());
  const double begin = seconds_now(), cpu = cpu_seconds();
  Sender sender(std::move(socket), bytes);
  sender.write();
  context.run();
  int status = 0;
  waitpid(child, &status, 0);
  const double took = seconds_now() - begin;
  const double gigabytes = static_cast<double>(bytes) / 1e9;
  std::printf("{\"gb_per_s\": %.4f, \"cpu_s_per_gb\": %.4f}\n", gigabytes / took,
              (cpu_seconds() - cpu + cpu_seconds(RUSAGE_CHILDREN)) / gigabytes);
  return status;
}
