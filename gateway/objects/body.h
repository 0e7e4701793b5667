// The body of an upload on its way to the disks.
#pragma once

#include "gateway/payload/payload_reader.h"
#include "gateway/request/answers.h"
#include "gateway/request/context.h"
#include "gateway/request/object_encryption.h"
#include "gateway/request/pending_stream.h"
#include "metadata/model/object.h"

namespace rondel::objects {

// What the body of an upload became: bytes on disks, digests.
struct ReceivedBody {
  payload::PayloadSummary summary;
  std::string etag;  // The MD5, or what stands for it (ObjectKey::etag_of).
  request::PendingStream stream;

  std::vector<metadata::Extent> extents() const { return stream.extents(summary.size); }
};

// Takes the body to the disks, encrypted with the key. 503 before a byte of it is read while the
// database is away.
request::Answer<ReceivedBody> receive_body(request::Context& context,
                                           payload::PayloadOptions options,
                                           const request::ObjectKey& key);

}  // namespace rondel::objects
