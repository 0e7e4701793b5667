// Handlers of what says who may do what. gateway/api/dispatch.cc ties them to their operations.
#pragma once

#include "gateway/request/answers.h"

namespace rondel::permissions {

request::Answer<request::Response> get_bucket_acl(request::Context& context);
request::Answer<request::Response> put_bucket_acl(request::Context& context);
request::Answer<request::Response> get_object_acl(request::Context& context);
request::Answer<request::Response> put_object_acl(request::Context& context);
request::Answer<request::Response> get_bucket_policy(request::Context& context);
request::Answer<request::Response> put_bucket_policy(request::Context& context);
request::Answer<request::Response> delete_bucket_policy(request::Context& context);
request::Answer<request::Response> get_bucket_policy_status(request::Context& context);
request::Answer<request::Response> get_public_access_block(request::Context& context);
request::Answer<request::Response> put_public_access_block(request::Context& context);
request::Answer<request::Response> delete_public_access_block(request::Context& context);
request::Answer<request::Response> get_ownership_controls(request::Context& context);
request::Answer<request::Response> put_ownership_controls(request::Context& context);
request::Answer<request::Response> delete_ownership_controls(request::Context& context);

}  // namespace rondel::permissions
