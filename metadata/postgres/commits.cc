// Commits of objects.
#include <fmt/format.h>

#include <algorithm>

#include "metadata/postgres/postgres_store.h"

namespace rondel::metadata {
namespace {

using Element = PgArray::Element;

constexpr const char* kPutObjects =
    "select * from put_objects($1::bigint[], $2::bigint[], $3::bigint[], $4::bytea[], $5::bytea[], $6::smallint[], $7::bigint[], "
    "$8::text[], $9::text[], $10::smallint[], $11::smallint[], $12::bytea[], $13::bytea[], $14::bytea[], $15::bigint[], "
    "$16::bytea[], $17::bytea[], $18::bytea[], $19::bytea[], $20::smallint[], $21::bigint[], $22::boolean[], $23::bytea[])";

constexpr const char* kDeleteObjects =
    "select * from delete_objects($1::bigint[], $2::bigint[], $3::bytea[], $4::bytea[], $5::smallint[], $6::smallint[], "
    "$7::bytea[], $8::text[], $9::bytea[], $10::bytea[], $11::bigint[], $12::bigint[], $13::bigint[], $14::boolean[], $15::smallint[], $16::bigint[])";

// One array per attribute; most batches have none at all.
class AttributeArrays {
 public:
  explicit AttributeArrays(size_t n)
      : acls_(Element::kBytes, n), tags_(Element::kBytes, n), modes_(Element::kSmallint, n), untils_(Element::kBigint, n),
        holds_(Element::kBool, n), encryptions_(Element::kBytes, n) {}

  void add(const Attributes& attributes) {
    acls_.add_optional_bytes(bytes_or_null(attributes.acl));
    tags_.add_optional_bytes(pack_tags(attributes.tags));
    modes_.add_optional_small(retain_mode(attributes.retention));
    untils_.add_optional(retain_until(attributes.retention));
    attributes.legal_hold ? holds_.add_bool(*attributes.legal_hold) : holds_.add_null();
    encryptions_.add_optional_bytes(bytes_or_null(attributes.encryption));
  }

  void move_into(PgParameters& parameters) && {
    for (PgArray* array : {&acls_, &tags_, &modes_, &untils_, &holds_, &encryptions_}) std::move(*array).move_into_if_any(parameters);
  }

