// What a copy is made of: its source, looked up and decided, and its bytes where they must be read.
#pragma once

#include "common/http/message.h"
#include "common/model/checksum.h"
#include "gateway/blobs/blob_store.h"
#include "gateway/request/answers.h"
#include "gateway/request/context.h"
#include "gateway/request/object_encryption.h"
#include "gateway/request/pending_stream.h"
#include "gateway/s3/error.h"
#include "gateway/s3/xml_writer.h"
#include "metadata/model/bucket.h"
#include "metadata/model/object.h"
#include "metadata/store/object_store.h"

namespace rondel::objects {

inline constexpr uint64_t kCopyBytesMax = 5ull << 30;

// What x-amz-copy-source names.
struct SourceName {
  std::string bucket;
  std::string key;
  request::VersionName version;
};

s3::S3Result<SourceName> parse_copy_source(const http::Fields& fields);

// A source that may be copied now.
struct Found {
  SourceName named;
  metadata::ObjectLookup lookup;
  std::shared_ptr<const metadata::Bucket> bucket;

  bool written_over = false;  // When the commit that was watched last came to the source.

  // What the commit of the copy is bound to.
  metadata::CopySource as_decided() const;
  async::Task<metadata::CommitResult> watch(async::Task<metadata::CommitResult> commit);
};

// `with_tags`: they are copied too.
request::Answer<Found> find_source(request::Context& context, bool with_tags);

// What was decided about the source, on its bucket and on what the version says of who may have it
// as they are now: when one of them moved before a copy of it committed. Of a version that is gone
// the commit decides.
request::Answer<void> admit_source_again(request::Context& context, Found& source, bool with_tags);

// Runs `once` until its source stays what it is from the look at it to the commit: nullopt says
// that it was written over meanwhile. 503 SlowDown when that goes on.
template <class Once>
request::Answer<request::Response> copy_from_one_version(request::Context& context, Once once) {
  // Each may read and write 5 GiB.
  constexpr int kAttempts = 3;
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    CO_S3(std::optional<request::Response> response, co_await once(context));
    if (response) co_return *std::move(response);
  }
  co_return std::unexpected(
      s3::retry_later(s3::ErrorCode::kSlowDown, "the source of the copy is written over and over"));
}

// A part of the source that is read, for its digests or to be written anew.
struct SourceRange {
  const metadata::ObjectVersion& object;
  const request::ObjectKey& key;
  uint64_t offset = 0;
  uint64_t length = 0;
};

struct Digests {
  std::string md5_hex;
  std::string checksum;
};

// `writer`: also takes the bytes; null = nobody.
request::Answer<Digests> read_digests(request::Context& context, SourceRange range,
                                      model::ChecksumAlgorithm algorithm,
                                      blobs::StreamWriter* writer);

struct Rewritten {
  Digests digests;
  request::PendingStream stream;
};

// The range as a stream of its own under `target`. 503 before a byte is read while the database is
// away.
request::Answer<Rewritten> rewrite(request::Context& context, SourceRange range,
                                   model::ChecksumAlgorithm algorithm,
                                   const request::ObjectKey& target);

void write_copied(s3::XmlWriter& xml, const std::string& etag, SystemTime modified);

void add_source_version(request::Response& response, const Found& source);

}  // namespace rondel::objects
