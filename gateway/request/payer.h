// Whose share a request counts to: its address's until it is authenticated, its account's after
// that; the bucket owner's where it is anonymous and policy or ACL allow it.
#pragma once

#include "gateway/request/context.h"
#include "gateway/s3/error.h"

namespace rondel::request {

// Counts the request, and what it holds from now on, to whom it is for by what is known now: once
// the caller is known, and again once it was decided that an anonymous one may. 503 SlowDown: that
// is above the payer's share.
s3::S3Result<void> charge(Context& context);

}  // namespace rondel::request
