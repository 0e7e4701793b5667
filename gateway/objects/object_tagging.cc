// Tag sets of objects.
#include "gateway/objects/handlers.h"
#include "gateway/permissions/documents.h"
#include "gateway/permissions/object_lookup.h"
#include "gateway/permissions/version_update.h"
#include "gateway/request/answers.h"
#include "gateway/request/context.h"
#include "gateway/s3/documents.h"
#include "gateway/s3/error.h"
#include "gateway/s3/tagging.h"
#include "gateway/s3/xml_writer.h"
#include "metadata/store/commit_result.h"
#include "metadata/store/object_store.h"

namespace rondel::objects {

using s3::ErrorCode;

request::Answer<request::Response> get_object_tagging(request::Context& context) {
  CO_S3(const metadata::ObjectLookup found, co_await permissions::look_up_object(context, {}));
  s3::XmlWriter xml("Tagging");
  s3::write_tag_set(xml, found.object.tags);
  request::Response response = request::xml_response(std::move(xml));
  request::add_version_header(response.head.fields, context, found.object.version,
                              found.object.is_null);
  co_return response;
}

request::Answer<request::Response> put_object_tagging(request::Context& context) {
  CO_S3(const std::string text,
        co_await permissions::read_document(context, s3::kSmallDocumentBytesMax));
  metadata::UpdateVersion request;
  CO_S3(request.tags, s3::parse_tagging_document(text, s3::kObjectTagsMax));
  CO_S3(const metadata::CommitOutcome outcome,
        co_await permissions::update_version(context, std::move(request)));
  co_return permissions::updated_response(context, outcome, 200);
}

request::Answer<request::Response> delete_object_tagging(request::Context& context) {
  metadata::UpdateVersion request;
  request.tags.emplace();
  CO_S3(const metadata::CommitOutcome outcome,
        co_await permissions::update_version(context, std::move(request)));
  co_return permissions::updated_response(context, outcome, 204);
}

}  // namespace rondel::objects
