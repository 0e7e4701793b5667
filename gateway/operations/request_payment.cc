// Who pays: configuration, and what it asks of other accounts.
// Source: "Using Requester Pays buckets", S3 user guide.
#include "gateway/operations/settings_handlers.h"
#include "gateway/s3/documents.h"
#include "gateway/s3/lock_documents.h"

namespace rondel::operations {

using metadata::SettingKind;
using s3::ErrorCode;

Answer<Response> get_bucket_request_payment(Context& context) {
  s3::XmlWriter xml("RequestPaymentConfiguration");
  xml.text("Payer", find_setting(context, SettingKind::kRequestPayment) != nullptr ? "Requester" : "BucketOwner");
  co_return xml_response(std::move(xml));
}

Answer<Response> put_bucket_request_payment(Context& context) {
  CO_S3(const std::string text, co_await read_document(context, s3::kSmallDocumentBytesMax));
  CO_S3(const bool requester, s3::parse_request_payment_document(text));
  CO_S3_VOID(co_await store_setting(context, SettingKind::kRequestPayment, requester ? std::optional<std::string>("Requester") : std::nullopt));
  co_return empty_response(200);
}

s3::S3Result<bool> charges_requester(const Context& context, const metadata::Bucket& bucket) {
  if (!bucket.settings.contains(SettingKind::kRequestPayment)) return false;
  if (!context.identity.anonymous() && context.account() == bucket.owner_account) return false;
  const auto header = context.fields().find("x-amz-request-payer");
  const auto agreed = header ? header : context.request.query.find("x-amz-request-payer");
  if (context.identity.anonymous() || !agreed || *agreed != "requester") return s3::fail(ErrorCode::kAccessDenied);
  return true;
}

}  // namespace rondel::operations
