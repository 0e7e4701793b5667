#include "gateway/request/pending_stream.h"

#include "gateway/blobs/blob_store.h"
#include "gateway/request/stream_releases.h"
#include "metadata/model/object.h"
#include "metadata/store/commit_result.h"

namespace rondel::request {

PendingStream& PendingStream::operator=(PendingStream&& other) noexcept {
  if (this == &other) return *this;
  settle();
  releases_ = std::exchange(other.releases_, nullptr);
  writer_ = std::move(other.writer_);
  written_ = other.written_;
  asked_ = other.asked_;
  return *this;
}

void PendingStream::written(const blobs::WrittenStream& stream) {
  written_ = stream;
  writer_.reset();
}

std::vector<metadata::Extent> PendingStream::extents(uint64_t length) const {
  if (written_.size == 0) return {};
  return {{0, written_.id, written_.size, 0, length}};
}

void PendingStream::commit_ended(metadata::CommitFate fate) {
  asked_ = fate == metadata::CommitFate::kNotKnown;
  if (fate == metadata::CommitFate::kCommitted) releases_ = nullptr;
}

void PendingStream::settle() noexcept {
  StreamReleases* const releases = std::exchange(releases_, nullptr);
  if (releases == nullptr) return;
  const blobs::WrittenStream left = writer_ ? writer_->leftovers() : written_;
  if (left.size == 0) return;
  asked_ ? releases->leave() : releases->add(left.id, left.size);
}

}  // namespace rondel::request
