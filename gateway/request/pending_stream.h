// PendingStream: the one owner of bytes on their way to a commit. They are released when it goes,
// whatever ends it (an error, a client that left, a refused commit, a coroutine that is given up),
// unless their commit happened or is not known.
//
//   PendingStream stream(context.services.releases, open_object_writer(...));
//   ... co_await stream.writer().write(bytes); stream.written(co_await stream.writer().finish());
//   ... commit_with(context, [&] { ... }, &stream);
#pragma once

#include <memory>
#include <vector>

#include "common/model/ids.h"
#include "gateway/blobs/blob_store.h"
#include "gateway/request/stream_releases.h"
#include "metadata/model/object.h"
#include "metadata/store/commit_result.h"

namespace rondel::request {

// One coroutine's, like the writer in it.
class PendingStream {
 public:
  PendingStream() = default;  // Of no bytes.

  PendingStream(StreamReleases& releases, std::unique_ptr<blobs::StreamWriter> writer)
      : releases_(&releases), writer_(std::move(writer)) {}

  PendingStream(PendingStream&& other) noexcept { *this = std::move(other); }

  PendingStream& operator=(PendingStream&& other) noexcept;

  ~PendingStream() { settle(); }

  // REQUIRES: made with one, and not written() yet.
  blobs::StreamWriter& writer() { return *writer_; }

  // The writer finished; it is not needed any more. One that failed stays: it knows what it left on
  // disks.
  void written(const blobs::WrittenStream& stream);

  // After written(). The extent of `length` bytes of plaintext; none when nothing was written.
  std::vector<metadata::Extent> extents(uint64_t length) const;

  // nullopt: no bytes were written.
  std::optional<model::StreamId> stream_id() const {
    return written_.size > 0 ? std::optional(written_.id) : std::nullopt;
  }

  // What the commit that names it is decided under (commit_context()).
  uint64_t ring_epoch() const { return written_.ring_epoch; }

  SystemTime first_time() const { return written_.first_time; }

  // A commit that names the stream is asked for: until commit_ended() it is not known whether it
  // happened.
  void commit_begins() { asked_ = true; }

  // kRefused, kDidNotHappen: the stream is as before, another commit may be asked for.
  void commit_ended(metadata::CommitFate fate);

 private:
  void settle() noexcept;

  StreamReleases* releases_ = nullptr;           // Null: nothing is owned (any more).
  std::unique_ptr<blobs::StreamWriter> writer_;  // Until written().
  blobs::WrittenStream written_;
  bool asked_ = false;
};

}  // namespace rondel::request
