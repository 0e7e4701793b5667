// Copies bytes over one gRPC stream of ByteBuffers between two processes over loopback TCP: GB/s
// and CPU s/GB of both ends.
//   stream_copy MEBIBYTES
#include <grpcpp/generic/async_generic_service.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>
#include <sys/wait.h>
#include <unistd.h>

#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <string>
#include <vector>

#include "usage.h"

namespace {

constexpr size_t kMessageBytes = 256 * 1024;

class Done {
 public:
  void set() {
    const std::lock_guard lock(mutex_);
    set_ = true;
    ready_.notify_all();
  }

  void wait() {
    std::unique_lock lock(mutex_);
    ready_.wait(lock, [this] { return set_; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable ready_;
  bool set_ = false;
};

// Reads to the end of the stream and answers its length.
class Reader final : public grpc::ServerGenericBidiReactor {
 public:
  Reader() { StartRead(&message_); }

  void OnReadDone(bool ok) override {
    if (!ok) {
      Finish(grpc::Status::OK);
      return;
    }
    std::vector<grpc::Slice> slices;
    (void)message_.Dump(&slices);
    message_.Clear();
    StartRead(&message_);
  }

  void OnDone() override { delete this; }

 private:
  grpc::ByteBuffer message_;
};

class Service final : public grpc::CallbackGenericService {
 public:
  grpc::ServerGenericBidiReactor* CreateReactor(grpc::GenericCallbackServerContext*) override {
    return new Reader;
  }
};

class Writer final : public grpc::ClientBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer> {
 public:
  Writer(grpc::GenericStub& stub, uint64_t bytes) : left_(bytes), bytes_(kMessageBytes, 'x') {
    stub.PrepareBidiStreamingCall(&context_, "/yardstick.Copy/Copy", {}, this);
    write();
    StartCall();
  }

  void OnWriteDone(bool ok) override {
    if (ok) write();
  }

  void OnDone(const grpc::Status& status) override {
    ok_ = status.ok();
    done_.set();
  }

  bool wait() {
    done_.wait();
    return ok_;
  }

 private:
  void write() {
    if (left_ == 0) {
      StartWritesDone();
      return;
    }
    const size_t count = std::min<uint64_t>(left_, bytes_.size());
    left_ -= count;
    const grpc::Slice slice(bytes_.data(), count, grpc::Slice::STATIC_SLICE);
    message_ = grpc::ByteBuffer(&slice, 1);
    StartWrite(&message_);
  }

  uint64_t left_;
  std::string bytes_;
  grpc::ByteBuffer message_;
  grpc::ClientContext context_;
  Done done_;
  bool ok_ = false;
};

// Says its port on `to`, serves until `from` is closed.
int serve(int to, int from) {
  Service service;
  grpc::ServerBuilder builder;
  int port = 0;
  builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
  builder.RegisterCallbackGenericService(&service);
  const auto server = builder.BuildAndStart();
  if (write(to, &port, sizeof port) != sizeof port) return 1;
  char ignored;
  (void)!read(from, &ignored, 1);
  server->Shutdown();
  return 0;
}

}  // namespace

int main(int count, char** words) {
  if (count != 2) {
    std::fprintf(stderr, "stream_copy MEBIBYTES\n");
    return 2;
  }
  const uint64_t bytes = static_cast<uint64_t>(std::atoll(words[1])) << 20;
  int up[2], down[2];
  if (pipe(up) != 0 || pipe(down) != 0) return 1;
  const pid_t child = fork();
  if (child == 0) {
    close(down[1]);
    _exit(serve(up[1], down[0]));
  }
  int port = 0;
  if (read(up[0], &port, sizeof port) != sizeof port) return 1;
  bool good = false;
  double begin = 0, took = 0;
  {
    grpc::GenericStub stub(grpc::CreateChannel("127.0.0.1:" + std::to_string(port),
                                               grpc::InsecureChannelCredentials()));
    begin = seconds_now();
    Writer writer(stub, bytes);
    good = writer.wait();
    took = seconds_now() - begin;
  }
  close(down[1]);
  int status = 0;
  waitpid(child, &status, 0);
  const double gigabytes = static_cast<double>(bytes) / 1e9;
  std::printf("{\"gb_per_s\": %.4f, \"cpu_s_per_gb\": %.4f}\n", gigabytes / took,
              (cpu_seconds() + cpu_seconds(RUSAGE_CHILDREN)) / gigabytes);
  return good ? status : 1;
}
