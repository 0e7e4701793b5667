// Pieces that handlers make their answers of.
#pragma once

#include <string>

#include "gateway/operations/context.h"
#include "gateway/operations/lost_outcome.h"
#include "gateway/operations/pending_stream.h"
#include "gateway/s3/xml_writer.h"

namespace rondel::operations {

template <class T>
using Answer = async::Task<s3::S3Result<T>>;

// CO_S3(auto x, expression): unwraps an S3Result, or a Result by way of s3::from.
template <class T>
s3::S3Result<T> as_s3(s3::S3Result<T> result) {
  return result;
}
template <class T>
s3::S3Result<T> as_s3(Result<T> result) {
  if (!result) return std::unexpected(s3::from(result.error()));
  if constexpr (std::is_void_v<T>) {
    return {};
  } else {
    return std::move(*result);
  }
}
template <class T>
s3::S3Result<T> as_s3(metadata::Committed<T> result) {
  if (!result) return std::unexpected(s3::from(result.error()));
  return std::move(*result);
}
#define CO_S3(declaration, expression) TRY_(declaration, ::rondel::operations::as_s3(expression), co_return, RONDEL_CONCAT(result_, __LINE__))
#define CO_S3_VOID(expression) \
  if (auto result_ = ::rondel::operations::as_s3(expression); !result_) co_return std::unexpected(std::move(result_).error())

Response empty_response(int status);
Response xml_response(s3::XmlWriter xml);

std::string quoted(std::string_view etag);

// An S3 error for an outcome that is no commit.
s3::Error to_s3(const metadata::CommitOutcome& outcome, const Context& context);

// The commit's frame for a bucket as it is cached; `bytes`: which it brings in, if any.
metadata::CommitContext commit_context(const Context& context, const PendingStream& bytes = {});

// Runs a commit; when the bucket's cached settings turn out old, looks it up again and runs it once more under the new ones.
// `stream`: the bytes that it names, if any; they are kept or given up by how it ends. When its
// answer is lost, the stream tells whether it happened (lost_outcome.h); else the answer is 503.
template <class Commit>
async::Task<s3::S3Result<metadata::CommitOutcome>> commit_with(Context& context, Commit commit, PendingStream* stream = nullptr);

// 503 while the database is away, as its connections last knew it. Asked before the first byte of a body is read (and a client told
// to send it) by what needs a commit.
s3::S3Result<void> check_database(const Services& services);

Answer<void> reload_bucket(Context& context);
// The bucket anew; what was allowed, and how bytes are to be encrypted, is decided anew.
Answer<void> refresh_bucket(Context& context);

// "null" or 32 hexadecimal digits in a query parameter or document.
struct VersionName {
  std::optional<model::VersionId> id;
  bool null = false;
  bool given() const { return id.has_value() || null; }
};
s3::S3Result<VersionName> parse_version(std::optional<std::string_view> text);
// x-amz-version-id of a version that a commit made: AWS tells none for a null version.
void add_made_version_header(http::Fields& fields, const metadata::CommitOutcome& outcome);
// x-amz-version-id, unless the bucket never had versions.
void add_version_header(http::Fields& fields, const Context& context, const model::VersionId& version, bool is_null);
std::string version_text(const model::VersionId& version, bool is_null);

// The caller as Owner, Initiator: ID and DisplayName.
void write_person(s3::XmlWriter& xml, std::string_view element, std::string_view canonical_id, std::string_view display_name);

// As a header carries it: base64, for composite ones with "-N" behind.
std::string checksum_text(const model::Checksum& checksum, uint32_t part_count);
void add_checksum_headers(http::Fields& fields, const model::Checksum& checksum, uint32_t part_count);
// <ChecksumCRC32>...</...><ChecksumType>.
void write_checksum(s3::XmlWriter& xml, const model::Checksum& checksum, uint32_t part_count, bool with_type);

// Plain decimal in [min, max], or the default when absent.
s3::S3Result<uint64_t> number_parameter(std::optional<std::string_view> text, std::string_view name, uint64_t otherwise, uint64_t max);

template <class Commit>
async::Task<s3::S3Result<metadata::CommitOutcome>> commit_with(Context& context, Commit commit, PendingStream* stream) {
  using Status = metadata::CommitStatus;
  for (bool again = false;; again = true) {
    if (stream != nullptr) stream->commit_begins();
    metadata::CommitResult result = co_await commit();
    if (stream != nullptr && metadata::fate_of(result) == metadata::CommitFate::kNotKnown) {
      if (auto outcome = co_await find_lost_outcome(context, *stream)) result = *std::move(outcome);
    }
    if (stream != nullptr) stream->commit_ended(metadata::fate_of(result));
    if (!result) co_return std::unexpected(s3::from(result.error()));
    if (metadata::fate_of(result->status) == metadata::CommitFate::kCommitted) co_return *std::move(result);
    if (result->status != Status::kSettingsChanged || again) {
      if (result->status == Status::kNoSuchBucket) context.services.bucket_cache.forget_bucket(context.bucket->name);
      co_return std::unexpected(to_s3(*result, context));
    }
    CO_S3_VOID(co_await refresh_bucket(context));
  }
}

}  // namespace rondel::operations
