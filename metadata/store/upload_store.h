// UploadStore: multipart uploads, from their beginning until they are an object or gone. As
// object_store.h.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "common/async/task.h"
#include "common/base/clock.h"
#include "common/base/result.h"
#include "metadata/model/bucket.h"
#include "metadata/model/object.h"
#include "metadata/store/commit_context.h"
#include "metadata/store/commit_result.h"

namespace rondel::metadata {

struct PutPart {
  CommitContext context;
  model::UploadId upload;
  std::string key;  // Must be the upload's.
  Part part;
  std::vector<Extent> extents;
  std::optional<CopySource> copied_from;  // As of PutObject.
};

// UploadPartCopy: a part over extents of an existing version.
struct CopyPart {
  PutPart put;  // extents filled from the source row's range
  CopySource source;
  uint64_t source_offset = 0;  // Of the copied range in the source.
};

struct CompletedPart {
  uint32_t number = 0;
  std::string etag;
  std::vector<model::Checksum> checksums;
};

struct CompleteUpload {
  CommitContext context;
  model::UploadId upload;
  std::string key;
  std::vector<CompletedPart> parts;
  Versioning versioning = Versioning::kNever;
  Conditions conditions;
  // Computed by the caller from the parts that list_parts answered; the commit verifies the parts
  // are still those.
  std::string etag;
  std::optional<model::Checksum> checksum;
  uint64_t size = 0;
  Retention default_retention;  // Of a version whose upload was begun without one.
};

struct UploadLookup {
  LookupStatus status = LookupStatus::kNoSuchKey;  // kNoSuchKey = no such upload.
  Upload upload;
  std::vector<Part> parts;  // By number, after the marker.
  bool truncated = false;
  std::optional<CommitOutcome> completed;  // A completed one is remembered for 7 days.
};

struct UploadQuery {
  int64_t bucket_id = 0;
  model::UploadId upload;
  std::string key;
  uint32_t part_after = 0;
  uint32_t parts_max = 1000;  // 0 = the upload alone. 10,000 = all.
  Deadline deadline;
};

class UploadStore {
 public:
  virtual ~UploadStore() = default;

  // The caller chooses `upload.id`. kCommitted, kNoSuchBucket or kSettingsChanged.
  virtual async::Task<Committed<CommitStatus>> create_upload(CommitContext context,
                                                             Upload upload) = 0;
  // A part of the same number is replaced, and its bytes are released.
  virtual async::Task<CommitResult> put_part(PutPart request) = 0;
  virtual async::Task<CommitResult> copy_part(CopyPart request) = 0;
  virtual async::Task<Result<UploadLookup>> find_upload(UploadQuery query) = 0;
  // Asked again within 7 days it answers what it answered first (kUploadCompleted).
  virtual async::Task<CommitResult> complete_upload(CompleteUpload request) = 0;
  // Releases the bytes of its parts. kNoSuchUpload: it was completed or aborted before.
  virtual async::Task<Committed<CommitStatus>> abort_upload(CommitContext context,
                                                            model::UploadId upload,
                                                            std::string key) = 0;
};

}  // namespace rondel::metadata
