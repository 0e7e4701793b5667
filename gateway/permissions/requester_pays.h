// Buckets whose requesters pay. Source: "Using Requester Pays buckets", S3 user guide.
#pragma once

#include "gateway/request/context.h"
#include "gateway/s3/error.h"
#include "metadata/model/bucket.h"

namespace rondel::permissions {

// Whether another account than the owner pays for the request; kAccessDenied when it must and does
// not agree to.
s3::S3Result<bool> charges_requester(const request::Context& context,
                                     const metadata::Bucket& bucket);

}  // namespace rondel::permissions
