// From an operation to its handler.
#pragma once

#include "gateway/request/context.h"
#include "gateway/s3/error.h"
#include "gateway/s3/operation.h"

namespace rondel::api {

// The handler of an operation; null: 501 NotImplemented.
request::Handler find_handler(s3::Operation operation);

// Decides whether the caller may, and lets the operation's handler answer. The end of every S3
// request.
async::Task<s3::S3Result<request::Response>> dispatch(request::Context& context);

}  // namespace rondel::api
