// Whether a request may go on: one function for the first look and for every later one, so that no
// look forgets what another asks. Its bucket's owner is the expected one, somebody agreed to pay, a
// customer's key came by TLS, policy, ACLs and blocks allow it.
#pragma once

#include "gateway/request/answers.h"
#include "gateway/request/context.h"
#include "gateway/s3/error.h"
#include "metadata/model/bucket.h"

namespace rondel::permissions {

// The first look, before the handler. REQUIRES: context.bucket, where the operation has one.
s3::S3Result<void> admit(request::Context& context);

// Of a bucket that the request reads from beside its own (the source of a copy): owner and payer.
s3::S3Result<void> admit_source(const request::Context& context, const metadata::Bucket& bucket);

// After a commit or a look-up told that what was decided is old: reads the bucket, or whose request
// it is, again, and looks again; also at how bytes were to be encrypted. kNoSuchBucket;
// kInvalidAccessKeyId: the key was taken away. kObject: a version said something else when it
// decided; whoever looked it up does so again.
enum class Old : uint8_t { kBucket, kCredential, kObject };
request::Answer<void> admit_again(request::Context& context, Old old);

// After a body that came slowly, or whose request has been overtaken by a change this gateway heard
// of.
request::Answer<void> admit_after_body(request::Context& context, SteadyTime begun);

}  // namespace rondel::permissions
