// Cross-origin requests: the fields that answers of a bucket with CORS rules carry, and preflights.
#pragma once

#include "gateway/operations/answers.h"

namespace rondel::operations {

// Adds Access-Control-* and Vary to an answer of this bucket, as its rules say about the request.
void add_cors_fields(http::Fields& answer, const http::RequestHead& request, const metadata::Bucket& bucket);

// OPTIONS: answered from the bucket's rules alone, unsigned. Null bucket: there is none of that name.
s3::S3Result<Response> answer_preflight(const http::RequestHead& request, const metadata::Bucket* bucket, bool names_object);

}  // namespace rondel::operations
