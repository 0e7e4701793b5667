// ExchangeSession: what the node does with the frames of one Exchange stream. No gRPC here: the
// stream gives frames and takes frames. docs/formats/wire.md.
#pragma once

#include <atomic>
#include <map>
#include <memory>

#include "common/base/mutex.h"
#include "common/ring/ring.h"
#include "storage-node/service/disk_readers.h"
#include "storage-node/service/stream_budget.h"
#include "storage-node/service/write_gate.h"
#include "transfer/grpc/wire.h"

namespace rondel::node {

struct ExchangeServices {
  const DiskSet& disks;
  const WriteGate& gate;
  // What waits for a disk: reads, beginnings of uploads, retries of pieces when its queue is full.
  const DiskReaders& readers;
  // Not null: the caller is a node and nothing more. It hands copies back to owners on this ring,
  // and writes nothing else.
  const ring::TopologySource* owners = nullptr;
};

// Where the frames of a session go. Safe for concurrent use.
class FrameSink {
 public:
  virtual ~FrameSink() = default;
  // Never waits, also when full.
  virtual void send(transfer::Frame frame) = 0;
  // The peer takes less than it asks for: nothing is read for it, from a disk or a cache, until
  // ExchangeSession::drained().
  virtual bool full() const = 0;
};

// handle() on one thread at a time, never waiting for a disk; answers come from any thread. Engines
// hold it until they have called back.
class ExchangeSession : public std::enable_shared_from_this<ExchangeSession> {
 public:
  static constexpr size_t kDownloadsMax = 16'384;
  static constexpr size_t kUploadsMax = 1'024;
  // What an open request counts for in the node's memory, beside its bytes.
  static constexpr uint64_t kDownloadBytes = 1 << 10;
  static constexpr uint64_t kUploadBytes = 8 << 10;

  // `memory`: where the stream's requests are counted, and whoever gives frames counts their bytes.
  // While it has no room puts, and downloads beyond some, are refused. Null: without a bound.
  ExchangeSession(ExchangeServices services, std::shared_ptr<FrameSink> sink,
                  std::shared_ptr<StreamBudget::Account> memory = nullptr)
      : services_(services), sink_(std::move(sink)), memory_(std::move(memory)) {}

  void handle(transfer::Frame frame);
  // The sink was full and is no longer. From any thread, each time.
  void drained();
  // The stream is gone: open uploads and downloads are dropped, nothing is sent any more.
  void close();

 private:
  struct Upload;
  struct Download;

  // Threads of a disk: for background traffic, or for clients'.
  struct Lane {
    engine::Engine* engine = nullptr;
    bool background = false;
    auto operator<=>(const Lane&) const = default;
  };

  void put(transfer::Frame frame);
  void open_upload(transfer::Frame frame);

  bool has_room() { return memory_ == nullptr || memory_->has_room(); }

  Result<void> may_put(const transfer::PutMeta& meta) const;
  void start_upload(const engine::PutRequest& put, uint64_t length,
                    const std::shared_ptr<Upload>& upload);
  void feed_upload(transfer::Frame frame);
  void drop(Upload& upload);
  void get(transfer::Frame frame);
  void stat(const transfer::Frame& frame);
  void cancel(uint64_t request);
  void credit(const transfer::Frame& frame);

  void advance(const std::shared_ptr<Upload>& upload);
  void advance_later(const std::shared_ptr<Upload>& upload);
  std::vector<std::shared_ptr<Upload>> take_stalled(const Lane& lane);
  void abandon(Upload& upload, const Error& error);
  void read_on(const std::shared_ptr<Download>& download);
  bool park(const std::shared_ptr<Download>& download);
  std::shared_ptr<Download> take_parked(const Lane& lane);
  void schedule(const std::shared_ptr<Download>& download);
  bool submit(const Lane& lane, async::Function function);
  void end_download(const Download& download);
  void refuse_read(const Download& download);
  bool send(transfer::Frame frame);

  void refuse(transfer::FrameType type, uint64_t request, Error error) {
    send(transfer::error_frame(type, request, error));
  }

  const ExchangeServices services_;
  const std::shared_ptr<FrameSink> sink_;
  const std::shared_ptr<StreamBudget::Account> memory_;
  Mutex mutex_;
  bool closed_ = false;
  std::map<uint64_t, std::shared_ptr<Upload>> uploads_;
  std::map<uint64_t, std::shared_ptr<Download>> downloads_;
  // The disk's queue was full; a thread will take them.
  std::map<Lane, std::vector<std::shared_ptr<Upload>>> stalled_;
  // Wait for the sink, in turn: each is in downloads_.
  std::map<Lane, std::map<uint64_t, std::shared_ptr<Download>>> parked_;
  uint64_t last_turn_ = 0;
};

}  // namespace rondel::node
