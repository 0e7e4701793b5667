// Multipart uploads.
#include "metadata/connection/pg_columns.h"
#include "metadata/postgres/postgres_store.h"

namespace rondel::metadata {
namespace {

using Element = PgArray::Element;

enum UploadColumn {
  kInitiator,
  kOwner,
  kHeaders,
  kAlgorithm,
  kType,
  kInitiated,
  kPartNumber,
  kPartSize,
  kPartEtag,
  kPartAlgorithm,
  kPartChecksum,
  kPartModified,
  kAttributes,  // The last: as many as there are.
};

constexpr PgColumns kUpload({
    std::pair{kInitiator, "u.initiator_account"},
    {kOwner, "u.owner_account"},
    {kHeaders, "u.headers"},
    {kAlgorithm, "u.checksum_algorithm"},
    {kType, "u.checksum_type"},
    {kInitiated, "(extract(epoch from u.initiated_at) * 1000000)::bigint"},
    {kPartNumber, "p.number"},
    {kPartSize, "p.size"},
    {kPartEtag, "p.etag"},
    {kPartAlgorithm, "p.checksum_algorithm"},
    {kPartChecksum, "p.checksum"},
    {kPartModified, "(extract(epoch from p.modified_at) * 1000000)::bigint"},
});

// The upload with the page of its parts.
const std::string& find_upload_sql() {
  static const std::string sql =
      "select " + kUpload.text() + ", " + attribute_columns("u") +
      " from uploads u left join lateral (select * from upload_parts x where x.upload = u.id and "
      "x.number > $4"
      " order by x.number limit $5) p on true"
      " where u.id = $2 and u.bucket_id = $1 and u.key = $3 order by p.number";
  return sql;
}

const model::Checksum* first_checksum(const Part& part) {
  return part.checksums.empty() ? nullptr : &part.checksums.front();
}

// What put_part and copy_part both take.
void add_part(PgFunction& call, const PutPart& put) {
  const model::Checksum* checksum = first_checksum(put.part);
  call.bigint("b", put.context.bucket_id)
      .bigint("settings", put.context.settings_version)
      .under(put.context.credential_epoch);
  call.bytes("u", raw(put.upload.view())).bytes("k", put.key);
  call.integer("n", static_cast<int32_t>(put.part.number));
  call.bigint("part_size", static_cast<int64_t>(put.part.size)).text("part_etag", put.part.etag);
  call.smallint("algorithm",
                checksum ? std::optional(static_cast<int16_t>(checksum->algorithm)) : std::nullopt);
  call.optional_bytes("part_checksum", checksum ? std::optional(checksum->value) : std::nullopt);
}

UploadLookup read_upload(const PgResult& row, const UploadQuery& query) {
  UploadLookup found;
  found.status = LookupStatus::kFound;
  Upload& upload = found.upload;
  upload.id = query.upload;
  upload.bucket_id = query.bucket_id;
  upload.key = query.key;
  upload.initiator_account = row.text(0, kInitiator);
  upload.owner_account = row.text(0, kOwner);
  upload.headers = unpack_headers(row.bytes(0, kHeaders));
  if (!row.is_null(0, kAlgorithm)) {
    upload.checksum_algorithm = static_cast<model::ChecksumAlgorithm>(row.smallint(0, kAlgorithm));
  }
  upload.checksum_type = static_cast<model::ChecksumType>(row.smallint(0, kType));
  upload.initiated_at = from_microseconds(row.bigint(0, kInitiated));
  read_attributes(row, 0, kAttributes, upload);
  for (size_t i = 0; i < row.rows(); ++i) {
    if (row.is_null(i, kPartNumber)) continue;
    Part part;
    part.number = static_cast<uint32_t>(row.integer(i, kPartNumber));
    part.size = static_cast<uint64_t>(row.bigint(i, kPartSize));
    part.etag = row.text(i, kPartEtag);
    if (auto checksum = read_checksum(row, i, kPartAlgorithm, -1, kPartChecksum)) {
      part.checksums.push_back(*std::move(checksum));
    }
    part.last_modified = from_microseconds(row.bigint(i, kPartModified));
    found.parts.push_back(std::move(part));
  }
  found.truncated = found.parts.size() > query.parts_max;
  if (found.truncated) found.parts.resize(query.parts_max);
  return found;
}

Committed<CommitStatus> one_status(Committed<PgResult> result) {
  if (credential_changed(result)) return CommitStatus::kCredentialChanged;
  if (!result) return std::unexpected(result.error());
  return static_cast<CommitStatus>(result->smallint(0, 0));
}

}  // namespace

async::Task<Committed<CommitStatus>> PostgresStore::create_upload(CommitContext context,
                                                                  Upload upload) {
  const Deadline deadline = context.deadline;
  auto work = [context, upload = std::move(upload), &clock = *options_.clock](
                  PgConnection& connection, Deadline until) {
    PgFunction call("*", "create_upload");
    call.bigint("b", context.bucket_id)
        .bigint("settings", context.settings_version)
        .under(context.credential_epoch);
    call.bytes("u", raw(upload.id.view())).bytes("k", upload.key);
    call.text("initiator", upload.initiator_account).text("owner", upload.owner_account);
    call.optional_bytes("h", pack_headers(upload.headers));
    call.smallint("algorithm", upload.checksum_algorithm
                                   ? std::optional(static_cast<int16_t>(*upload.checksum_algorithm))
                                   : std::nullopt);
    call.choice("type", upload.checksum_type)
        .attributes("a", upload)
        .bigint("begun_ms", milliseconds(clock.now()));
    return one_status(call.run(connection, until));
  };
  co_return co_await commit_single<CommitStatus>(workers_, deadline, std::move(work));
}

async::Task<CommitResult> PostgresStore::put_part(PutPart request) {
  const Deadline deadline = request.context.deadline;
  auto work = [request = std::move(request)](PgConnection& connection, Deadline until) {
    const Extent* extent = request.extents.empty() ? nullptr : &request.extents.front();
    PgFunction call(outcome_columns(), "put_part");
    add_part(call, request);
    call.bigint("epoch", static_cast<int64_t>(request.context.ring_epoch));
    call.bigint("first_ms", first_ms(request.context)).choice("part_layout", layout_of(extent));
    call.optional_bytes("part_stream", extent
                                           ? std::optional(std::string(raw(extent->stream.view())))
                                           : std::nullopt);
    call.bigint("part_stream_size",
                extent ? std::optional(static_cast<int64_t>(extent->stream_size)) : std::nullopt);
    if (request.copied_from) call.copy_source("source", *request.copied_from);
    return one_outcome(call.run(connection, until));
  };
  co_return co_await commit_single<CommitOutcome>(workers_, deadline, std::move(work));
}

async::Task<CommitResult> PostgresStore::copy_part(CopyPart request) {
  const Deadline deadline = request.put.context.deadline;
  auto work = [request = std::move(request)](PgConnection& connection, Deadline until) {
    PgFunction call(outcome_columns(), "copy_part");
    add_part(call, request.put);
    call.copy_source("source", request.source)
        .bigint("source_offset", static_cast<int64_t>(request.source_offset));
    return one_outcome(call.run(connection, until));
  };
  co_return co_await commit_single<CommitOutcome>(workers_, deadline, std::move(work));
}

async::Task<Result<UploadLookup>> PostgresStore::find_upload(UploadQuery query) {
  const Deadline deadline = query.deadline;
  auto work = [query = std::move(query)](PgConnection& connection,
                                         Deadline until) -> Result<UploadLookup> {
    PgParameters parameters;
    parameters.add(query.bucket_id);
    parameters.add_bytes(raw(query.upload.view()));
    parameters.add_bytes(query.key);
    parameters.add_integer(static_cast<int32_t>(query.part_after));
    parameters.add(query.parts_max == 0 ? int64_t{0} : int64_t{query.parts_max} + 1);
    TRY(const PgResult result,
        connection.run(find_upload_sql(), parameters, until, AtDeadline::kCancel));
    if (result.rows() > 0) return read_upload(result, query);
    PgFunction completed(outcome_columns(), "completed_outcome");
    completed.bytes("u", raw(query.upload.view()))
        .bigint("b", query.bucket_id)
        .bytes("k", query.key);
    TRY(const CommitOutcome outcome,
        one_outcome(completed.run(connection, until, AtDeadline::kCancel)));
    UploadLookup absent;
    if (outcome.status == CommitStatus::kUploadCompleted) absent.completed = outcome;
    return absent;
  };
  co_return co_await run_single<UploadLookup>(workers_, deadline, std::move(work));
}

async::Task<CommitResult> PostgresStore::complete_upload(CompleteUpload request) {
  const Deadline deadline = request.context.deadline;
  auto work = [this, request = std::move(request)](PgConnection& connection, Deadline until) {
    PgArray numbers(Element::kInteger, request.parts.size()),
        etags(Element::kBytes, request.parts.size());
    for (const CompletedPart& part : request.parts) {
      numbers.add_integer(static_cast<int32_t>(part.number));
      etags.add_bytes(part.etag);
    }
    PgFunction call(outcome_columns(), "complete_upload");
    call.bigint("b", request.context.bucket_id)
        .bigint("settings", request.context.settings_version);
    call.bytes("u", raw(request.upload.view()))
        .bytes("k", request.key)
        .under(request.context.credential_epoch);
    call.bytes("clock", raw(clock_.next().view())).choice("versioning", request.versioning);
    call.array("numbers", std::move(numbers))
        .array("etags", std::move(etags))
        .text("new_etag", request.etag);
    call.smallint("algorithm", algorithm_code(request.checksum))
        .smallint("type", type_code(request.checksum));
    call.optional_bytes("new_checksum", checksum_value(request.checksum));
    call.bigint("new_size", static_cast<int64_t>(request.size)).conditions("c", request.conditions);
    call.smallint("default_mode", retain_mode(request.default_retention));
    call.bigint("default_until", retain_until(request.default_retention));
    return one_outcome(call.run(connection, until));
  };
  co_return co_await commit_single<CommitOutcome>(workers_, deadline, std::move(work));
}

async::Task<Committed<CommitStatus>> PostgresStore::abort_upload(CommitContext context,
                                                                 model::UploadId upload,
                                                                 std::string key) {
  auto work = [context, upload, key = std::move(key)](PgConnection& connection, Deadline until) {
    PgFunction call("*", "abort_upload_as");
    call.bigint("b", context.bucket_id)
        .bigint("settings", context.settings_version)
        .under(context.credential_epoch);
    call.bytes("u", raw(upload.view())).bytes("k", key);
    return one_status(call.run(connection, until));
  };
  co_return co_await commit_single<CommitStatus>(workers_, context.deadline, std::move(work));
}

}  // namespace rondel::metadata
