// Cross-origin requests: the fields that answers of a bucket with CORS rules carry, and preflights.
#pragma once

#include "common/http/message.h"
#include "gateway/request/context.h"
#include "gateway/s3/error.h"
#include "metadata/model/bucket.h"

namespace rondel::api {

// Adds Access-Control-* and Vary to an answer of this bucket, as its rules say about the request.
void add_cors_fields(http::Fields& answer, const http::RequestHead& request, const metadata::Bucket& bucket);

// OPTIONS: answered from the bucket's rules alone, unsigned. Null bucket: there is none of that name.
s3::S3Result<request::Response> answer_preflight(const http::RequestHead& request, const metadata::Bucket* bucket, bool names_object);

}  // namespace rondel::api
