// Who pays: configuration, and what it asks of other accounts.
// Source: "Using Requester Pays buckets", S3 user guide.
#include "gateway/buckets/handlers.h"
#include "gateway/permissions/documents.h"
#include "gateway/permissions/settings_commit.h"
#include "gateway/request/answers.h"
#include "gateway/request/bucket_settings.h"
#include "gateway/request/context.h"
#include "gateway/s3/documents.h"
#include "gateway/s3/error.h"
#include "gateway/s3/lock_documents.h"
#include "gateway/s3/xml_writer.h"
#include "metadata/model/bucket.h"

namespace rondel::buckets {

using metadata::SettingKind;
using s3::ErrorCode;

request::Answer<request::Response> get_bucket_request_payment(request::Context& context) {
  s3::XmlWriter xml("RequestPaymentConfiguration");
  xml.text("Payer", request::find_setting(context, SettingKind::kRequestPayment) != nullptr
                        ? "Requester"
                        : "BucketOwner");
  co_return request::xml_response(std::move(xml));
}

request::Answer<request::Response> put_bucket_request_payment(request::Context& context) {
  CO_S3(const std::string text,
        co_await permissions::read_document(context, s3::kSmallDocumentBytesMax));
  CO_S3(const bool requester, s3::parse_request_payment_document(text));
  CO_S3_VOID(co_await permissions::store_setting(
      context, SettingKind::kRequestPayment,
      requester ? std::optional<std::string>("Requester") : std::nullopt));
  co_return request::empty_response(200);
}

}  // namespace rondel::buckets
