// DeleteObject, DeleteObjects.
#include <numeric>
#include <optional>
#include <variant>
#include <vector>

#include "common/async/turn.h"
#include "gateway/objects/handlers.h"
#include "gateway/objects/object_attributes.h"
#include "gateway/permissions/authorization.h"
#include "gateway/permissions/commit.h"
#include "gateway/permissions/documents.h"
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

metadata::DeleteObject request_for(const request::Context& context, std::string key,
                                   const request::VersionName& version,
                                   metadata::Conditions conditions, bool bypass) {
  metadata::DeleteObject request;
  request.context = request::commit_context(context);
  request.key = std::move(key);
  request.version = version.id;
  request.null_version = version.null;
  request.versioning = context.bucket->versioning;
  request.owner_account =
      access::owner_of_new_object(*context.access.bucket, context.access.caller, false);
  request.conditions = std::move(conditions);
  request.bypass_governance = bypass;
  return request;
}

bool versioned(const request::Context& context) {
  return context.bucket->versioning != metadata::Versioning::kNever;
}

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

void write_deleted(s3::XmlWriter& xml, const request::Context& context,
                   const s3::DeleteEntry& entry, const metadata::CommitOutcome& outcome) {
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
  xml.text("Message", error.message.empty() ? s3::default_message(error.code)
                                            : std::string_view(error.message));
  xml.close();
}

// Entries that go to the store.
struct DeleteBatch {
  std::vector<metadata::DeleteObject> requests;
  std::vector<size_t> asked;  // Of each request, its entry.
};

// What became of an entry: the store's answer, or that it does not go there.
using EntryAnswer = std::variant<s3::Error, metadata::CommitOutcome>;

// Of the entries `left`, those that may go to the store; the others are answered.
request::Answer<DeleteBatch> batch_of(request::Context& context, const s3::DeleteDocument& document,
                                      const std::vector<size_t>& left,
                                      std::vector<EntryAnswer>& answers) {
  DeleteBatch batch;
  permissions::EntryPermissions permissions(context);
  const bool asks_bypass = asks_governance_bypass(context);
  async::Turn turn;
  for (const size_t i : left) {
    if (turn.over()) co_await turn.next();
    const s3::DeleteEntry& entry = document.entries[i];
    auto version = request::parse_version(
        entry.version_id ? std::optional<std::string_view>(*entry.version_id) : std::nullopt);
    auto conditions = conditions_of(entry);
    if (!conditions) co_return std::unexpected(conditions.error());
    s3::S3Result<void> may_compare;
    if (version) {
      may_compare =
          co_await permissions::authorize_conditions(context, *conditions, entry.key, *version);
    }
    if (!may_compare && may_compare.error().code != ErrorCode::kAccessDenied) {
      co_return std::unexpected(may_compare.error());
    }
    if (!may_compare || !permissions.may_delete(entry.key, entry.version_id)) {
      answers[i] = s3::Error{ErrorCode::kAccessDenied, "", {}, {}, ""};
    } else if (!version) {
      answers[i] = s3::Error{ErrorCode::kNoSuchVersion, "", {}, {}, ""};
    } else {
      const bool bypass = asks_bypass && permissions.may_also(
                                             policy::Action::kBypassGovernanceRetention, entry.key);
      batch.requests.push_back(
          request_for(context, entry.key, *version, *std::move(conditions), bypass));
      batch.asked.push_back(i);
    }
  }
  co_return batch;
}

// What is told of an entry that the store refused.
async::Task<s3::Error> refusal_of(request::Context& context, const s3::DeleteEntry& entry,
                                  const metadata::CommitOutcome& outcome) {
  s3::Error error = request::to_s3(outcome, context);
  const auto version = request::parse_version(
      entry.version_id ? std::optional<std::string_view>(*entry.version_id) : std::nullopt);
  const auto conditions = conditions_of(entry);
  if (!version || !conditions) co_return error;
  const auto told =
      co_await permissions::authorize_refusal(context, error, *conditions, entry.key, *version);
  co_return told ? error : told.error();
}

