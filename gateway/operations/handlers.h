// The handlers of operations, by the file they are in. find_handler() in dispatch.cc ties them to the table.
#pragma once

#include "common/crypto/digest.h"
#include "gateway/payload/object_checksum.h"
#include "gateway/operations/answers.h"

namespace rondel::operations {

// put_object.cc
Answer<Response> put_object(Context& context);
Answer<Response> rename_object(Context& context);
// get_object.cc
Answer<Response> get_object(Context& context);
Answer<Response> head_object(Context& context);
Answer<Response> get_object_attributes(Context& context);
// The version that the request names, no delete marker; `query` says what of it is wanted.
Answer<metadata::ObjectLookup> look_up_object(Context& context, metadata::ObjectQuery query);
// delete_objects.cc
Answer<Response> delete_object(Context& context);
Answer<Response> delete_objects(Context& context);
// copy_object.cc
Answer<Response> copy_object(Context& context);
Answer<Response> upload_part_copy(Context& context);
// list_objects.cc
Answer<Response> list_objects(Context& context);
Answer<Response> list_objects_v2(Context& context);
Answer<Response> list_object_versions(Context& context);
// multipart.cc
Answer<Response> create_multipart_upload(Context& context);
Answer<Response> upload_part(Context& context);
Answer<Response> complete_multipart_upload(Context& context);
Answer<Response> abort_multipart_upload(Context& context);
Answer<Response> list_parts(Context& context);
Answer<Response> list_multipart_uploads(Context& context);
// buckets.cc
Answer<Response> list_buckets(Context& context);
Answer<Response> create_bucket(Context& context);
Answer<Response> head_bucket(Context& context);
Answer<Response> delete_bucket(Context& context);
Answer<Response> get_bucket_location(Context& context);
// cors.cc
Answer<Response> put_bucket_cors(Context& context);
Answer<Response> get_bucket_cors(Context& context);
Answer<Response> delete_bucket_cors(Context& context);
// defaults.cc: sub-resources nobody could set yet.
Handler find_default_handler(s3::Operation operation);

// What the body of an upload became: bytes on disks, digests.
struct ReceivedBody {
  payload::PayloadSummary summary;
  std::string etag;                        // The MD5, or what stands for it (ObjectKey::etag_of).
  PendingStream stream;

  std::vector<metadata::Extent> extents() const { return stream.extents(summary.size); }
};
// Takes the body to the disks, encrypted with the key (put_object.cc). 503 before a byte of it is read while the database is away.
struct ObjectKey;
Answer<ReceivedBody> receive_body(Context& context, payload::PayloadOptions options, const ObjectKey& key);

// The source of a copy (copy_object.cc): looked up, readable by the caller, its conditions holding.
struct CopySource {
  std::string bucket;
  std::string key;
  VersionName version;
};
s3::S3Result<CopySource> parse_copy_source(const http::Fields& fields);

// [offset, offset + length) of a version as ranges of streams. REQUIRES: its extents cover it.
std::vector<blobs::StreamRange> stream_ranges(const std::vector<metadata::Extent>& extents, uint64_t offset, uint64_t length);

}  // namespace rondel::operations
