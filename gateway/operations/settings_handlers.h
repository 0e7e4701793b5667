// Handlers of the sub-resources that describe a bucket or change attributes of a version.
#pragma once

#include "gateway/operations/answers.h"

namespace rondel::operations {

// versioning.cc
Answer<Response> get_bucket_versioning(Context& context);
Answer<Response> put_bucket_versioning(Context& context);
// tagging.cc
Answer<Response> get_bucket_tagging(Context& context);
Answer<Response> put_bucket_tagging(Context& context);
Answer<Response> delete_bucket_tagging(Context& context);
Answer<Response> get_object_tagging(Context& context);
Answer<Response> put_object_tagging(Context& context);
Answer<Response> delete_object_tagging(Context& context);
// A whole document with this tag set.
std::string tagging_document(const std::vector<std::pair<std::string, std::string>>& tags);
// object_lock.cc
Answer<Response> get_object_lock_configuration(Context& context);
Answer<Response> put_object_lock_configuration(Context& context);
Answer<Response> get_object_retention(Context& context);
Answer<Response> put_object_retention(Context& context);
Answer<Response> get_object_legal_hold(Context& context);
Answer<Response> put_object_legal_hold(Context& context);
// lifecycle.cc
Answer<Response> get_bucket_lifecycle(Context& context);
Answer<Response> put_bucket_lifecycle(Context& context);
Answer<Response> delete_bucket_lifecycle(Context& context);
// request_payment.cc
Answer<Response> get_bucket_request_payment(Context& context);
Answer<Response> put_bucket_request_payment(Context& context);

// Whether another account than the owner pays for the request; kAccessDenied when it must and does not agree to.
s3::S3Result<bool> charges_requester(const Context& context, const metadata::Bucket& bucket);

// Replaces (nullopt: removes) a document of the bucket; later requests of this gateway see it at once.
Answer<void> store_setting(Context& context, metadata::SettingKind kind, std::optional<std::string> document);
// The document, or null.
const std::string* find_setting(const Context& context, metadata::SettingKind kind);
// A document whose bytes the request must have vouched for: a checksum header or a signed payload hash.
Answer<std::string> read_vouched_document(Context& context, size_t bytes_max);

// Changes attributes of the version that the request names. Errors: kNoSuchKey, kNoSuchVersion, kMethodNotAllowed for a
// delete marker named by its id, kAccessDenied for a locked one.
Answer<metadata::CommitOutcome> update_version(Context& context, metadata::UpdateVersion request);
// The answer to a change: 200 or 204 with x-amz-version-id.
Response updated_response(const Context& context, const metadata::CommitOutcome& outcome, int status);

}  // namespace rondel::operations
