// Commits of objects.
#include <fmt/format.h>

#include <algorithm>

#include "metadata/postgres/postgres_store.h"

namespace rondel::metadata {
namespace {

using Element = PgArray::Element;

// `function`: put_objects, or another one of its rows.
PgFunction put_call(std::string_view function, const std::vector<const PutObject*>& puts,
                    VersionClock& clock) {
  PgRows rows(puts.size());
  std::vector<const Attributes*> attributes;
  for (const PutObject* const request : puts) {
    const PutObject& put = *request;
    const ObjectVersion& version = put.version;
    const Extent* extent = version.extents.empty() ? nullptr : &version.extents.front();
    rows.begin();
    rows.bigint("bucket_id", put.context.bucket_id)
        .bigint("settings", put.context.settings_version);
    rows.bigint("epoch", static_cast<int64_t>(put.context.ring_epoch));
    rows.bigint("first_ms", first_ms(put.context));
    rows.bytes("key", put.key)
        .bytes("clock", raw(clock.next().view()))
        .choice("versioning", put.versioning);
    rows.bigint("size", static_cast<int64_t>(version.size))
        .text("etag", version.etag)
        .text("owner_account", version.owner_account);
    rows.smallint("checksum_algorithm", algorithm_code(version.checksum))
        .smallint("checksum_type", type_code(version.checksum));
    rows.optional_bytes("checksum", checksum_value(version.checksum))
        .optional_bytes("headers", pack_headers(version.headers));
    rows.choice("layout", layout_of(extent));
    rows.optional_bytes(
        "stream", extent ? std::optional(std::string(raw(extent->stream.view()))) : std::nullopt);
    rows.bigint("stream_size",
                extent ? std::optional(static_cast<int64_t>(extent->stream_size)) : std::nullopt);
    rows.optional_bytes("if_match", pack_etags(put.conditions.if_match));
    rows.optional_bytes("if_none_match", pack_etags(put.conditions.if_none_match));
    rows.end();
    attributes.push_back(&version);
  }
  PgFunction call(outcome_columns(), function);
  call.rows("rows", "put_row", std::move(rows)).attribute_sets("attribute_sets", attributes);
  call.under(puts.front()->context.credential_epoch);
  return call;
}

VersionChoice delete_choice(const DeleteObject& request) {
  if (request.guard == DeleteObject::Guard::kCurrent) return VersionChoice::kCurrent;
  return choice_of(request.version, request.null_version);
}

PgFunction delete_call(const std::vector<const DeleteObject*>& requests, VersionClock& clock,
                       SystemTime lock_time) {
  PgRows rows(requests.size());
  for (const DeleteObject* request : requests) {
    const Conditions& conditions = request->conditions;
    const auto size = conditions.if_match_size
                          ? std::optional(static_cast<int64_t>(*conditions.if_match_size))
                          : std::nullopt;
    rows.begin();
    rows.bigint("bucket_id", request->context.bucket_id)
        .bigint("settings", request->context.settings_version);
    rows.bytes("key", request->key)
        .bytes("clock", raw(clock.next().view()))
        .choice("versioning", request->versioning);
    rows.choice("choice", delete_choice(*request));
    rows.optional_bytes("named", request->version
                                     ? std::optional(std::string(raw(request->version->view())))
                                     : std::nullopt);
    rows.text("owner_account", request->owner_account);
    rows.optional_bytes("if_match", pack_etags(conditions.if_match));
    rows.optional_bytes("if_none_match", pack_etags(conditions.if_none_match));
    rows.bigint("if_unmodified_since", milliseconds(conditions.if_unmodified_since));
    rows.bigint("if_size", size)
        .bigint("if_modified_at", milliseconds(conditions.if_match_last_modified));
    rows.boolean("bypass", request->bypass_governance).choice("guard", request->guard);
    rows.bigint("lock_ms", milliseconds(lock_time));
    rows.end();
  }
  PgFunction call(outcome_columns(), "delete_objects");
  call.rows("rows", "delete_row", std::move(rows))
      .under(requests.front()->context.credential_epoch);
  return call;
}

void add_checksum(PgFunction& call, const std::optional<model::Checksum>& checksum) {
  call.smallint("algorithm", algorithm_code(checksum)).smallint("type", type_code(checksum));
  call.optional_bytes("new_checksum", checksum_value(checksum));
}

// Names of the fields of SQL's type `attributes` that a request changes.
PgArray changed_fields(const UpdateVersion& request) {
  PgArray names(Element::kText, 6);
  if (request.acl) names.add_bytes("acl");
  if (request.tags) names.add_bytes("tags");
  if (request.retention) {
    names.add_bytes("retain_mode");
    names.add_bytes("retain_until");
  }
  if (request.legal_hold) names.add_bytes("legal_hold");
  if (request.encryption) names.add_bytes("encryption");
  return names;
}

template <class Job>
Deadline latest(const std::vector<Job*>& jobs) {
  Deadline deadline{};
  for (const Job* job : jobs) deadline = std::max(deadline, job->deadline());
  return deadline;
}

}  // namespace

Committed<PgResult> PostgresStore::put_rows(PgConnection& connection,
                                            const std::vector<PutJob*>& jobs, Meeting meeting) {
  std::vector<const PutObject*> requests;
  for (const PutJob* job : jobs) requests.push_back(&job->request);
  PgFunction call = put_call("put_objects", requests, clock_);
  call.boolean("waits", meeting.waits).boolean("careful", meeting.careful);
  return call.run(connection, latest(jobs));
}

Committed<PgResult> PostgresStore::delete_rows(PgConnection& connection,
                                               const std::vector<DeleteJob*>& jobs,
                                               Meeting meeting) {
  std::vector<const DeleteObject*> requests;
  for (const DeleteJob* job : jobs) requests.push_back(&job->request);
  PgFunction call = delete_call(requests, clock_, options_.lock_clock->now());
  call.boolean("waits", meeting.waits).boolean("careful", meeting.careful);
  return call.run(connection, latest(jobs));
}

async::Task<CommitResult> PostgresStore::put_object(PutObject request) {
  const Deadline deadline = request.context.deadline;
  if (request.copied_from) return put_copied(std::move(request));
  std::string key = row_key(request.context.bucket_id, request.key);
  return commit_batched<CommitOutcome>(workers_, Lane::kPut, std::move(request), std::move(key),
                                       deadline);
}

async::Task<CommitResult> PostgresStore::put_copied(PutObject request) {
  const Deadline deadline = request.context.deadline;
  auto work = [this, request = std::move(request)](PgConnection& connection, Deadline until) {
    PgFunction call = put_call("put_copied", {&request}, clock_);
    call.copy_source("source", *request.copied_from);
    return one_outcome(call.run(connection, until));
  };
  co_return co_await commit_single<CommitOutcome>(workers_, deadline, std::move(work));
}

async::Task<CommitResult> PostgresStore::delete_object(DeleteObject request) {
  const Deadline deadline = request.context.deadline;
  std::string key = row_key(request.context.bucket_id, request.key);
  return commit_batched<CommitOutcome>(workers_, Lane::kDelete, std::move(request), std::move(key),
                                       deadline);
}

// The same key may stand in one request several times: stable order keeps their sequence.
Committed<PostgresStore::PartlyDeleted> PostgresStore::delete_many(
    PgConnection& connection, const std::vector<DeleteObject>& all, Deadline until) {
  std::vector<std::pair<std::string, size_t>> order;
  for (size_t i = 0; i < all.size(); ++i) {
    order.emplace_back(row_key(all[i].context.bucket_id, all[i].key), i);
  }
  std::ranges::sort(order);
  std::vector<const DeleteObject*> sorted;
  for (const auto& [row, i] : order) sorted.push_back(&all[i]);
  const auto remove = [&](bool careful) {
    PgFunction call = delete_call(sorted, clock_, options_.lock_clock->now());
    call.boolean("waits", held_ == nullptr).boolean("careful", careful);
    return call.run(connection, until);
  };
  auto met = remove(false);
  if (!met && met.error().code == ErrorCode::kCancelled) met = remove(true);
  if (credential_changed(met)) {
    return PartlyDeleted{
        std::vector(all.size(), CommitOutcome{.status = CommitStatus::kCredentialChanged}), {}};
  }
  TRY(const PgResult result, std::move(met));
  if (result.rows() != all.size()) {
    return std::unexpected(
        CommitFailure::not_known({ErrorCode::kOutcomeUnknown, "a batch lost a row"}));
  }
  PartlyDeleted done;
  done.outcomes.resize(all.size());
  for (size_t i = 0; i < order.size(); ++i) {
    if (held_of(result, i)) {
      done.held.push_back(order[i].second);
    } else {
      done.outcomes[order[i].second] = read_outcome(result, i);
    }
  }
  return done;
}

async::Task<CommitResult> PostgresStore::delete_held(DeleteObject request) {
  const Deadline deadline = request.context.deadline;
  std::string key = row_key(request.context.bucket_id, request.key);
  auto job = std::make_unique<DeleteJob>(std::move(request), key, deadline);
  const auto slot = job->slot;
  std::unique_ptr<PgJob> base = std::move(job);
  if (!held_->submit({HeldBy::Kind::kKey, std::move(key)}, Lane::kDelete, base)) {
    co_return never_ran<CommitResult>({ErrorCode::kResourceExhausted, "too many wait"});
  }
  co_return co_await answer_of<CommitResult>(slot, deadline);
}

// Whoever holds rows waits for none: what somebody else holds comes when the others are committed.
async::Task<Committed<std::vector<CommitOutcome>>> PostgresStore::delete_objects(
    std::vector<DeleteObject> requests) {
  if (requests.empty()) co_return std::vector<CommitOutcome>{};
  const Deadline deadline = requests.front().context.deadline;
  const auto all = std::make_shared<const std::vector<DeleteObject>>(std::move(requests));
  auto done = co_await commit_single<PartlyDeleted>(
      workers_, deadline, [this, all](PgConnection& connection, Deadline until) {
        return delete_many(connection, *all, until);
      });
  if (!done) co_return std::unexpected(done.error());
  for (const size_t i : done->held) {
    auto alone = co_await delete_held((*all)[i]);
    if (!alone) co_return std::unexpected(CommitFailure::not_known(alone.error()));
    done->outcomes[i] = *std::move(alone);
  }
  co_return std::move(done->outcomes);
}

async::Task<CommitResult> PostgresStore::copy_object(CopyObject request) {
  const Deadline deadline = request.put.context.deadline;
  auto work = [this, request = std::move(request)](PgConnection& connection, Deadline until) {
    const PutObject& put = request.put;
    PgFunction call(outcome_columns(), "copy_object");
    call.bigint("b", put.context.bucket_id).bigint("settings", put.context.settings_version);
    call.under(put.context.credential_epoch);
    call.bytes("k", put.key)
        .bytes("clock", raw(clock_.next().view()))
        .choice("versioning", put.versioning);
    call.text("owner", put.version.owner_account);
    call.optional_text("new_etag", bytes_or_null(put.version.etag));
    add_checksum(call, put.version.checksum);
    call.optional_bytes("new_headers", pack_headers(put.version.headers));
    call.copy_source("source", request.source);
    call.conditions("c", put.conditions).attributes("a", put.version);
    return one_outcome(call.run(connection, until));
  };
  co_return co_await commit_single<CommitOutcome>(workers_, deadline, std::move(work));
}

async::Task<CommitResult> PostgresStore::append_object(AppendObject request) {
  const Deadline deadline = request.put.context.deadline;
  auto work = [this, request = std::move(request)](PgConnection& connection, Deadline until) {
    const PutObject& put = request.put;
    const Extent* extent = put.version.extents.empty() ? nullptr : &put.version.extents.front();
    PgFunction call(outcome_columns(), "append_object");
    call.bigint("b", put.context.bucket_id).bigint("settings", put.context.settings_version);
    call.bigint("epoch", static_cast<int64_t>(put.context.ring_epoch))
        .under(put.context.credential_epoch);
    call.bigint("first_ms", first_ms(put.context));
    call.bytes("k", put.key)
        .bytes("clock", raw(clock_.next().view()))
        .choice("versioning", put.versioning);
    call.bigint("at", static_cast<int64_t>(request.offset))
        .text("expected_etag", request.expected_etag);
    call.bigint("added", static_cast<int64_t>(extent ? extent->length : 0))
        .text("new_etag", put.version.etag);
    call.text("owner", put.version.owner_account);
    add_checksum(call, put.version.checksum);
    call.optional_bytes("new_headers", pack_headers(put.version.headers));
    call.choice("new_layout", layout_of(extent));
    call.optional_bytes("new_stream", extent
                                          ? std::optional(std::string(raw(extent->stream.view())))
                                          : std::nullopt);
    call.bigint("new_stream_size",
                extent ? std::optional(static_cast<int64_t>(extent->stream_size)) : std::nullopt);
    call.conditions("c", put.conditions).attributes("a", put.version);
    return one_outcome(call.run(connection, until));
  };
  co_return co_await commit_single<CommitOutcome>(workers_, deadline, std::move(work));
}

async::Task<CommitResult> PostgresStore::rename_object(RenameObject request) {
  const Deadline deadline = request.context.deadline;
  auto work = [this, request = std::move(request)](PgConnection& connection, Deadline until) {
    PgFunction call(outcome_columns(), "rename_object");
    call.bigint("b", request.context.bucket_id)
        .bigint("settings", request.context.settings_version);
    call.bytes("source", request.source_key)
        .bytes("target", request.target_key)
        .under(request.context.credential_epoch);
    call.bytes("clock", raw(clock_.next().view()));
    call.conditions("cs", request.source_conditions).conditions("ct", request.target_conditions);
    call.optional_bytes("sealed_for", bytes_or_null(request.source_encryption));
    call.optional_bytes("sealed", bytes_or_null(request.encryption))
        .optional_bytes("access", pack_access(request.source_access));
    return one_outcome(call.run(connection, until));
  };
  co_return co_await commit_single<CommitOutcome>(workers_, deadline, std::move(work));
}

async::Task<CommitResult> PostgresStore::update_version(UpdateVersion request) {
  const Deadline deadline = request.context.deadline;
  auto work = [request = std::move(request), &locks = *options_.lock_clock](
                  PgConnection& connection, Deadline until) {
    PgFunction call(outcome_columns(), "update_version");
    call.bigint("b", request.context.bucket_id)
        .bigint("settings", request.context.settings_version);
    call.bytes("k", request.key)
        .choice("choice", choice_of(request.version, request.null_version))
        .under(request.context.credential_epoch);
    call.optional_bytes("v", request.version
                                 ? std::optional(std::string(raw(request.version->view())))
                                 : std::nullopt);
    call.optional_text("expected_etag", bytes_or_null(request.expected_etag))
        .optional_bytes("access", pack_access(request.expected_access));
    call.array("changed", changed_fields(request)).boolean("bypass", request.bypass_governance);
    Attributes attributes;
    attributes.acl = request.acl.value_or("");
    attributes.tags = request.tags.value_or(Tags{});
    attributes.retention = request.retention.value_or(Retention{});
    attributes.legal_hold = request.legal_hold;
    attributes.encryption = request.encryption.value_or("");
    call.attributes("a", attributes).bigint("lock_ms", milliseconds(locks.now()));
    return one_outcome(call.run(connection, until));
  };
  co_return co_await commit_single<CommitOutcome>(workers_, deadline, std::move(work));
}

}  // namespace rondel::metadata
