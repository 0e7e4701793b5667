// Tags, retention and legal hold of versions as requests carry them, and what answers say of them.
#pragma once

#include "common/http/message.h"
#include "gateway/request/context.h"
#include "gateway/s3/error.h"
#include "metadata/model/object.h"
#include "metadata/store/commit_result.h"

namespace rondel::objects {

// What the headers of a PUT, COPY or CreateMultipartUpload ask for: x-amz-tagging,
// x-amz-object-lock-*. Errors as AWS's: kInvalidRequest without object lock on the bucket or
// without a checksum of the body, kInvalidArgument, kInvalidTag.
s3::S3Result<metadata::Attributes> requested_attributes(const request::Context& context);

// The retention a version gets: the one asked for, or else the bucket's default from now on.
metadata::Retention retention_for(const request::Context& context,
                                  const metadata::Retention& asked);

// x-amz-object-lock-*, x-amz-tagging-count.
void add_attribute_headers(http::Fields& out, const metadata::Attributes& attributes);
// x-amz-expiration of a current version, when a lifecycle rule will reach it.
async::Task<void> add_expiration_header(http::Fields& out, const request::Context& context,
                                        const metadata::ObjectVersion& object);
// The same for what a commit made current.
async::Task<void> add_expiration_header(http::Fields& out, const request::Context& context,
                                        const metadata::ObjectVersion& object,
                                        const metadata::CommitOutcome& outcome);

// x-amz-bypass-governance-retention: true, of a caller who may do that to the key.
bool asks_governance_bypass(const request::Context& context);
bool bypasses_governance(const request::Context& context, std::string_view key);

}  // namespace rondel::objects
