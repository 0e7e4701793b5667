// Pieces that handlers make their answers of.
#pragma once

#include <string>

#include "common/http/message.h"
#include "common/model/checksum.h"
#include "common/model/ids.h"
#include "gateway/request/context.h"
#include "gateway/request/pending_stream.h"
#include "gateway/s3/error.h"
#include "gateway/s3/operation.h"
#include "gateway/s3/xml_writer.h"
#include "metadata/store/commit_context.h"
#include "metadata/store/commit_result.h"

namespace rondel::request {

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

#define CO_S3(declaration, expression)                               \
  TRY_(declaration, ::rondel::request::as_s3(expression), co_return, \
       RONDEL_CONCAT(result_, __LINE__))
#define CO_S3_VOID(expression)                                       \
  if (auto result_ = ::rondel::request::as_s3(expression); !result_) \
  co_return std::unexpected(std::move(result_).error())

Response empty_response(int status);
Response xml_response(s3::XmlWriter xml);

std::string quoted(std::string_view etag);

// An S3 error for an outcome that is no commit.
s3::Error to_s3(const metadata::CommitOutcome& outcome, const Context& context);

// The commit's frame for a bucket as it is cached; `bytes`: which it brings in, if any.
metadata::CommitContext commit_context(const Context& context, const PendingStream& bytes = {});

// 501 with the operation's name: a client that shows the message alone shows what is missing.
s3::Error not_implemented(s3::Operation operation);

// 503 while the database is away, as its connections last knew it. Asked before the first byte of a
// body is read (and a client told to send it) by what needs a commit.
s3::S3Result<void> check_database(const Services& services);

Answer<void> reload_bucket(Context& context);

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
void add_version_header(http::Fields& fields, const Context& context,
                        const model::VersionId& version, bool is_null);
std::string version_text(const model::VersionId& version, bool is_null);

// The caller as Owner, Initiator: ID and DisplayName.
void write_person(s3::XmlWriter& xml, std::string_view element, std::string_view canonical_id,
                  std::string_view display_name);

// As a header carries it: base64, for composite ones with "-N" behind.
std::string checksum_text(const model::Checksum& checksum, uint32_t part_count);
void add_checksum_headers(http::Fields& fields, const model::Checksum& checksum,
                          uint32_t part_count);
// <ChecksumCRC32>...</...><ChecksumType>.
void write_checksum(s3::XmlWriter& xml, const model::Checksum& checksum, uint32_t part_count,
                    bool with_type);

// Plain decimal in [min, max], or the default when absent.
s3::S3Result<uint64_t> number_parameter(std::optional<std::string_view> text, std::string_view name,
                                        uint64_t otherwise, uint64_t max);

}  // namespace rondel::request
