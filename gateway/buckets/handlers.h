// Handlers of buckets and the documents that describe them. gateway/api/dispatch.cc ties them to
// their operations.
#pragma once

#include "gateway/request/answers.h"

namespace rondel::buckets {

request::Answer<request::Response> list_buckets(request::Context& context);
request::Answer<request::Response> create_bucket(request::Context& context);
request::Answer<request::Response> head_bucket(request::Context& context);
request::Answer<request::Response> delete_bucket(request::Context& context);
request::Answer<request::Response> get_bucket_location(request::Context& context);
request::Answer<request::Response> put_bucket_cors(request::Context& context);
request::Answer<request::Response> get_bucket_cors(request::Context& context);
request::Answer<request::Response> delete_bucket_cors(request::Context& context);
request::Answer<request::Response> get_bucket_versioning(request::Context& context);
request::Answer<request::Response> put_bucket_versioning(request::Context& context);
request::Answer<request::Response> get_bucket_tagging(request::Context& context);
request::Answer<request::Response> put_bucket_tagging(request::Context& context);
request::Answer<request::Response> delete_bucket_tagging(request::Context& context);
request::Answer<request::Response> get_object_lock_configuration(request::Context& context);
request::Answer<request::Response> put_object_lock_configuration(request::Context& context);
request::Answer<request::Response> get_bucket_lifecycle(request::Context& context);
request::Answer<request::Response> put_bucket_lifecycle(request::Context& context);
request::Answer<request::Response> delete_bucket_lifecycle(request::Context& context);
request::Answer<request::Response> get_bucket_request_payment(request::Context& context);
request::Answer<request::Response> put_bucket_request_payment(request::Context& context);
request::Answer<request::Response> get_bucket_encryption(request::Context& context);
request::Answer<request::Response> put_bucket_encryption(request::Context& context);
request::Answer<request::Response> delete_bucket_encryption(request::Context& context);

// Sub-resources that nobody can set yet: what AWS answers where nothing is set.
request::Answer<request::Response> get_bucket_logging(request::Context& context);
request::Answer<request::Response> put_bucket_logging(request::Context& context);
request::Answer<request::Response> get_bucket_notification(request::Context& context);
request::Answer<request::Response> put_bucket_notification(request::Context& context);
request::Answer<request::Response> get_bucket_website(request::Context& context);
request::Answer<request::Response> delete_bucket_website(request::Context& context);
request::Answer<request::Response> get_bucket_replication(request::Context& context);
request::Answer<request::Response> delete_bucket_replication(request::Context& context);
request::Answer<request::Response> get_bucket_accelerate(request::Context& context);

}  // namespace rondel::buckets