// Entries commit together, but for those whose keys somebody held: each of these is by itself, and
// may be old where the others are committed. What is old is decided, and asked, once more.
request::Answer<std::vector<EntryAnswer>> delete_entries(request::Context& context,
                                                         const s3::DeleteDocument& document) {
  std::vector<EntryAnswer> answers(document.entries.size());
  std::vector<size_t> left(document.entries.size());
  std::iota(left.begin(), left.end(), 0);
  bool some_done = false;
  permissions::Attempts attempts(context);
  for (;;) {
    CO_S3(DeleteBatch batch, co_await batch_of(context, document, left, answers));
    CO_S3(std::vector<metadata::CommitOutcome> outcomes,
          co_await context.services.objects.delete_objects(std::move(batch.requests)));
    left.clear();
    std::optional<permissions::Old> old;
    for (size_t i = 0; i < outcomes.size(); ++i) {
      const auto what = permissions::old_of(outcomes[i].status);
      if (what) left.push_back(batch.asked[i]);
      // The other is found out by the next attempt.
      if (what && !old) old = what;
      some_done = some_done || !what;
      answers[batch.asked[i]] = std::move(outcomes[i]);
    }
    if (!old || attempts.end()) co_return answers;
    co_await attempts.rest();
    auto admitted = co_await permissions::admit_commit_again(context, *old);
    if (admitted) continue;
    if (!some_done) co_return std::unexpected(admitted.error());
    for (const size_t i : left) answers[i] = admitted.error();
    co_return answers;
  }
}

}  // namespace

request::Answer<request::Response> delete_object(request::Context& context) {
  CO_S3(const request::VersionName version,
        request::parse_version(context.request.query.find("versionId")));
  CO_S3(const metadata::Conditions conditions, request::delete_conditions(context.fields()));
  CO_S3_VOID(co_await permissions::authorize_conditions(context, conditions, context.request.key,
                                                        version));
  auto outcome = co_await permissions::commit_with(
      context,
      [&] {
        const bool bypass = bypasses_governance(context, context.request.key);
        return context.services.objects.delete_object(
            request_for(context, context.request.key, version, conditions, bypass));
      },
      nullptr,
      [&] {
        return permissions::authorize_conditions(context, conditions, context.request.key, version);
      });
  if (!outcome) {
    CO_S3_VOID(co_await permissions::authorize_refusal(context, outcome.error(), conditions,
                                                       context.request.key, version));
    co_return std::unexpected(outcome.error());
  }
  request::Response response = request::empty_response(204);
  if (versioned(context)) {
    if (outcome->delete_marker) response.head.fields.add("x-amz-delete-marker", "true");
    if (version.given()) {
      response.head.fields.add("x-amz-version-id",
                               std::string(*context.request.query.find("versionId")));
    } else if (outcome->delete_marker) {
      response.head.fields.add("x-amz-version-id",
                               request::version_text(outcome->version, outcome->is_null));
    }
  }
  co_return response;
}

request::Answer<request::Response> delete_objects(request::Context& context) {
  CO_S3_VOID(request::check_integrity_header(context.fields()));
  CO_S3(std::string text,
        co_await permissions::read_document(context, s3::kDeleteDocumentBytesMax));
  CO_S3(
      const s3::DeleteDocument document,
      co_await request::read_beside(context.services, std::move(text), s3::parse_delete_document));
  CO_S3(const std::vector<EntryAnswer> answers, co_await delete_entries(context, document));
  s3::XmlWriter xml("DeleteResult");
  async::Turn turn;
  for (size_t i = 0; i < document.entries.size(); ++i) {
    if (turn.over()) co_await turn.next();
    const s3::DeleteEntry& entry = document.entries[i];
    const auto* const outcome = std::get_if<metadata::CommitOutcome>(&answers[i]);
    if (outcome == nullptr) {
      write_error(xml, entry, std::get<s3::Error>(answers[i]));
    } else if (outcome->status != metadata::CommitStatus::kCommitted) {
      write_error(xml, entry, co_await refusal_of(context, entry, *outcome));
    } else if (!document.quiet) {
      write_deleted(xml, context, entry, *outcome);
    }
  }
  co_return request::xml_response(std::move(xml));
}

}  // namespace rondel::objects
