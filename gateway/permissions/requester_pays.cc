#include "gateway/permissions/requester_pays.h"

#include "gateway/request/context.h"
#include "gateway/s3/error.h"
#include "metadata/model/bucket.h"

namespace rondel::permissions {

using metadata::SettingKind;
using s3::ErrorCode;

s3::S3Result<bool> charges_requester(const request::Context& context,
                                     const metadata::Bucket& bucket) {
  if (!bucket.settings.contains(SettingKind::kRequestPayment)) return false;
  if (!context.identity.anonymous() && context.account() == bucket.owner_account) return false;
  const auto header = context.fields().find("x-amz-request-payer");
  const auto agreed = header ? header : context.request.query.find("x-amz-request-payer");
  if (context.identity.anonymous() || !agreed || *agreed != "requester") {
    return s3::fail(ErrorCode::kAccessDenied);
  }
  return true;
}

}  // namespace rondel::permissions
