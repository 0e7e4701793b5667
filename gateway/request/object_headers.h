// Headers that are stored with an object, and those that ask for what is not there yet.
#pragma once

#include "common/http/message.h"
#include "gateway/request/context.h"
#include "gateway/s3/error.h"
#include "gateway/s3/request.h"
#include "metadata/model/bucket.h"
#include "metadata/model/object.h"

namespace rondel::request {

// Metadata of the REST API: it acts on website endpoints alone, which are not here, and is kept and
// sent back.
inline constexpr std::string_view kRedirectHeader = "x-amz-website-redirect-location";
// What a copy with its source's metadata has: all but the redirect, which is of the request
// (`asked`) or none.
metadata::Headers copied_headers(const metadata::Headers& source, const metadata::Headers& asked);

// content-type, cache-control, ..., x-amz-meta-* of a request, as a version stores them.
// kMetadataTooLarge above 2 KiB of user metadata.
s3::S3Result<metadata::Headers> stored_headers(const http::Fields& fields);

// Settings in headers: the defaults are accepted, values AWS does not know are refused, everything
// else is kNotImplemented.
s3::S3Result<void> check_object_settings(const http::Fields& fields);

// response-content-type and its like: a query parameter that stands for a header of the answer.
bool is_header_override(std::string_view parameter);
// kInvalidArgument: one of them holds a control character, which no header can carry.
s3::S3Result<void> check_header_overrides(const s3::Query& query);

// ETag, Last-Modified, version, stored headers (with response-* overrides) of an answer.
void add_object_headers(http::Fields& out, const metadata::ObjectVersion& object,
                        const metadata::Bucket& bucket, const s3::Query& query);

}  // namespace rondel::request
