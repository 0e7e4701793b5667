// DeleteObject, DeleteObjects.
#include "common/async/turn.h"
#include "gateway/objects/handlers.h"
#include "gateway/objects/object_attributes.h"
#include "gateway/permissions/authorization.h"
#include "gateway/permissions/commit.h"
#include "gateway/request/answers.h"
#include "gateway/request/beside.h"
#include "gateway/request/conditions.h"
#include "gateway/request/context.h"
#include "gateway/request/documents.h"
#include "gateway/request/refusals.h"
#include "gateway/s3/documents.h"
#include "gateway/s3/error.h"
#include "gateway/s3/http_values.h"
#include "gateway/s3/xml_writer.h"
#include "gateway/signature/authenticator.h"
#include "identity/access/authorization.h"
#include "identity/policy/action.h"
#include "metadata/model/bucket.h"
#include "metadata/store/commit_context.h"
#include "metadata/store/commit_result.h"
#include "metadata/store/object_store.h"

namespace rondel::objects {
namespace {

using s3::ErrorCode;

metadata::DeleteObject request_for(const request::Context& context, std::string key, const request::VersionName& version, metadata::Conditions conditions, bool bypass) {
  metadata::DeleteObject request;
  request.context = request::commit_context(context);
  request.key = std::move(key);
  request.version = version.id;
  request.null_version = version.null;
  request.versioning = context.bucket->versioning;
  request.owner_account = access::owner_of_new_object(*context.access.bucket, context.access.caller, false);
  request.conditions = std::move(conditions);
  request.bypass_governance = bypass;
  return request;
}

bool versioned(const request::Context& context) { return context.bucket->versioning != metadata::Versioning::kNever; }

s3::S3Result<metadata::Conditions> conditions_of(const s3::DeleteEntry& entry) {
  metadata::Conditions conditions;
  if (entry.etag) conditions.if_match = s3::parse_etags(*entry.etag);
  conditions.if_match_size = entry.size;
  if (entry.last_modified) {
    conditions.if_match_last_modified = s3::parse_date(*entry.last_modified);
    if (!conditions.if_match_last_modified) return s3::fail(ErrorCode::kMalformedXML);
  }
  return conditions;
}

void write_deleted(s3::XmlWriter& xml, const request::Context& context, const s3::DeleteEntry& entry, const metadata::CommitOutcome& outcome) {
  xml.open("Deleted");
  xml.text("Key", entry.key);
  if (entry.version_id) xml.text("VersionId", *entry.version_id);
  if (versioned(context) && outcome.delete_marker) {
    xml.boolean("DeleteMarker", true);
    xml.text("DeleteMarkerVersionId", request::version_text(outcome.version, outcome.is_null));
  }
  xml.close();
}

void write_error(s3::XmlWriter& xml, const s3::DeleteEntry& entry, const s3::Error& error) {
  xml.open("Error");
  xml.text("Key", entry.key);
  if (entry.version_id) xml.text("VersionId", *entry.version_id);
  xml.text("Code", s3::name(error.code));
  xml.text("Message", error.message.empty() ? s3::default_message(error.code) : std::string_view(error.message));
  xml.close();
}

// Entries that go to the store, and those that do not.
struct DeleteBatch {
  std::vector<metadata::DeleteObject> requests;
  std::vector<size_t> asked;                        // Of each request, its entry.
  std::vector<std::optional<s3::Error>> refused;    // By entry.
};

request::Answer<DeleteBatch> batch_of(request::Context& context, const s3::DeleteDocument& document) {
  DeleteBatch batch;
  batch.refused.resize(document.entries.size());
  permissions::EntryPermissions permissions(context);
  const bool asks_bypass = asks_governance_bypass(context);
  async::Turn turn;
  for (size_t i = 0; i < document.entries.size(); ++i) {
    if (turn.over()) co_await turn.next();
    const s3::DeleteEntry& entry = document.entries[i];
    auto version = request::parse_version(entry.version_id ? std::optional<std::string_view>(*entry.version_id) : std::nullopt);
    auto conditions = conditions_of(entry);
    if (!conditions) co_return std::unexpected(conditions.error());
    s3::S3Result<void> may_compare;
    if (version) may_compare = co_await permissions::authorize_conditions(context, *conditions, entry.key, *version);
    if (!may_compare && may_compare.error().code != ErrorCode::kAccessDenied) co_return std::unexpected(may_compare.error());
    if (!may_compare || !permissions.may_delete(entry.key, entry.version_id)) {
      batch.refused[i] = s3::Error{ErrorCode::kAccessDenied, "", {}, {}, ""};
    } else if (!version) {
      batch.refused[i] = s3::Error{ErrorCode::kNoSuchVersion, "", {}, {}, ""};
    } else {
      const bool bypass = asks_bypass && permissions.may_also(policy::Action::kBypassGovernanceRetention, entry.key);
      batch.requests.push_back(request_for(context, entry.key, *version, *std::move(conditions), bypass));
      batch.asked.push_back(i);
    }
  }
  co_return batch;
}

}  // namespace

request::Answer<request::Response> delete_object(request::Context& context) {
  CO_S3(const request::VersionName version, request::parse_version(context.request.query.find("versionId")));
  CO_S3(const metadata::Conditions conditions, request::delete_conditions(context.fields()));
  CO_S3_VOID(co_await permissions::authorize_conditions(context, conditions, context.request.key, version));
  auto outcome = co_await permissions::commit_with(context, [&] {
    const bool bypass = bypasses_governance(context, context.request.key);
    return context.services.objects.delete_object(request_for(context, context.request.key, version, conditions, bypass));
  });
  if (!outcome) co_return std::unexpected(outcome.error());
  request::Response response = request::empty_response(204);
  if (versioned(context)) {
    if (outcome->delete_marker) response.head.fields.add("x-amz-delete-marker", "true");
    if (version.given()) {
      response.head.fields.add("x-amz-version-id", std::string(*context.request.query.find("versionId")));
    } else if (outcome->delete_marker) {
      response.head.fields.add("x-amz-version-id", request::version_text(outcome->version, outcome->is_null));
    }
  }
  co_return response;
}

request::Answer<request::Response> delete_objects(request::Context& context) {
  if (!request::has_integrity_header(context.fields()) && context.identity.payload_form != signature::PayloadForm::kHash) {
    co_return s3::fail(ErrorCode::kInvalidRequest, "Missing required header for this request: Content-MD5 OR x-amz-checksum-*");
  }
  CO_S3(std::string text, co_await request::read_document(context, s3::kDeleteDocumentBytesMax));
  CO_S3(const s3::DeleteDocument document, co_await request::read_beside(context.services, std::move(text), s3::parse_delete_document));
  CO_S3(DeleteBatch batch, co_await batch_of(context, document));
  CO_S3(std::vector<metadata::CommitOutcome> outcomes, co_await context.services.objects.delete_objects(batch.requests));
  if (!outcomes.empty() && outcomes.front().status == metadata::CommitStatus::kSettingsChanged) {
    CO_S3_VOID(co_await permissions::refresh_bucket(context));
    CO_S3(batch, co_await batch_of(context, document));
    CO_S3(outcomes, co_await context.services.objects.delete_objects(batch.requests));
  }
  std::vector<const metadata::CommitOutcome*> answers(document.entries.size());
  for (size_t i = 0; i < batch.asked.size(); ++i) answers[batch.asked[i]] = &outcomes[i];
  s3::XmlWriter xml("DeleteResult");
  async::Turn turn;
  for (size_t i = 0; i < document.entries.size(); ++i) {
    if (turn.over()) co_await turn.next();
    if (answers[i] != nullptr && answers[i]->status == metadata::CommitStatus::kCommitted) {
      if (!document.quiet) write_deleted(xml, context, document.entries[i], *answers[i]);
    } else {
      write_error(xml, document.entries[i], answers[i] != nullptr ? request::to_s3(*answers[i], context) : *batch.refused[i]);
    }
  }
  co_return request::xml_response(std::move(xml));
}

}  // namespace rondel::objects
