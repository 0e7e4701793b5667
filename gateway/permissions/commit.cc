#include "gateway/permissions/commit.h"

#include "gateway/permissions/authorization.h"
#include "gateway/request/answers.h"
#include "gateway/request/context.h"
#include "gateway/request/object_encryption.h"

namespace rondel::permissions {

request::Answer<void> refresh_bucket(request::Context& context) {
  CO_S3_VOID(co_await request::reload_bucket(context));
  CO_S3_VOID(authorize_again(context));
  co_return request::check_encryption_again(context);
}

}  // namespace rondel::permissions
