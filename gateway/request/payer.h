// Whose share a request counts to: its address's until it is authenticated, its account's after
// that; the bucket owner's where it is anonymous and policy or ACL allow it.
#pragma once

#include "common/async/task.h"
#include "gateway/request/context.h"
#include "gateway/s3/error.h"

namespace rondel::request {

// Counts the request, and what it holds from now on, to whom it is for by what is known now: once
// the caller is known, and again once it was decided that an anonymous one may. False: that is
// above the payer's share.
bool try_charge(Context& context);

// The same for one that try_charge() did not: it waits for a moment, in the payer's turn, and holds
// nothing meanwhile. So what an account asks beyond its share costs others no more than a place
// where it waits. 503 SlowDown: it was too long.
async::Task<s3::S3Result<void>> charge_later(Context& context);

// The same where nothing can wait any more: what try_charge() did not is refused, and counted so.
s3::S3Result<void> charge(Context& context);

}  // namespace rondel::request
