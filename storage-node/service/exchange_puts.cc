// Blobs on their way in: small ones whole, large ones piece by piece.
#include <thread>

#include "storage-node/service/exchange_requests.h"

namespace rondel::node {

using transfer::Frame;
using transfer::FrameType;

namespace {

using namespace std::chrono_literals;

constexpr auto kRetryPause = 2ms;

engine::PutRequest put_request(const transfer::PutMeta& meta, uint8_t flags) {
  return {meta.blob,
          meta.ring_epoch,
          SystemTime(std::chrono::microseconds(meta.created_us)),
          meta.handoff_for,
          (flags & transfer::kBackground) != 0,
          (flags & transfer::kFresh) != 0,
          meta.order};
}

// A time of a writer's clock beyond it overflows what ages are reckoned with.
constexpr uint64_t kCreatedMax = uint64_t{1} << 53;

Frame done_frame(uint64_t request, const Result<void>& result) {
  if (!result) return transfer::error_frame(FrameType::kDone, request, result.error());
  Frame frame;
  frame.type = FrameType::kDone;
  frame.request = request;
  return frame;
}

}  // namespace

// What is under way ends with the frame that is being taken.
void ExchangeSession::drop(Upload& upload) {
  MutexLock lock(upload.mutex);
  upload.dropped = true;
  upload.waiting.clear();
  if (!upload.advancing) upload.put.reset();
}

Result<void> ExchangeSession::may_put(const transfer::PutMeta& meta) const {
  if (meta.created_us > kCreatedMax) return std::unexpected(kMalformed);
  TRY_VOID(services_.gate.check(meta.ring_epoch));
  if (services_.owners == nullptr) return {};
  const auto topology = services_.owners->topology();
  if (meta.handoff_for.is_zero() && topology->is_owner(meta.disk, meta.blob)) return {};
  return fail(ErrorCode::kPermissionDenied, "a node hands copies back to their owners alone");
}

void ExchangeSession::put(Frame frame) {
  const auto meta = transfer::decode_put_meta(frame.meta);
  auto digests = transfer::decode_digests(
      std::string_view(frame.meta).substr(std::min(frame.meta.size(), transfer::kPutMetaBytes)));
  if (!meta || !digests || meta->length != frame.body.size()) {
    return refuse(FrameType::kDone, frame.request, kMalformed);
  }
  engine::Engine* const engine = services_.disks.find(meta->disk);
  if (engine == nullptr) return refuse(FrameType::kDone, frame.request, kNoDisk);
  if (auto allowed = may_put(*meta); !allowed) {
    return refuse(FrameType::kDone, frame.request, allowed.error());
  }
  if (!has_room()) return refuse(FrameType::kDone, frame.request, kNoRoom);
  const uint64_t request = frame.request;
  auto done = [self = shared_from_this(), request](Result<void> result) {
    self->send(done_frame(request, result));
  };
  if ((frame.flags & transfer::kBackground) == 0) {
    return engine->put_async(put_request(*meta, frame.flags), std::move(frame.body),
                             *std::move(digests), std::move(done));
  }
  auto put = [self = shared_from_this(), engine, asked = put_request(*meta, frame.flags),
              body = std::move(frame.body), blocks = *std::move(digests),
              done = std::move(done)]() mutable {
    self->services_.readers.give_way(*engine, body.size());
    engine->put_async(asked, std::move(body), std::move(blocks), std::move(done));
  };
  if (!submit({engine, true}, std::move(put))) {
    refuse(FrameType::kDone, request,
           {ErrorCode::kResourceExhausted, "too much repair waits for the disk"});
  }
}

void ExchangeSession::open_upload(Frame frame) {
  const auto meta = transfer::decode_put_meta(frame.meta);
  if (!meta || frame.meta.size() != transfer::kPutMetaBytes) {
    return refuse(FrameType::kDone, frame.request, kMalformed);
  }
  engine::Engine* const engine = services_.disks.find(meta->disk);
  if (engine == nullptr) return refuse(FrameType::kDone, frame.request, kNoDisk);
  if (auto allowed = may_put(*meta); !allowed) {
    return refuse(FrameType::kDone, frame.request, allowed.error());
  }
  if (!has_room()) return refuse(FrameType::kDone, frame.request, kNoRoom);
  auto upload = std::make_shared<Upload>();
  upload->request = frame.request;
  upload->engine = engine;
  {
    MutexLock lock(upload->mutex);
    upload->advancing = true;
  }
  upload->background = (frame.flags & transfer::kBackground) != 0;
  upload->held = Held(memory_, kUploadBytes);
  {
    MutexLock lock(mutex_);
    if (uploads_.size() >= kUploadsMax || !uploads_.emplace(frame.request, upload).second) {
      if (!closed_) {
        sink_->send(transfer::error_frame(
            FrameType::kDone, frame.request,
            {ErrorCode::kResourceExhausted, "too many uploads on the stream"}));
      }
      return;
    }
  }
  // It may begin a segment, and wait for the disk.
  const auto put = put_request(*meta, frame.flags & transfer::kBackground);
  const bool later = submit(upload->lane(), [self = shared_from_this(), put, length = meta->length,
                                             upload] { self->start_upload(put, length, upload); });
  if (later) return;
  cancel(frame.request);
  refuse(FrameType::kDone, frame.request,
         {ErrorCode::kResourceExhausted, "too many uploads wait for the disk"});
}

// REQUIRES: upload->advancing was set by the caller.
void ExchangeSession::start_upload(const engine::PutRequest& put, uint64_t length,
                                   const std::shared_ptr<Upload>& upload) {
  {
    MutexLock lock(upload->mutex);
    if (upload->dropped) return;
  }
  auto started = upload->engine->start_large_put(put, length);
  if (!started) {
    cancel(upload->request);
    return refuse(FrameType::kDone, upload->request, started.error());
  }
  {
    MutexLock lock(upload->mutex);
    upload->put = *std::move(started);
  }
  advance(upload);
}

void ExchangeSession::feed_upload(Frame frame) {
  std::shared_ptr<Upload> upload;
  {
    MutexLock lock(mutex_);
    const auto found = uploads_.find(frame.request);
    if (found == uploads_.end()) return;  // Refused or cancelled: what was under way is dropped.
    upload = found->second;
  }
  const bool taken = frame.body.empty() || has_room();
  bool background = false;
  {
    MutexLock lock(upload->mutex);
    // A peer that ignores its credit is not believed any further.
    if (upload->dropped ||
        upload->waiting.size() > 2 * transfer::kWindowBytes / model::kPieceBytes + 1) {
      return;
    }
    background = upload->background;
    if (taken) {
      upload->waiting.push_back(std::move(frame));
      if (std::exchange(upload->advancing, true)) return;
    }
  }
  if (!taken) {
    cancel(upload->request);
    return refuse(FrameType::kDone, upload->request, kNoRoom);
  }
  if (!background) return advance(upload);
  // It waits for its turn where waiting is fine.
  if (submit(upload->lane(), [self = shared_from_this(), upload] { self->advance(upload); })) {
    return;
  }
  abandon(*upload, {ErrorCode::kResourceExhausted, "too much repair waits for the disk"});
}

// REQUIRES: upload->advancing was set by the caller.
void ExchangeSession::advance(const std::shared_ptr<Upload>& upload) {
  for (;;) {
    Frame frame;
    {
      MutexLock lock(upload->mutex);
      if (upload->dropped) upload->put.reset();
      if (upload->waiting.empty() || !upload->put) {
        upload->advancing = false;
        return;
      }
      frame = std::move(upload->waiting.front());
      upload->waiting.pop_front();
    }
    if (frame.type == FrameType::kPutClose) {
      const auto digest = transfer::decode_blob_digest(frame.meta);
      auto put = std::move(upload->put);
      cancel(upload->request);
      if (!digest) return refuse(FrameType::kDone, upload->request, kMalformed);
      return put->finish_async(
          *digest, [self = shared_from_this(), request = upload->request](Result<void> result) {
            self->send(done_frame(request, result));
          });
    }
    const auto digests = transfer::decode_digests(frame.meta);
    const uint64_t bytes = frame.body.size();
    if (upload->background) services_.readers.give_way(*upload->engine, bytes);
    Result<void> taken = digests ? upload->put->append(frame.body, *digests)
                                 : Result<void>(std::unexpected(kMalformed));
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
        MutexLock lock(upload->mutex);
        if (!upload->dropped) upload->waiting.push_front(std::move(frame));
      }
      return advance_later(upload);
    }
    return abandon(*upload, taken.error());
  }
}

