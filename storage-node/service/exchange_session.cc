#include "storage-node/service/exchange_session.h"

#include "storage-node/service/exchange_requests.h"

namespace rondel::node {

using transfer::Frame;
using transfer::FrameType;

bool ExchangeSession::send(Frame frame) {
  MutexLock lock(mutex_);
  if (closed_) return false;
  sink_->send(std::move(frame));
  return true;
}

void ExchangeSession::close() {
  std::map<uint64_t, std::shared_ptr<Upload>> uploads;
  std::map<uint64_t, std::shared_ptr<Download>> downloads;
  {
    MutexLock lock(mutex_);
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

void ExchangeSession::cancel(uint64_t request) {
  std::shared_ptr<Upload> upload;
  std::shared_ptr<Download> download;
  {
    MutexLock lock(mutex_);
    if (const auto found = uploads_.find(request); found != uploads_.end()) {
      upload = std::move(found->second);
      uploads_.erase(found);
    }
    if (const auto found = downloads_.find(request); found != downloads_.end()) {
      download = std::move(found->second);
      downloads_.erase(found);
      if (const auto parked = parked_.find(download->lane()); parked != parked_.end()) {
        parked->second.erase(download->turn);
      }
    }
  }
  if (download) download->dropped = true;
  if (upload) drop(*upload);
}

}  // namespace rondel::node
