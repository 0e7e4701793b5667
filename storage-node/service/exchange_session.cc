#include "storage-node/service/exchange_session.h"

#include <algorithm>
#include <deque>
#include <thread>

namespace rondel::node {

using rpc::Frame;
using rpc::FrameType;

namespace {

using namespace std::chrono_literals;

constexpr auto kRetryPause = 2ms;
// Threads of a disk that go on with downloads which waited for the sink.
constexpr size_t kResumersMax = 8;

const Error kMalformed{ErrorCode::kInvalidArgument, "the frame's meta is malformed"};
const Error kNoDisk{ErrorCode::kUnavailable, "the disk is not in this node"};

engine::PutRequest put_request(const rpc::PutMeta& meta) {
  return {meta.blob, meta.ring_epoch, SystemTime(std::chrono::microseconds(meta.created_us)), meta.handoff_for};
}

Frame done_frame(uint64_t request, const Result<void>& result) {
  if (!result) return rpc::error_frame(FrameType::kDone, request, result.error());
  Frame frame;
  frame.type = FrameType::kDone;
  frame.request = request;
  return frame;
}

Frame data_frame(uint64_t request, engine::ReadResult read, bool last) {
  Frame frame;
  frame.type = FrameType::kData;
  frame.flags = last ? rpc::kLast : 0;
  frame.request = request;
  frame.argument = read.offset;
  frame.meta = rpc::encode(read.digests);
  frame.body = std::move(read.bytes);
  return frame;
}

Frame stat_frame(uint64_t request, const Result<engine::BlobEntry>& entry) {
  if (!entry) return rpc::error_frame(FrameType::kStatReply, request, entry.error());
  Frame frame;
  frame.type = FrameType::kStatReply;
  frame.request = request;
  std::byte length[8];
  store_le(length, entry->length);
  frame.meta = std::string(as_text(length)) + rpc::encode(entry->digest);
  frame.meta += entry->handoff_for.is_zero() ? '\0' : '\1';
  return frame;
}

}  // namespace

// Frames of one large put, taken in order; when the disk's queue is full the first waits and the others behind it.
struct ExchangeSession::Upload {
  uint64_t request = 0;
  engine::Engine* engine = nullptr;
  std::mutex mutex;
  std::deque<Frame> waiting;
  bool advancing = false;
  bool dropped = false;
  std::unique_ptr<engine::LargePut> put;
};

struct ExchangeSession::Download {
  uint64_t request = 0;
  engine::Engine* engine = nullptr;
  model::BlobId blob;
  uint64_t next = 0;
  uint64_t end = 0;
  std::mutex mutex;
  uint64_t credit = rpc::kWindowBytes;
  bool reading = false;
  std::atomic<bool> dropped{false};
  uint64_t turn = 0;               // Among the parked, guarded by the session's mutex.
};

// What is under way ends with the frame that is being taken.
void ExchangeSession::drop(Upload& upload) {
  std::lock_guard lock(upload.mutex);
  upload.dropped = true;
  for (const Frame& frame : upload.waiting) waiting_bytes_ -= frame.body.size();
  upload.waiting.clear();
  if (!upload.advancing) upload.put.reset();
}

bool ExchangeSession::send(Frame frame) {
  std::lock_guard lock(mutex_);
  if (closed_) return false;
  sink_->send(std::move(frame));
  return true;
}

void ExchangeSession::close() {
  std::map<uint64_t, std::shared_ptr<Upload>> uploads;
  std::map<uint64_t, std::shared_ptr<Download>> downloads;
  {
    std::lock_guard lock(mutex_);
    closed_ = true;
    uploads.swap(uploads_);
    downloads.swap(downloads_);
    parked_.clear();
  }
  for (auto& [id, upload] : uploads) drop(*upload);
  for (auto& [id, download] : downloads) download->dropped = true;
}

void ExchangeSession::handle(Frame frame) {
  switch (frame.type) {
    case FrameType::kPut: return put(std::move(frame));
    case FrameType::kPutOpen: return open_upload(std::move(frame));
    case FrameType::kPiece:
    case FrameType::kPutClose: return feed_upload(std::move(frame));
    case FrameType::kGet: return get(std::move(frame));
    case FrameType::kStat: return stat(frame);
    case FrameType::kCancel: return cancel(frame.request);
    case FrameType::kCredit: return credit(frame);
    case FrameType::kDone:
    case FrameType::kData:
    case FrameType::kStatReply: return;  // A node's frames: nothing a client may send.
  }
}

void ExchangeSession::put(Frame frame) {
  const auto meta = rpc::decode_put_meta(frame.meta);
  auto digests = rpc::decode_digests(std::string_view(frame.meta).substr(std::min(frame.meta.size(), rpc::kPutMetaBytes)));
  if (!meta || !digests || meta->length != frame.body.size()) return refuse(FrameType::kDone, frame.request, kMalformed);
  engine::Engine* const engine = services_.disks.find(meta->disk);
  if (engine == nullptr) return refuse(FrameType::kDone, frame.request, kNoDisk);
  if (auto allowed = services_.gate.check(meta->ring_epoch); !allowed) return refuse(FrameType::kDone, frame.request, allowed.error());
  auto request = put_request(*meta);
  request.fresh = (frame.flags & rpc::kFresh) != 0;
  engine->put_async(std::move(request), std::move(frame.body), *std::move(digests),
                    [self = shared_from_this(), request = frame.request](Result<void> result) { self->send(done_frame(request, result)); });
}

void ExchangeSession::open_upload(Frame frame) {
  const auto meta = rpc::decode_put_meta(frame.meta);
  if (!meta || frame.meta.size() != rpc::kPutMetaBytes) return refuse(FrameType::kDone, frame.request, kMalformed);
  engine::Engine* const engine = services_.disks.find(meta->disk);
  if (engine == nullptr) return refuse(FrameType::kDone, frame.request, kNoDisk);
  if (auto allowed = services_.gate.check(meta->ring_epoch); !allowed) return refuse(FrameType::kDone, frame.request, allowed.error());
  auto upload = std::make_shared<Upload>();
  upload->request = frame.request;
  upload->engine = engine;
  upload->advancing = true;
  {
    std::lock_guard lock(mutex_);
    if (uploads_.size() >= kRequestsMax || !uploads_.emplace(frame.request, upload).second) {
      if (!closed_) sink_->send(rpc::error_frame(FrameType::kDone, frame.request, {ErrorCode::kResourceExhausted, "too many uploads on the stream"}));
      return;
    }
  }
  // It may begin a segment, and wait for the disk.
  if (services_.readers.of(*engine).try_submit([self = shared_from_this(), meta = *meta, upload] { self->start_upload(meta, upload); })) return;
  cancel(frame.request);
  refuse(FrameType::kDone, frame.request, {ErrorCode::kResourceExhausted, "too many uploads wait for the disk"});
}

// REQUIRES: upload->advancing was set by the caller.
void ExchangeSession::start_upload(const rpc::PutMeta& meta, const std::shared_ptr<Upload>& upload) {
  {
    std::lock_guard lock(upload->mutex);
    if (upload->dropped) return;
  }
  auto started = upload->engine->start_large_put(put_request(meta), meta.length);
  if (!started) {
    cancel(upload->request);
    return refuse(FrameType::kDone, upload->request, started.error());
  }
  {
    std::lock_guard lock(upload->mutex);
    upload->put = *std::move(started);
  }
  advance(upload);
}

void ExchangeSession::feed_upload(Frame frame) {
  std::shared_ptr<Upload> upload;
  {
    std::lock_guard lock(mutex_);
    const auto found = uploads_.find(frame.request);
    if (found == uploads_.end()) return;  // Refused or cancelled: what was under way is dropped.
    upload = found->second;
  }
  const size_t bytes = frame.body.size();
  bool taken = true;
  {
    std::lock_guard lock(upload->mutex);
    // A peer that ignores its credit is not believed any further.
    if (upload->dropped || upload->waiting.size() > 2 * rpc::kWindowBytes / model::kPieceBytes + 1) return;
    taken = waiting_bytes_.fetch_add(bytes) + bytes <= kWaitingBytesMax;
    if (taken) {
      upload->waiting.push_back(std::move(frame));
      if (std::exchange(upload->advancing, true)) return;
    }
  }
  if (taken) return advance(upload);
  waiting_bytes_ -= bytes;
  cancel(upload->request);
  refuse(FrameType::kDone, upload->request, {ErrorCode::kResourceExhausted, "too many bytes wait for the disks"});
}

// REQUIRES: upload->advancing was set by the caller.
void ExchangeSession::advance(const std::shared_ptr<Upload>& upload) {
  for (;;) {
    Frame frame;
    {
      std::lock_guard lock(upload->mutex);
      if (upload->dropped) upload->put.reset();
      if (upload->waiting.empty() || !upload->put) {
        upload->advancing = false;
        return;
      }
      frame = std::move(upload->waiting.front());
      upload->waiting.pop_front();
      waiting_bytes_ -= frame.body.size();
    }
    if (frame.type == FrameType::kPutClose) {
      const auto digest = rpc::decode_blob_digest(frame.meta);
      auto put = std::move(upload->put);
      cancel(upload->request);
      if (!digest) return refuse(FrameType::kDone, upload->request, kMalformed);
      return put->finish_async(*digest, [self = shared_from_this(), request = upload->request](Result<void> result) {
        self->send(done_frame(request, result));
      });
    }
    const auto digests = rpc::decode_digests(frame.meta);
    const uint64_t bytes = frame.body.size();
    Result<void> taken = digests ? upload->put->append(frame.body, *digests) : Result<void>(std::unexpected(kMalformed));
    if (taken) {
      Frame credit;
      credit.type = FrameType::kCredit;
      credit.request = upload->request;
      credit.argument = bytes;
      send(std::move(credit));
      continue;
    }
    if (taken.error().code == ErrorCode::kResourceExhausted) {
      {
        std::lock_guard lock(upload->mutex);
        if (!upload->dropped) {
          waiting_bytes_ += bytes;
          upload->waiting.push_front(std::move(frame));
        }
      }
      return advance_later(upload);
    }
    return abandon(*upload, taken.error());
  }
}

// REQUIRES: upload->advancing was set by the caller. One thread of the disk pauses for all of its uploads on the stream.
void ExchangeSession::advance_later(const std::shared_ptr<Upload>& upload) {
  engine::Engine* const engine = upload->engine;
  {
    std::lock_guard lock(mutex_);
    const auto [stalled, first] = stalled_.try_emplace(engine);
    stalled->second.push_back(upload);
    if (!first) return;
  }
  const bool later = services_.readers.of(*engine).try_submit([self = shared_from_this(), engine] {
    std::this_thread::sleep_for(kRetryPause);
    for (const auto& stalled : self->take_stalled(engine)) self->advance(stalled);
  });
  if (later) return;
  for (const auto& stalled : take_stalled(engine)) abandon(*stalled, {ErrorCode::kResourceExhausted, "the disk's queue is full"});
}

std::vector<std::shared_ptr<ExchangeSession::Upload>> ExchangeSession::take_stalled(engine::Engine* engine) {
  std::lock_guard lock(mutex_);
  auto taken = stalled_.extract(engine);
  return taken.empty() ? std::vector<std::shared_ptr<Upload>>() : std::move(taken.mapped());
}

// REQUIRES: upload.advancing was set by the caller.
void ExchangeSession::abandon(Upload& upload, const Error& error) {
  upload.put.reset();
  cancel(upload.request);
  refuse(FrameType::kDone, upload.request, error);
}

void ExchangeSession::cancel(uint64_t request) {
  std::shared_ptr<Upload> upload;
  std::shared_ptr<Download> download;
  {
    std::lock_guard lock(mutex_);
    if (const auto found = uploads_.find(request); found != uploads_.end()) {
      upload = std::move(found->second);
      uploads_.erase(found);
    }
    if (const auto found = downloads_.find(request); found != downloads_.end()) {
      download = std::move(found->second);
      downloads_.erase(found);
      if (const auto parked = parked_.find(download->engine); parked != parked_.end()) parked->second.erase(download->turn);
    }
  }
  if (download) download->dropped = true;
  if (upload) drop(*upload);
}

void ExchangeSession::get(Frame frame) {
  const auto meta = rpc::decode_get_meta(frame.meta);
  if (!meta || meta->length == 0 || meta->length > model::kChunkBytes || meta->offset > model::kChunkBytes) {
    return refuse(FrameType::kData, frame.request, kMalformed);
  }
  engine::Engine* const engine = services_.disks.find(meta->disk);
  if (engine == nullptr) return refuse(FrameType::kData, frame.request, kNoDisk);
  // Whole blocks are sent: a range of two pieces would not fit into one frame, however short it is.
  const bool one_piece = meta->offset / model::kPieceBytes == (meta->offset + meta->length - 1) / model::kPieceBytes;
  if (one_piece && !sink_->full()) {
    auto read = engine->read_cached(meta->blob, meta->offset, meta->length);
    if (read) {
      send(data_frame(frame.request, *std::move(read), true));
      return;
    }
    if (read.error().code != ErrorCode::kUnavailable) return refuse(FrameType::kData, frame.request, read.error());
  }
  auto download = std::make_shared<Download>();
  download->request = frame.request;
  download->engine = engine;
  download->blob = meta->blob;
  download->next = meta->offset;
  download->end = meta->offset + meta->length;
  {
    std::lock_guard lock(mutex_);
    if (downloads_.size() >= kRequestsMax || !downloads_.emplace(frame.request, download).second) {
      if (!closed_) sink_->send(rpc::error_frame(FrameType::kData, frame.request, {ErrorCode::kResourceExhausted, "too many downloads on the stream"}));
      return;
    }
  }
  download->reading = true;
  schedule(download);
}

void ExchangeSession::credit(const Frame& frame) {
  std::shared_ptr<Download> download;
  {
    std::lock_guard lock(mutex_);
    const auto found = downloads_.find(frame.request);
    if (found == downloads_.end()) return;
    download = found->second;
  }
  {
    std::lock_guard lock(download->mutex);
    download->credit = std::min(download->credit + std::min(frame.argument, rpc::kWindowBytes), rpc::kWindowBytes);
    if (std::exchange(download->reading, true)) return;
  }
  schedule(download);
}

// REQUIRES: download->reading was set by the caller.
void ExchangeSession::schedule(const std::shared_ptr<Download>& download) {
  if (park(download)) return;
  if (services_.readers.of(*download->engine).try_submit([self = shared_from_this(), download] { self->read_on(download); })) return;
  refuse_read(*download);
}

void ExchangeSession::refuse_read(const Download& download) {
  end_download(download);
  refuse(FrameType::kData, download.request, {ErrorCode::kResourceExhausted, "too many reads wait for the disk"});
}

void ExchangeSession::end_download(const Download& download) {
  std::lock_guard lock(mutex_);
  downloads_.erase(download.request);
}

// True: the download waits for drained().
bool ExchangeSession::park(const std::shared_ptr<Download>& download) {
  if (!sink_->full()) return false;
  std::lock_guard lock(mutex_);
  // Full under the lock: the drained() that follows sees it among the parked.
  if (!sink_->full()) return false;
  // Cancelled ones must not pile up: a peer may go on asking and cancelling.
  const auto wanted = downloads_.find(download->request);
  if (wanted == downloads_.end() || wanted->second != download) return true;
  download->turn = ++last_turn_;
  parked_[download->engine].emplace(download->turn, download);
  return true;
}

std::shared_ptr<ExchangeSession::Download> ExchangeSession::take_parked(engine::Engine* engine) {
  std::lock_guard lock(mutex_);
  auto& parked = parked_[engine];
  if (parked.empty() || sink_->full()) return nullptr;
  return std::move(parked.extract(parked.begin()).mapped());
}

void ExchangeSession::drained() {
  std::vector<engine::Engine*> resumers;
  {
    std::lock_guard lock(mutex_);
    for (const auto& [engine, parked] : parked_) resumers.insert(resumers.end(), std::min(parked.size(), kResumersMax), engine);
  }
  for (engine::Engine* const engine : resumers) {
    const bool accepted = services_.readers.of(*engine).try_submit([self = shared_from_this(), engine] {
      while (const auto download = self->take_parked(engine)) self->read_on(download);
    });
    if (accepted) continue;
    while (const auto download = take_parked(engine)) refuse_read(*download);
  }
}

void ExchangeSession::read_on(const std::shared_ptr<Download>& download) {
  while (!download->dropped) {
    if (park(download)) return;
    // Pieces end at piece boundaries, so that blocks are read once.
    const uint64_t piece_end = (download->next / model::kPieceBytes + 1) * model::kPieceBytes;
    const uint64_t end = std::min(download->end, piece_end);
    {
      std::lock_guard lock(download->mutex);
      if (download->credit < end - download->next) {
        download->reading = false;
        return;
      }
      download->credit -= end - download->next;
    }
    auto read = download->engine->read(download->blob, download->next, end - download->next);
    if (!read) {
      end_download(*download);
      return refuse(FrameType::kData, download->request, read.error());
    }
    download->next = end;
    const bool last = end == download->end;
    if (last) end_download(*download);
    if (!send(data_frame(download->request, *std::move(read), last)) || last) return;
  }
}

void ExchangeSession::stat(const Frame& frame) {
  if (frame.meta.size() != 32) return refuse(FrameType::kStatReply, frame.request, kMalformed);
  const ByteView meta = as_bytes(frame.meta);
  engine::Engine* const engine = services_.disks.find(model::DiskId::from_bytes(meta.first(16)).value());
  if (engine == nullptr) return refuse(FrameType::kStatReply, frame.request, kNoDisk);
  const model::BlobId blob = model::BlobId::from_bytes(meta.data() + 16);
  const bool later = services_.readers.of(*engine).try_submit([self = shared_from_this(), request = frame.request, engine, blob] {
    self->send(stat_frame(request, engine->stat(blob)));
  });
  if (!later) refuse(FrameType::kStatReply, frame.request, {ErrorCode::kResourceExhausted, "too many reads wait for the disk"});
}

}  // namespace rondel::node
