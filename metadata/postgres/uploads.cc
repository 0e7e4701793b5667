// Multipart uploads.
#include "metadata/postgres/postgres_store.h"

namespace rondel::metadata {
namespace {

using Element = PgArray::Element;

// The upload with the page of its parts, or the completed one.
constexpr const char* kFindUpload =
    "select 0, u.initiator_account, u.owner_account, u.headers, u.checksum_algorithm, u.checksum_type,"
    " (extract(epoch from u.initiated_at) * 1000000)::bigint, p.number, p.size, p.etag, p.checksum_algorithm, p.checksum,"
    " (extract(epoch from p.modified_at) * 1000000)::bigint, u.acl, u.tags, u.retain_mode, u.retain_until, u.legal_hold, u.encryption"
    " from uploads u left join lateral (select * from upload_parts x where x.upload = u.id and x.number > $4"
    " order by x.number limit $5) p on true"
    " where u.id = $2 and u.bucket_id = $1 and u.key = $3 order by p.number";

constexpr const char* kFindCompleted = "select * from completed_outcome($1, $2, $3)";

const model::Checksum* first_checksum(const Part& part) { return part.checksums.empty() ? nullptr : &part.checksums.front(); }

void add_part_checksum(PgParameters& parameters, const Part& part) {
  const model::Checksum* checksum = first_checksum(part);
  checksum ? parameters.add_small(static_cast<int16_t>(checksum->algorithm)) : parameters.add_null();
  checksum ? parameters.add_bytes(checksum->value) : parameters.add_null();
}

UploadLookup read_upload(const PgResult& row, const UploadQuery& query) {
  UploadLookup found;
  found.status = LookupStatus::kFound;
  Upload& upload = found.upload;
  upload.id = query.upload;
  upload.bucket_id = query.bucket_id;
  upload.key = query.key;
  upload.initiator_account = row.text(0, 1);
  upload.owner_account = row.text(0, 2);
  upload.headers = unpack_headers(row.bytes(0, 3));
  if (!row.is_null(0, 4)) upload.checksum_algorithm = static_cast<model::ChecksumAlgorithm>(row.smallint(0, 4));
  upload.checksum_type = static_cast<model::ChecksumType>(row.smallint(0, 5));
  upload.initiated_at = from_microseconds(row.bigint(0, 6));
  read_attributes(row, 0, 13, upload);
  for (size_t i = 0; i < row.rows(); ++i) {
    if (row.is_null(i, 7)) continue;
    Part part;
    part.number = static_cast<uint32_t>(row.integer(i, 7));
    part.size = static_cast<uint64_t>(row.bigint(i, 8));
    part.etag = row.text(i, 9);
    if (auto checksum = read_checksum(row, i, 10, -1, 11)) part.checksums.push_back(*std::move(checksum));
    part.last_modified = from_microseconds(row.bigint(i, 12));
    found.parts.push_back(std::move(part));
  }
  found.truncated = found.parts.size() > query.parts_max;
  if (found.truncated) found.parts.resize(query.parts_max);
  return found;
}

Committed<CommitStatus> one_status(Committed<PgResult> result) {
  if (!result) return std::unexpected(result.error());
  return static_cast<CommitStatus>(result->smallint(0, 0));
}

}  // namespace

async::Task<Committed<CommitStatus>> PostgresStore::create_upload(CommitContext context, Upload upload) {
  static const std::string sql =
      "select create_upload($1, $2, $3, $4, $5, $6, $7, $8::smallint, $9::smallint, " + attributes_expression(10) + ", $16)";
  const Deadline deadline = context.deadline;
  auto work = [context, upload = std::move(upload), &clock = *options_.clock](PgConnection& connection, Deadline until) {
    PgParameters parameters;
    parameters.add(context.bucket_id);
    parameters.add(context.settings_version);
    parameters.add_bytes(raw(upload.id.view()));
    parameters.add_bytes(upload.key);
    parameters.add_text(upload.initiator_account);
    parameters.add_text(upload.owner_account);
    parameters.add_optional_bytes(pack_headers(upload.headers));
    upload.checksum_algorithm ? parameters.add_small(static_cast<int16_t>(*upload.checksum_algorithm)) : parameters.add_null();
    parameters.add_small(static_cast<int16_t>(upload.checksum_type));
    add_attributes(parameters, upload);
    parameters.add(*milliseconds(clock.now()));
    return one_status(connection.run(sql, parameters, until));
  };
  co_return co_await commit_single<CommitStatus>(workers_, deadline, std::move(work));
}

async::Task<CommitResult> PostgresStore::put_part(PutPart request) {
  const Deadline deadline = request.context.deadline;
  auto work = [request = std::move(request)](PgConnection& connection, Deadline until) {
    PgParameters parameters;
    parameters.add(request.context.bucket_id);
    parameters.add(static_cast<int64_t>(request.context.ring_epoch));
    parameters.add_bytes(raw(request.upload.view()));
    parameters.add_bytes(request.key);
    parameters.add_integer(static_cast<int32_t>(request.part.number));
    parameters.add(static_cast<int64_t>(request.part.size));
    parameters.add_text(request.part.etag);
    add_part_checksum(parameters, request.part);
    const bool bytes = !request.extents.empty();
    bytes ? parameters.add_bytes(raw(request.extents.front().stream.view())) : parameters.add_null();
    bytes ? parameters.add(static_cast<int64_t>(request.extents.front().stream_size)) : parameters.add_null();
    return one_outcome(connection.run("select * from put_part($1, $2, $3, $4, $5, $6, $7, $8::smallint, $9, $10, $11)", parameters,
                                      until));
  };
  co_return co_await commit_single<CommitOutcome>(workers_, deadline, std::move(work));
}

async::Task<CommitResult> PostgresStore::copy_part(CopyPart request) {
  const Deadline deadline = request.put.context.deadline;
  auto work = [request = std::move(request)](PgConnection& connection, Deadline until) {
    const PutPart& put = request.put;
    PgParameters parameters;
    parameters.add(put.context.bucket_id);
    parameters.add_bytes(raw(put.upload.view()));
    parameters.add_bytes(put.key);
    parameters.add_integer(static_cast<int32_t>(put.part.number));
    parameters.add(static_cast<int64_t>(put.part.size));
    parameters.add_text(put.part.etag);
    add_part_checksum(parameters, put.part);
    parameters.add(request.source_bucket_id);
    parameters.add_bytes(request.source_key);
    parameters.add_bytes(raw(request.source_version.view()));
    parameters.add_text(request.source_etag);
    parameters.add(static_cast<int64_t>(request.source_offset));
    return one_outcome(connection.run("select * from copy_part($1, $2, $3, $4, $5, $6, $7::smallint, $8, $9, $10, $11, $12, $13)",
                                      parameters, until));
  };
  co_return co_await commit_single<CommitOutcome>(workers_, deadline, std::move(work));
}

async::Task<Result<UploadLookup>> PostgresStore::find_upload(UploadQuery query) {
  const Deadline deadline = query.deadline;
  auto work = [query = std::move(query)](PgConnection& connection, Deadline until) -> Result<UploadLookup> {
    PgParameters parameters;
    parameters.add(query.bucket_id);
    parameters.add_bytes(raw(query.upload.view()));
    parameters.add_bytes(query.key);
    parameters.add_integer(static_cast<int32_t>(query.part_after));
    parameters.add(query.parts_max == 0 ? int64_t{0} : int64_t{query.parts_max} + 1);
    TRY(const PgResult result, connection.run(kFindUpload, parameters, until));
    if (result.rows() > 0) return read_upload(result, query);
    PgParameters completed;
    completed.add_bytes(raw(query.upload.view()));
    completed.add(query.bucket_id);
    completed.add_bytes(query.key);
    TRY(const CommitOutcome outcome, one_outcome(connection.run(kFindCompleted, completed, until)));
    UploadLookup absent;
    if (outcome.status == CommitStatus::kUploadCompleted) absent.completed = outcome;
    return absent;
  };
  co_return co_await run_single<UploadLookup>(workers_, deadline, std::move(work));
}

async::Task<CommitResult> PostgresStore::complete_upload(CompleteUpload request) {
  static const std::string sql =
      "select * from complete_upload($1, $2, $3, $4, $5, $6::smallint, $7::integer[], $8::bytea[], $9, $10::smallint, $11::smallint, "
      "$12, $13, " + conditions_expression(14) + ", $20::smallint, $21)";
  const Deadline deadline = request.context.deadline;
  auto work = [this, request = std::move(request)](PgConnection& connection, Deadline until) {
    PgArray numbers(Element::kInteger, request.parts.size()), etags(Element::kBytes, request.parts.size());
    for (const CompletedPart& part : request.parts) {
      numbers.add_integer(static_cast<int32_t>(part.number));
      etags.add_bytes(part.etag);
    }
    PgParameters parameters;
    parameters.add(request.context.bucket_id);
    parameters.add(request.context.settings_version);
    parameters.add_bytes(raw(request.upload.view()));
    parameters.add_bytes(request.key);
    parameters.add_bytes(raw(clock_.next().view()));
    parameters.add_small(static_cast<int16_t>(request.versioning));
    std::move(numbers).move_into(parameters);
    std::move(etags).move_into(parameters);
    parameters.add_text(request.etag);
    parameters.add_optional_small(algorithm_code(request.checksum));
    parameters.add_optional_small(type_code(request.checksum));
    parameters.add_optional_bytes(checksum_value(request.checksum));
    parameters.add(static_cast<int64_t>(request.size));
    add_conditions(parameters, request.conditions);
    parameters.add_optional_small(retain_mode(request.default_retention));
    const auto retained = retain_until(request.default_retention);
    retained ? parameters.add(*retained) : parameters.add_null();
    return one_outcome(connection.run(sql, parameters, until));
  };
  co_return co_await commit_single<CommitOutcome>(workers_, deadline, std::move(work));
}

async::Task<Committed<CommitStatus>> PostgresStore::abort_upload(CommitContext context, model::UploadId upload, std::string key) {
  auto work = [context, upload, key = std::move(key)](PgConnection& connection, Deadline until) {
    PgParameters parameters;
    parameters.add(context.bucket_id);
    parameters.add_bytes(raw(upload.view()));
    parameters.add_bytes(key);
    return one_status(connection.run("select abort_upload($1, $2, $3)", parameters, until));
  };
  co_return co_await commit_single<CommitStatus>(workers_, context.deadline, std::move(work));
}

}  // namespace rondel::metadata
