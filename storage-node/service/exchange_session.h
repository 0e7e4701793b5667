// ExchangeSession: what the node does with the frames of one Exchange stream. No gRPC here: the stream gives frames and takes
// frames. docs/formats/wire.md.
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <mutex>

#include "transfer/grpc/wire.h"
#include "storage-node/service/disk_readers.h"
#include "storage-node/service/write_gate.h"

namespace rondel::node {

struct ExchangeServices {
  const DiskSet& disks;
  const WriteGate& gate;
  const DiskReaders& readers;      // What waits for a disk: reads, beginnings of uploads, retries of pieces when its queue is full.
};

// Where the frames of a session go. Safe for concurrent use.
class FrameSink {
 public:
  virtual ~FrameSink() = default;
  // Never waits, also when full.
  virtual void send(transfer::Frame frame) = 0;
  // The peer takes less than it asks for: nothing is read for it, from a disk or a cache, until ExchangeSession::drained().
  virtual bool full() const = 0;
};

// handle() on one thread at a time, never waiting for a disk; answers come from any thread. Engines hold it until they have called back.
class ExchangeSession : public std::enable_shared_from_this<ExchangeSession> {
 public:
  static constexpr size_t kRequestsMax = 16'384;
  // Pieces of uploads that disks have not taken yet; more than a gateway's buffers hold. Beyond it uploads are refused.
  static constexpr size_t kWaitingBytesMax = 512 << 20;

  ExchangeSession(ExchangeServices services, std::shared_ptr<FrameSink> sink) : services_(services), sink_(std::move(sink)) {}

  void handle(transfer::Frame frame);
  // The sink was full and is no longer. From any thread, each time.
  void drained();
  // The stream is gone: open uploads and downloads are dropped, nothing is sent any more.
  void close();

 private:
  struct Upload;
  struct Download;

  void put(transfer::Frame frame);
  void open_upload(transfer::Frame frame);
  void start_upload(const engine::PutRequest& put, uint64_t length, const std::shared_ptr<Upload>& upload);
  void feed_upload(transfer::Frame frame);
  void drop(Upload& upload);
  void get(transfer::Frame frame);
  void stat(const transfer::Frame& frame);
  void cancel(uint64_t request);
  void credit(const transfer::Frame& frame);

  void advance(const std::shared_ptr<Upload>& upload);
  void advance_later(const std::shared_ptr<Upload>& upload);
  std::vector<std::shared_ptr<Upload>> take_stalled(engine::Engine* engine);
  void abandon(Upload& upload, const Error& error);
  void read_on(const std::shared_ptr<Download>& download);
  bool park(const std::shared_ptr<Download>& download);
  std::shared_ptr<Download> take_parked(engine::Engine* engine);
  void schedule(const std::shared_ptr<Download>& download);
  void end_download(const Download& download);
  void refuse_read(const Download& download);
  bool send(transfer::Frame frame);
  void refuse(transfer::FrameType type, uint64_t request, Error error) { send(transfer::error_frame(type, request, error)); }

  const ExchangeServices services_;
  const std::shared_ptr<FrameSink> sink_;
  std::mutex mutex_;
  bool closed_ = false;
  std::atomic<size_t> waiting_bytes_{0};
  std::map<uint64_t, std::shared_ptr<Upload>> uploads_;
  std::map<uint64_t, std::shared_ptr<Download>> downloads_;
  // By disk.
  std::map<engine::Engine*, std::vector<std::shared_ptr<Upload>>> stalled_;     // Its queue was full; a thread will take them.
  std::map<engine::Engine*, std::map<uint64_t, std::shared_ptr<Download>>> parked_;   // Wait for the sink, in turn: each is in downloads_.
  uint64_t last_turn_ = 0;
};

}  // namespace rondel::node
