#include "metadata/memory/memory_upload_store.h"

#include <algorithm>
#include <chrono>

#include "metadata/memory/version_rules.h"

namespace rondel::metadata {
namespace {

constexpr uint64_t kPartBytesMin = 5 << 20;  // Of a part but the last.

// At most one checksum of a part is kept, and of which kind it is goes by the object's.
void tidy(Part& part) {
  if (part.checksums.size() > 1) part.checksums.resize(1);
  for (model::Checksum& checksum : part.checksums) checksum.type = model::ChecksumType::kFullObject;
}

// The extents of [offset, offset + size) of a version, as those of a part.
std::vector<Extent> cut(const std::vector<Extent>& extents, uint64_t offset, uint64_t size) {
  std::vector<Extent> some;
  for (const Extent& extent : extents) {
    const uint64_t first = std::max(extent.start, offset);
    const uint64_t end = std::min(extent.start + extent.length, offset + size);
    if (first >= end) continue;
    some.push_back({first - offset, extent.stream, extent.stream_size,
                    extent.offset + first - extent.start, end - first, extent.layout});
  }
  return some;
}

// kCommitted, or why these parts are no object: kInvalidPartOrder, kInvalidPart, kEntityTooSmall.
CommitOutcome check_parts(const StoredUpload& upload, const CompleteUpload& request) {
  const auto& asked = request.parts;
  const auto out_of_order = [](const CompletedPart& one, const CompletedPart& next) {
    return next.number <= one.number;
  };
  if (std::ranges::adjacent_find(asked, out_of_order) != asked.end()) {
    return refusal(CommitStatus::kInvalidPartOrder);
  }
  uint64_t size = 0;
  for (const CompletedPart& part : asked) {
    const auto found = upload.parts.find(part.number);
    const std::string number = std::to_string(part.number);
    if (found == upload.parts.end() || found->second.part.etag != part.etag) {
      return refusal(CommitStatus::kInvalidPart, number);
    }
    const bool last = &part == &asked.back();
    if (!last && found->second.part.size < kPartBytesMin) {
      return refusal(CommitStatus::kEntityTooSmall, number);
    }
    size += found->second.part.size;
  }
  return refusal(size == request.size ? CommitStatus::kCommitted : CommitStatus::kInvalidPart);
}

// The object that these parts of an upload are.
ObjectVersion assemble(const StoredUpload& upload, const CompleteUpload& request) {
  ObjectVersion object;
  static_cast<Attributes&>(object) = upload.upload;
  if (object.retention.mode == Retention::Mode::kNone) object.retention = request.default_retention;
  object.size = request.size;
  object.etag = request.etag;
  object.checksum = request.checksum;
  object.owner_account = upload.upload.owner_account;
  object.headers = upload.upload.headers;
  object.part_count = static_cast<uint32_t>(request.parts.size());
  uint64_t start = 0;
  for (const CompletedPart& asked : request.parts) {
    const auto& [part, extents] = upload.parts.at(asked.number);
    object.parts.push_back(part);
    for (Extent extent : extents) {
      extent.start += start;
      object.extents.push_back(extent);
    }
    start += part.size;
  }
  return object;
}

}  // namespace

StoredUpload* find_stored(MemoryState& state, int64_t bucket_id, const model::UploadId& upload,
                          const std::string& key) {
  const auto found = state.uploads.find(upload);
  if (found == state.uploads.end()) return nullptr;
  const Upload& row = found->second.upload;
  return row.bucket_id == bucket_id && row.key == key ? &found->second : nullptr;
}

void drop_upload(MemoryState& state, const model::UploadId& upload) {
  const auto dropped = state.uploads.extract(upload);
  for (const auto& [number, part] : dropped.mapped().parts) state.drop_references(part.extents);
}

async::Task<Committed<CommitStatus>> MemoryUploadStore::create_upload(CommitContext context,
                                                                      Upload upload) {
  return state_.run<Committed<CommitStatus>>(
      [this, context, upload = std::move(upload)] { return create(context, upload); });
}

async::Task<CommitResult> MemoryUploadStore::put_part(PutPart request) {
  return state_.run<CommitResult>([this, request = std::move(request)] { return put(request); });
}

async::Task<CommitResult> MemoryUploadStore::copy_part(CopyPart request) {
  return state_.run<CommitResult>([this, request = std::move(request)] { return copy(request); });
}

async::Task<Result<UploadLookup>> MemoryUploadStore::find_upload(UploadQuery query) {
  return state_.run<Result<UploadLookup>>([this, query = std::move(query)] { return find(query); });
}

async::Task<CommitResult> MemoryUploadStore::complete_upload(CompleteUpload request) {
  return state_.run<CommitResult>(
      [this, request = std::move(request)] { return complete(request); });
}

async::Task<Committed<CommitStatus>> MemoryUploadStore::abort_upload(CommitContext context,
                                                                     model::UploadId upload,
                                                                     std::string key) {
  return state_.run<Committed<CommitStatus>>([this, context, upload, key = std::move(key)] {
    const CommitStatus allowed = state_.check_context(context);
    if (allowed != CommitStatus::kCommitted) return allowed;
    if (!find_stored(state_, context.bucket_id, upload, key)) return CommitStatus::kNoSuchUpload;
    drop_upload(state_, upload);
    return CommitStatus::kCommitted;
  });
}

Committed<CommitStatus> MemoryUploadStore::create(const CommitContext& context, Upload upload) {
  const CommitStatus allowed = state_.check_context(context);
  if (allowed != CommitStatus::kCommitted) return allowed;
  if (state_.uploads.contains(upload.id)) {
    return std::unexpected(
        CommitFailure::did_not_happen({ErrorCode::kInternal, "there is such an upload"}));
  }
  upload.bucket_id = context.bucket_id;
  upload.initiated_at = stamp(clock_.now());
  tidy(upload);
  const model::UploadId id = upload.id;
  state_.uploads[id].upload = std::move(upload);
  return CommitStatus::kCommitted;
}

CommitOutcome MemoryUploadStore::put(const PutPart& request) {
  const int64_t bucket_id = request.context.bucket_id;
  const CommitStatus allowed = state_.check_context_of_bytes(request.context, request.copied_from);
  if (allowed != CommitStatus::kCommitted) return refusal(allowed);
  StoredUpload* const upload = find_stored(state_, bucket_id, request.upload, request.key);
  if (!upload) return refusal(CommitStatus::kNoSuchUpload);

  std::vector<Extent> bytes;
  if (!request.extents.empty()) {
    const Extent& given = request.extents.front();
    bytes = {{0, given.stream, given.stream_size, 0, request.part.size, given.layout}};
  }
  return place_part(*upload, request.part, std::move(bytes));
}

CommitOutcome MemoryUploadStore::copy(const CopyPart& request) {
  const PutPart& put = request.put;
  const int64_t bucket_id = put.context.bucket_id;
  const CommitStatus allowed = state_.check_contexts(put.context, request.source);
  if (allowed != CommitStatus::kCommitted) return refusal(allowed);
  StoredUpload* const upload = find_stored(state_, bucket_id, put.upload, put.key);
  if (!upload) return refusal(CommitStatus::kNoSuchUpload);
  const auto source = unchanged_source(
      state_.find_key(request.source.bucket_id, request.source.key), request.source);
  if (!source) return refusal(source.error());
  return place_part(*upload, put.part,
                    cut((*source)->extents, request.source_offset, put.part.size));
}

CommitOutcome MemoryUploadStore::place_part(StoredUpload& upload, const Part& part,
                                            std::vector<Extent> extents) {
  StoredPart& place = upload.parts[part.number];
  state_.add_references(extents);
  state_.drop_references(place.extents);
  place = {part, std::move(extents)};
  place.part.last_modified = state_.clock.now();
  tidy(place.part);

  CommitOutcome outcome = refusal(CommitStatus::kCommitted);
  outcome.size = part.size;
  outcome.etag = part.etag;
  return outcome;
}

UploadLookup MemoryUploadStore::find(const UploadQuery& query) {
  UploadLookup found;
  const StoredUpload* const stored = find_stored(state_, query.bucket_id, query.upload, query.key);
  if (!stored) {
    const auto done = state_.completed_uploads.find(query.upload);
    if (done != state_.completed_uploads.end() && done->second.bucket_id == query.bucket_id &&
        done->second.key == query.key) {
      found.completed = done->second.outcome;
    }
    return found;
  }
  found.status = LookupStatus::kFound;
  found.upload = stored->upload;
  if (query.parts_max == 0) return found;
  for (auto part = stored->parts.upper_bound(query.part_after); part != stored->parts.end();
       ++part) {
    found.truncated = found.parts.size() == query.parts_max;
    if (found.truncated) break;
    found.parts.push_back(part->second.part);
  }
  return found;
}

CommitOutcome MemoryUploadStore::complete(const CompleteUpload& request) {
  const int64_t bucket_id = request.context.bucket_id;
  const CommitStatus allowed = state_.check_context(request.context);
  if (allowed != CommitStatus::kCommitted) return refusal(allowed);
  const StoredUpload* const upload = find_stored(state_, bucket_id, request.upload, request.key);
  if (!upload) {
    const UploadLookup absent =
        find({.bucket_id = bucket_id, .upload = request.upload, .key = request.key});
    return absent.completed.value_or(refusal(CommitStatus::kNoSuchUpload));
  }
  CommitOutcome parts = check_parts(*upload, request);
  if (parts.status != CommitStatus::kCommitted) return parts;

  ObjectVersion object = assemble(*upload, request);
  object.version = versions_.next();
  const SystemTime completed_at = stamp(time_of(object.version));
  CommitOutcome outcome = place_version(state_, *state_.find_bucket(bucket_id), request.key,
                                        std::move(object), request.versioning, request.conditions);
  if (outcome.status != CommitStatus::kCommitted) return outcome;
  outcome.checksum = request.checksum;
  // The object refers to the parts that were named; the others are released.
  drop_upload(state_, request.upload);
  CommitOutcome again = outcome;
  again.status = CommitStatus::kUploadCompleted;
  state_.completed_uploads[request.upload] = {bucket_id, request.key, std::move(again),
                                              completed_at};
  return outcome;
}

SystemTime MemoryUploadStore::stamp(SystemTime of_gateway) const {
  return std::max(state_.clock.now(), of_gateway);
}

}  // namespace rondel::metadata