// REQUIRES: upload->advancing was set by the caller. One thread of the disk pauses for all of its
// uploads on the stream.
void ExchangeSession::advance_later(const std::shared_ptr<Upload>& upload) {
  const Lane lane = upload->lane();
  {
    MutexLock lock(mutex_);
    const auto [stalled, first] = stalled_.try_emplace(lane);
    stalled->second.push_back(upload);
    if (!first) return;
  }
  const bool later = submit(lane, [self = shared_from_this(), lane] {
    std::this_thread::sleep_for(kRetryPause);
    for (const auto& stalled : self->take_stalled(lane)) self->advance(stalled);
  });
  if (later) return;
  for (const auto& stalled : take_stalled(lane)) {
    abandon(*stalled, {ErrorCode::kResourceExhausted, "the disk's queue is full"});
  }
}

std::vector<std::shared_ptr<ExchangeSession::Upload>> ExchangeSession::take_stalled(
    const Lane& lane) {
  MutexLock lock(mutex_);
  auto taken = stalled_.extract(lane);
  return taken.empty() ? std::vector<std::shared_ptr<Upload>>() : std::move(taken.mapped());
}

// REQUIRES: upload.advancing was set by the caller.
void ExchangeSession::abandon(Upload& upload, const Error& error) {
  upload.put.reset();
  cancel(upload.request);
  refuse(FrameType::kDone, upload.request, error);
}

}  // namespace rondel::node
