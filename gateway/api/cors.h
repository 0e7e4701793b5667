// Cross-origin requests: the fields that answers of a bucket with CORS rules carry, and preflights.
#pragma once

#include "common/http/message.h"
#include "gateway/request/context.h"
#include "gateway/s3/cors.h"
#include "gateway/s3/error.h"

namespace rondel::api {

// Adds Access-Control-* and Vary to an answer of a bucket, as its rules say about the request.
// Null: it has none.
void add_cors_fields(http::Fields& answer, const http::RequestHead& request,
                     const s3::CorsRules* rules);

// OPTIONS: answered from the bucket's rules alone, unsigned. `found`: there is a bucket of that
// name.
s3::S3Result<request::Response> answer_preflight(const http::RequestHead& request, bool found,
                                                 const s3::CorsRules* rules, bool names_object);

}  // namespace rondel::api
