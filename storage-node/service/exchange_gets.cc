// Blobs on their way out, and what is said of them.
#include <algorithm>

#include "storage-node/service/exchange_requests.h"

namespace rondel::node {

using transfer::Frame;
using transfer::FrameType;

namespace {

// Threads of a disk that go on with downloads which waited for the sink.
constexpr size_t kResumersMax = 8;
// Of one stream, also when memory is short: they wait in it, and cost little.
constexpr size_t kDownloadsHeard = 1024;

Frame data_frame(uint64_t request, engine::ReadResult read, bool last) {
  Frame frame;
  frame.type = FrameType::kData;
  frame.flags = last ? transfer::kLast : 0;
  frame.request = request;
  frame.argument = read.offset;
  frame.meta = transfer::encode(read.digests);
  frame.body = std::move(read.bytes);
  return frame;
}

// Of a blob that is gone what is left is the order of its removal.
Result<transfer::StatMeta> stat_of(engine::Engine& engine, const model::BlobId& blob) {
  const auto entry = engine.stat(blob);
  if (entry) {
    return transfer::StatMeta{
        entry->length,      entry->digest,
        entry->handoff_for, static_cast<uint64_t>(entry->created_at.time_since_epoch().count()),
        entry->order,       entry->trashed && !entry->dropped};
  }
  if (entry.error().code != ErrorCode::kNotFound) return std::unexpected(entry.error());
  TRY(const uint64_t order, engine.removal_of(blob));
  return transfer::StatMeta{.order = order, .removed = true};
}

Frame stat_frame(uint64_t request, const Result<transfer::StatMeta>& meta) {
  if (!meta) return transfer::error_frame(FrameType::kStatReply, request, meta.error());
  Frame frame;
  frame.type = FrameType::kStatReply;
  frame.request = request;
  frame.meta = transfer::encode(*meta);
  return frame;
}

}  // namespace

void ExchangeSession::get(Frame frame) {
  const auto meta = transfer::decode_get_meta(frame.meta);
  if (!meta || meta->length == 0 || meta->length > model::kChunkBytes ||
      meta->offset > model::kChunkBytes) {
    return refuse(FrameType::kData, frame.request, kMalformed);
  }
  engine::Engine* const engine = services_.disks.find(meta->disk);
  if (engine == nullptr) return refuse(FrameType::kData, frame.request, kNoDisk);
  // Whole blocks are sent: a range of two pieces would not fit into one frame, however short it is.
  const bool one_piece =
      meta->offset / model::kPieceBytes == (meta->offset + meta->length - 1) / model::kPieceBytes;
  const bool background = (frame.flags & transfer::kBackground) != 0;
  if (one_piece && !background && !sink_->full()) {
    auto read = engine->read_cached(meta->blob, meta->offset, meta->length);
    if (read) {
      send(data_frame(frame.request, *std::move(read), true));
      return;
    }
    if (read.error().code != ErrorCode::kUnavailable) {
      return refuse(FrameType::kData, frame.request, read.error());
    }
  }
  auto download = std::make_shared<Download>();
  download->request = frame.request;
  download->engine = engine;
  download->blob = meta->blob;
  download->next = meta->offset;
  download->end = meta->offset + meta->length;
  download->background = background;
  download->held = Held(memory_, kDownloadBytes);
  bool many = false;
  {
    MutexLock lock(mutex_);
    many = downloads_.size() >= kDownloadsHeard;
  }
  if (many && !has_room()) return refuse(FrameType::kData, frame.request, kNoRoom);
  {
    MutexLock lock(mutex_);
    if (downloads_.size() >= kDownloadsMax || !downloads_.emplace(frame.request, download).second) {
      if (!closed_) {
        sink_->send(transfer::error_frame(
            FrameType::kData, frame.request,
            {ErrorCode::kResourceExhausted, "too many downloads on the stream"}));
      }
      return;
    }
  }
  {
    MutexLock lock(download->mutex);
    download->reading = true;
  }
  schedule(download);
}

void ExchangeSession::credit(const Frame& frame) {
  std::shared_ptr<Download> download;
  {
    MutexLock lock(mutex_);
    const auto found = downloads_.find(frame.request);
    if (found == downloads_.end()) return;
    download = found->second;
  }
  {
    MutexLock lock(download->mutex);
    download->credit = std::min(download->credit + std::min(frame.argument, transfer::kWindowBytes),
                                transfer::kWindowBytes);
    if (std::exchange(download->reading, true)) return;
  }
  schedule(download);
}

// REQUIRES: download->reading was set by the caller.
void ExchangeSession::schedule(const std::shared_ptr<Download>& download) {
  if (park(download)) return;
  if (submit(download->lane(),
             [self = shared_from_this(), download] { self->read_on(download); })) {
    return;
  }
  refuse_read(*download);
}

bool ExchangeSession::submit(const Lane& lane, async::Function function) {
  DiskQueue& queue = lane.background ? services_.readers.background(*lane.engine)
                                     : services_.readers.of(*lane.engine);
  return queue.try_submit(std::move(function), this);
}

void ExchangeSession::refuse_read(const Download& download) {
  end_download(download);
  refuse(FrameType::kData, download.request,
         {ErrorCode::kResourceExhausted, "too many reads wait for the disk"});
}

void ExchangeSession::end_download(const Download& download) {
  MutexLock lock(mutex_);
  downloads_.erase(download.request);
}

// True: the download waits for drained().
bool ExchangeSession::park(const std::shared_ptr<Download>& download) {
  if (!sink_->full()) return false;
  MutexLock lock(mutex_);
  // Full under the lock: the drained() that follows sees it among the parked.
  if (!sink_->full()) return false;
  // Cancelled ones must not pile up: a peer may go on asking and cancelling.
  const auto wanted = downloads_.find(download->request);
  if (wanted == downloads_.end() || wanted->second != download) return true;
  download->turn = ++last_turn_;
  parked_[download->lane()].emplace(download->turn, download);
  return true;
}

std::shared_ptr<ExchangeSession::Download> ExchangeSession::take_parked(const Lane& lane) {
  MutexLock lock(mutex_);
  auto& parked = parked_[lane];
  if (parked.empty() || sink_->full()) return nullptr;
  return std::move(parked.extract(parked.begin()).mapped());
}

void ExchangeSession::drained() {
  std::vector<Lane> resumers;
  {
    MutexLock lock(mutex_);
    for (const auto& [lane, parked] : parked_) {
      resumers.insert(resumers.end(), std::min(parked.size(), kResumersMax), lane);
    }
  }
  for (const Lane& lane : resumers) {
    const bool accepted = submit(lane, [self = shared_from_this(), lane] {
      while (const auto download = self->take_parked(lane)) self->read_on(download);
    });
    if (accepted) continue;
    while (const auto download = take_parked(lane)) refuse_read(*download);
  }
}

void ExchangeSession::read_on(const std::shared_ptr<Download>& download) {
  while (!download->dropped) {
    if (park(download)) return;
    // Pieces end at piece boundaries, so that blocks are read once.
    const uint64_t piece_end = (download->next / model::kPieceBytes + 1) * model::kPieceBytes;
    const uint64_t end = std::min(download->end, piece_end);
    {
      MutexLock lock(download->mutex);
      if (download->credit < end - download->next) {
        download->reading = false;
        return;
      }
      download->credit -= end - download->next;
    }
    if (download->background) services_.readers.give_way(*download->engine, end - download->next);
    if (download->dropped) return;
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
  engine::Engine* const engine =
      services_.disks.find(model::DiskId::from_bytes(meta.first(16)).value());
  if (engine == nullptr) return refuse(FrameType::kStatReply, frame.request, kNoDisk);
  const model::BlobId blob = model::BlobId::from_bytes(meta.data() + 16);
  const bool later =
      submit({engine, false}, [self = shared_from_this(), request = frame.request, engine, blob] {
        self->send(stat_frame(request, stat_of(*engine, blob)));
      });
  if (!later) {
    refuse(FrameType::kStatReply, frame.request,
           {ErrorCode::kResourceExhausted, "too many reads wait for the disk"});
  }
}

}  // namespace rondel::node