 private:
  PgArray acls_, tags_, modes_, untils_, holds_, encryptions_;
};

PgParameters put_parameters(const std::vector<PutJob*>& jobs, VersionClock& clock) {
  const size_t n = jobs.size();
  PgArray buckets(Element::kBigint, n), settings(Element::kBigint, n), epochs(Element::kBigint, n), keys(Element::kBytes, n),
      clocks(Element::kBytes, n), versionings(Element::kSmallint, n), sizes(Element::kBigint, n), etags(Element::kText, n),
      owners(Element::kText, n), algorithms(Element::kSmallint, n), types(Element::kSmallint, n), checksums(Element::kBytes, n),
      headers(Element::kBytes, n), streams(Element::kBytes, n), stream_sizes(Element::kBigint, n), if_match(Element::kBytes, n),
      if_none_match(Element::kBytes, n);
  AttributeArrays attributes(n);
  for (const PutJob* job : jobs) {
    const PutObject& put = job->request;
    const ObjectVersion& version = put.version;
    buckets.add(put.context.bucket_id);
    settings.add(put.context.settings_version);
    epochs.add(static_cast<int64_t>(put.context.ring_epoch));
    keys.add_bytes(put.key);
    clocks.add_bytes(raw(clock.next().view()));
    versionings.add_small(static_cast<int16_t>(put.versioning));
    sizes.add(static_cast<int64_t>(version.size));
    etags.add_bytes(version.etag);
    owners.add_bytes(version.owner_account);
    algorithms.add_optional_small(algorithm_code(version.checksum));
    types.add_optional_small(type_code(version.checksum));
    checksums.add_optional_bytes(checksum_value(version.checksum));
    headers.add_optional_bytes(pack_headers(version.headers));
    if (version.extents.empty()) {
      streams.add_null();
      stream_sizes.add_null();
    } else {
      streams.add_bytes(raw(version.extents.front().stream.view()));
      stream_sizes.add(static_cast<int64_t>(version.extents.front().stream_size));
    }
    if_match.add_optional_bytes(pack_etags(put.conditions.if_match));
    if_none_match.add_optional_bytes(pack_etags(put.conditions.if_none_match));
    attributes.add(version);
  }
  PgParameters parameters;
  for (PgArray* array : {&buckets, &settings, &epochs, &keys, &clocks, &versionings, &sizes, &etags, &owners, &algorithms, &types,
                         &checksums, &headers, &streams, &stream_sizes, &if_match, &if_none_match}) {
    std::move(*array).move_into(parameters);
  }
  std::move(attributes).move_into(parameters);
  return parameters;
}

int16_t delete_mode(const DeleteObject& request) {
  if (request.guard == DeleteObject::Guard::kCurrent) return 0;
  if (request.null_version) return 2;
  return request.version ? 1 : 0;
}

PgParameters delete_parameters(const std::vector<const DeleteObject*>& requests, VersionClock& clock, SystemTime lock_time) {
  const size_t n = requests.size();
  PgArray buckets(Element::kBigint, n), settings(Element::kBigint, n), keys(Element::kBytes, n), clocks(Element::kBytes, n),
      versionings(Element::kSmallint, n), modes(Element::kSmallint, n), named(Element::kBytes, n), owners(Element::kText, n),
      if_match(Element::kBytes, n), if_none_match(Element::kBytes, n), if_sizes(Element::kBigint, n), if_times(Element::kBigint, n),
      if_unmodified(Element::kBigint, n), bypasses(Element::kBool, n), guards(Element::kSmallint, n),
      lock_times(Element::kBigint, n);
  for (const DeleteObject* request : requests) {
    const Conditions& conditions = request->conditions;
    buckets.add(request->context.bucket_id);
    settings.add(request->context.settings_version);
    keys.add_bytes(request->key);
    clocks.add_bytes(raw(clock.next().view()));
    versionings.add_small(static_cast<int16_t>(request->versioning));
    modes.add_small(delete_mode(*request));
    request->version ? named.add_bytes(raw(request->version->view())) : named.add_null();
    owners.add_bytes(request->owner_account);
    if_match.add_optional_bytes(pack_etags(conditions.if_match));
    if_none_match.add_optional_bytes(pack_etags(conditions.if_none_match));
    if_sizes.add_optional(conditions.if_match_size ? std::optional(static_cast<int64_t>(*conditions.if_match_size))
                                                   : std::nullopt);
    if_times.add_optional(milliseconds(conditions.if_match_last_modified));
    if_unmodified.add_optional(milliseconds(conditions.if_unmodified_since));
    bypasses.add_bool(request->bypass_governance);
    guards.add_small(static_cast<int16_t>(request->guard));
    lock_times.add(*milliseconds(lock_time));
  }
  PgParameters parameters;
  for (PgArray* array : {&buckets, &settings, &keys, &clocks, &versionings, &modes, &named, &owners, &if_match, &if_none_match,
                         &if_sizes, &if_times, &if_unmodified, &bypasses, &guards, &lock_times}) {
    std::move(*array).move_into(parameters);
  }
  return parameters;
}

// Committed, and not known what: nobody may take these streams for unused.
CommitFailure lost_a_row() { return CommitFailure::not_known({ErrorCode::kOutcomeUnknown, "a batch lost a row"}); }

template <class Job>
void answer(const std::vector<Job*>& jobs, const Committed<PgResult>& result) {
  if (result && result->rows() == jobs.size()) {
    for (size_t i = 0; i < jobs.size(); ++i) jobs[i]->slot->set(read_outcome(*result, i));
    return;
  }
  const CommitFailure failure = result ? lost_a_row() : result.error();
  for (Job* job : jobs) job->slot->set(std::unexpected(failure));
}

// One order of locks for all: no two batches wait for each other.
template <class Job>
void sort_by_row(std::vector<Job*>& jobs) {
  std::ranges::sort(jobs, {}, [](const Job* job) { return job->exclusive_key(); });
}

template <class Job>
Deadline latest(const std::vector<Job*>& jobs) {
  Deadline deadline{};
  for (const Job* job : jobs) deadline = std::max(deadline, job->deadline);
  return deadline;
}

}  // namespace

void PostgresStore::put_batch(PgConnection& connection, std::vector<PutJob*> jobs) {
  sort_by_row(jobs);
  const auto put = [&](const std::vector<PutJob*>& some) { return connection.run(kPutObjects, put_parameters(some, clock_), latest(some)); };
  run_rows(connection, jobs, put, answer<PutJob>);
}

void PostgresStore::delete_batch(PgConnection& connection, std::vector<DeleteJob*> jobs) {
  sort_by_row(jobs);
  const auto remove = [&](const std::vector<DeleteJob*>& some) {
    std::vector<const DeleteObject*> requests;
    for (const DeleteJob* job : some) requests.push_back(&job->request);
    return connection.run(kDeleteObjects, delete_parameters(requests, clock_, options_.lock_clock->now()), latest(some));
  };
  run_rows(connection, jobs, remove, answer<DeleteJob>);
}

async::Task<CommitResult> PostgresStore::put_object(PutObject request) {
  const Deadline deadline = request.context.deadline;
  std::string key = row_key(request.context.bucket_id, request.key);
  return commit_batched<CommitOutcome>(workers_, Lane::kPut, std::move(request), std::move(key), deadline);
}

async::Task<CommitResult> PostgresStore::delete_object(DeleteObject request) {
  const Deadline deadline = request.context.deadline;
  std::string key = row_key(request.context.bucket_id, request.key);
  return commit_batched<CommitOutcome>(workers_, Lane::kDelete, std::move(request), std::move(key), deadline);
}

// The same key may stand in one request several times: stable order keeps their sequence.
async::Task<Committed<std::vector<CommitOutcome>>> PostgresStore::delete_objects(std::vector<DeleteObject> requests) {
  if (requests.empty()) co_return std::vector<CommitOutcome>{};
  const Deadline deadline = requests.front().context.deadline;
  auto work = [this, all = std::move(requests)](PgConnection& connection, Deadline until) -> Committed<std::vector<CommitOutcome>> {
    std::vector<std::pair<std::string, size_t>> order;
    for (size_t i = 0; i < all.size(); ++i) order.emplace_back(row_key(all[i].context.bucket_id, all[i].key), i);
    std::ranges::sort(order);
    std::vector<const DeleteObject*> sorted;
    for (const auto& [row, i] : order) sorted.push_back(&all[i]);
    TRY(const PgResult result, connection.run(kDeleteObjects, delete_parameters(sorted, clock_, options_.lock_clock->now()), until));
    if (result.rows() != all.size()) return std::unexpected(lost_a_row());
    std::vector<CommitOutcome> outcomes(all.size());
    for (size_t i = 0; i < order.size(); ++i) outcomes[order[i].second] = read_outcome(result, i);
    return outcomes;
  };
  co_return co_await commit_single<std::vector<CommitOutcome>>(workers_, deadline, std::move(work));
}

async::Task<CommitResult> PostgresStore::copy_object(CopyObject request) {
  static const std::string sql =
      "select * from copy_object($1, $2, $3, $4, $5::smallint, $6, $7, $8::smallint, $9::smallint, $10, $11, $12, $13, $14, $15, " +
      conditions_expression(16) + ", " + attributes_expression(22) + ")";
  const Deadline deadline = request.put.context.deadline;
  auto work = [this, request = std::move(request)](PgConnection& connection, Deadline until) {
    const PutObject& put = request.put;
    PgParameters parameters;
    parameters.add(put.context.bucket_id);
    parameters.add(put.context.settings_version);
    parameters.add_bytes(put.key);
    parameters.add_bytes(raw(clock_.next().view()));
    parameters.add_small(static_cast<int16_t>(put.versioning));
    parameters.add_text(put.version.owner_account);
    put.version.etag.empty() ? parameters.add_null() : parameters.add_text(put.version.etag);
    parameters.add_optional_small(algorithm_code(put.version.checksum));
    parameters.add_optional_small(type_code(put.version.checksum));
    parameters.add_optional_bytes(checksum_value(put.version.checksum));
    parameters.add_optional_bytes(pack_headers(put.version.headers));
    parameters.add(request.source_bucket_id);
    parameters.add_bytes(request.source_key);
    parameters.add_bytes(raw(request.source_version.view()));
    parameters.add_text(request.source_etag);
    add_conditions(parameters, put.conditions);
    add_attributes(parameters, put.version);
    return one_outcome(connection.run(sql, parameters, until));
  };
  co_return co_await commit_single<CommitOutcome>(workers_, deadline, std::move(work));
}

async::Task<CommitResult> PostgresStore::append_object(AppendObject request) {
  static const std::string sql =
      "select * from append_object($1, $2, $3, $4, $5, $6::smallint, $7, $8, $9, $10, $11, $12::smallint, $13::smallint, $14, $15, "
      "$16, $17, " + conditions_expression(18) + ", " + attributes_expression(24) + ")";
  const Deadline deadline = request.put.context.deadline;
  auto work = [this, request = std::move(request)](PgConnection& connection, Deadline until) {
    const PutObject& put = request.put;
    const Extent* extent = put.version.extents.empty() ? nullptr : &put.version.extents.front();
    PgParameters parameters;
    parameters.add(put.context.bucket_id);
    parameters.add(put.context.settings_version);
    parameters.add(static_cast<int64_t>(put.context.ring_epoch));
    parameters.add_bytes(put.key);
    parameters.add_bytes(raw(clock_.next().view()));
    parameters.add_small(static_cast<int16_t>(put.versioning));
    parameters.add(static_cast<int64_t>(request.offset));
    parameters.add_text(request.expected_etag);
    parameters.add(static_cast<int64_t>(extent ? extent->length : 0));
    parameters.add_text(put.version.etag);
    parameters.add_text(put.version.owner_account);
    parameters.add_optional_small(algorithm_code(put.version.checksum));
    parameters.add_optional_small(type_code(put.version.checksum));
    parameters.add_optional_bytes(checksum_value(put.version.checksum));
    parameters.add_optional_bytes(pack_headers(put.version.headers));
    extent ? parameters.add_bytes(raw(extent->stream.view())) : parameters.add_null();
    extent ? parameters.add(static_cast<int64_t>(extent->stream_size)) : parameters.add_null();
    add_conditions(parameters, put.conditions);
    add_attributes(parameters, put.version);
    return one_outcome(connection.run(sql, parameters, until));
  };
  co_return co_await commit_single<CommitOutcome>(workers_, deadline, std::move(work));
}

async::Task<CommitResult> PostgresStore::rename_object(RenameObject request) {
  static const std::string sql = "select * from rename_object($1, $2, $3, $4, $5, " + conditions_expression(6) + ", " +
                                 conditions_expression(12) + ", $18, $19)";
  const Deadline deadline = request.context.deadline;
  auto work = [this, request = std::move(request)](PgConnection& connection, Deadline until) {
    PgParameters parameters;
    parameters.add(request.context.bucket_id);
    parameters.add(request.context.settings_version);
    parameters.add_bytes(request.source_key);
    parameters.add_bytes(request.target_key);
    parameters.add_bytes(raw(clock_.next().view()));
    add_conditions(parameters, request.source_conditions);
    add_conditions(parameters, request.target_conditions);
    parameters.add_optional_bytes(raw_or_null(request.source_version));
    parameters.add_optional_bytes(request.encryption.empty() ? std::nullopt : std::optional(request.encryption));
    return one_outcome(connection.run(sql, parameters, until));
  };
  co_return co_await commit_single<CommitOutcome>(workers_, deadline, std::move(work));
}

async::Task<CommitResult> PostgresStore::update_version(UpdateVersion request) {
  // Which attributes change, as bits of the function's mask.
  enum : int32_t { kAcl = 1, kTags = 2, kRetention = 4, kLegalHold = 8, kEncryption = 16 };
  static const std::string sql = "select * from update_version($1, $2, $3, $4::smallint, $5, $6, $7, $8, " + attributes_expression(9) + ", $15)";
  const Deadline deadline = request.context.deadline;
  auto work = [request = std::move(request), &locks = *options_.lock_clock](PgConnection& connection, Deadline until) {
    const int32_t mask = (request.acl ? kAcl : 0) | (request.tags ? kTags : 0) | (request.retention ? kRetention : 0) |
                         (request.legal_hold ? kLegalHold : 0) | (request.encryption ? kEncryption : 0);
    PgParameters parameters;
    parameters.add(request.context.bucket_id);
    parameters.add(request.context.settings_version);
    parameters.add_bytes(request.key);
    parameters.add_small(request.null_version ? int16_t{2} : request.version ? int16_t{1} : int16_t{0});
    request.version ? parameters.add_bytes(raw(request.version->view())) : parameters.add_null();
    request.expected_etag.empty() ? parameters.add_null() : parameters.add_text(request.expected_etag);
    parameters.add_integer(mask);
    parameters.add_bool(request.bypass_governance);
    Attributes attributes;
    attributes.acl = request.acl.value_or("");
    attributes.tags = request.tags.value_or(Tags{});
    attributes.retention = request.retention.value_or(Retention{});
    attributes.legal_hold = request.legal_hold;
    attributes.encryption = request.encryption.value_or("");
    add_attributes(parameters, attributes);
    parameters.add(*milliseconds(locks.now()));
    return one_outcome(connection.run(sql, parameters, until));
  };
  co_return co_await commit_single<CommitOutcome>(workers_, deadline, std::move(work));
}

}  // namespace rondel::metadata
