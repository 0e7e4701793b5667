// Handlers of everything that says who may do what.
#pragma once

#include "gateway/operations/answers.h"

namespace rondel::operations {

// acls.cc
Answer<Response> get_bucket_acl(Context& context);
Answer<Response> put_bucket_acl(Context& context);
Answer<Response> get_object_acl(Context& context);
Answer<Response> put_object_acl(Context& context);
// bucket_policy.cc
Answer<Response> get_bucket_policy(Context& context);
Answer<Response> put_bucket_policy(Context& context);
Answer<Response> delete_bucket_policy(Context& context);
Answer<Response> get_bucket_policy_status(Context& context);
// public_access.cc
Answer<Response> get_public_access_block(Context& context);
Answer<Response> put_public_access_block(Context& context);
Answer<Response> delete_public_access_block(Context& context);
Answer<Response> get_ownership_controls(Context& context);
Answer<Response> put_ownership_controls(Context& context);
Answer<Response> delete_ownership_controls(Context& context);

}  // namespace rondel::operations
