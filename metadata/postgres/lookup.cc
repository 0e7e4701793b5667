// Look-ups of object versions with the extents that the asked range needs.
#include <fmt/format.h>

#include "metadata/connection/pg_columns.h"
#include "metadata/postgres/postgres_store.h"

namespace rondel::metadata {
namespace {

using Element = PgArray::Element;
using Kind = ExtentRange::Kind;

// Extents of versions with several of them, packed: start, stream size, offset, length (8 bytes
// each), layout (2), stream (12).
constexpr const char* kExtents =
    "(select string_agg(int8send(e.start) || int8send(e.stream_size) || int8send(e.stream_offset) "
    "|| int8send(e.length) || int2send(e.layout) || e.stream,"
    " ''::bytea order by e.start) from object_extents e where o.extent_count > 1 and e.manifest = "
    "o.manifest and case q.kind"
    " when :ExtentRange.kAll then true"
    " when :ExtentRange.kOffsets then e.start <= q.last and e.start + e.length > q.first"
    " when :ExtentRange.kSuffix then e.start + e.length > o.size - q.first"
    " when :ExtentRange.kPart then o.part_count = 0 or p.number is not null and e.start < p.start "
    "+ p.size and e.start + e.length > p.start"
    " else false end)";

enum FoundColumn {
  kBucketId,
  kSettingsVersion,
  kVersion,
  kIsNull,
  kDeleteMarker,
  kSize,
  kEtag,
  kOwner,
  kAlgorithm,
  kType,
  kChecksum,
  kHeaders,
  kPartCount,
  kExtentCount,
  kLayout,
  kStream,
  kStreamSize,
  kStreamOffset,
  kPartNumber,
  kPartStart,
  kPartSize,
  kPartEtag,
  kPartAlgorithm,
  kPartChecksum,
  kFoundExtents,
};

constexpr PgColumns kFound({
    std::pair{kBucketId, "b.id"},
    {kSettingsVersion, "b.settings_version"},
    {kVersion, "o.version"},
    {kIsNull, "o.is_null"},
    {kDeleteMarker, "o.delete_marker"},
    {kSize, "o.size"},
    {kEtag, "o.etag"},
    {kOwner, "o.owner_account"},
    {kAlgorithm, "o.checksum_algorithm"},
    {kType, "o.checksum_type"},
    {kChecksum, "o.checksum"},
    {kHeaders, "o.headers"},
    {kPartCount, "o.part_count"},
    {kExtentCount, "o.extent_count"},
    {kLayout, "o.layout"},
    {kStream, "o.stream"},
    {kStreamSize, "o.stream_size"},
    {kStreamOffset, "o.stream_offset"},
    {kPartNumber, "p.number"},
    {kPartStart, "p.start"},
    {kPartSize, "p.size"},
    {kPartEtag, "p.etag"},
    {kPartAlgorithm, "p.checksum_algorithm"},
    {kPartChecksum, "p.checksum"},
    {kFoundExtents, kExtents},
});

// Behind those: the attributes, then what a look-up with parts has beside.
constexpr int kFoundAttributes = kFound.count();

int found_parts() { return kFoundAttributes + static_cast<int>(attribute_fields().size()); }

std::string found_columns() { return kFound.text() + ", " + attribute_columns("o"); }

// Each look-up stands behind a limit: a join that the planner flattens may become a scan of the
// bucket with a filter on the key, which looks as cheap while the tables are small, and a prepared
// plan stays.
constexpr const char* kBucket =
    " left join lateral (select id, settings_version from buckets where name = q.bucket limit 1) b "
    "on true";
constexpr const char* kPart =
    " left join lateral (select * from object_parts x where q.kind = :ExtentRange.kPart and "
    "x.manifest = o.manifest and x.number = q.first limit 1) p"
    " on true";

constexpr size_t kPackedExtentBytes = 46;

// Any version, and parts as: number (4), start, size (8 each), algorithm (2), lengths of checksum
// and ETag (2 each), both.
const std::string& version_sql() {
  static const std::string sql = named_sql(
      "select " + found_columns() +
      ", (select string_agg(int4send(x.number) || int8send(x.start) || int8send(x.size) ||"
      " int2send(coalesce(x.checksum_algorithm, 0::smallint)) || "
      "int2send(length(coalesce(x.checksum, ''))::smallint) ||"
      " int2send(length(x.etag)::smallint) || coalesce(x.checksum, '') || convert_to(x.etag, "
      "'UTF8'), ''::bytea order by x.number)"
      " from (select * from object_parts y where $9 and y.manifest = o.manifest and y.number > $10 "
      "order by y.number limit $11) x)"
      " from (select $1::text as bucket, $2::bytea as key, $3::smallint as kind, $4::bigint as "
      "first, $5::bigint as last) q" +
      kBucket +
      " left join lateral (select * from ("
      "(select * from objects where bucket_id = b.id and key = q.key"
      "   and case $6::smallint when :VersionChoice.kCurrent then true when :VersionChoice.kNamed "
      "then version = $7::bytea"
      "     else is_null end)"
      " union all (select * from versions where $6 = :VersionChoice.kNamed and bucket_id = b.id "
      "and key = q.key and version = $7)"
      " union all (select * from versions where $6 = :VersionChoice.kNull and bucket_id = b.id and "
      "key = q.key and is_null)) any_version"
      " order by version desc limit 1) o on true" +
      kPart + " where $8::boolean");
  return sql;
}

std::string_view take(std::string_view& from, size_t count) {
  const std::string_view head = from.substr(0, count);
  from.remove_prefix(std::min(count, from.size()));
  return head;
}

template <class T>
T take_number(std::string_view& from) {
  return load_be<T>(reinterpret_cast<const std::byte*>(take(from, sizeof(T)).data()));
}

std::vector<Extent> unpack_extents(std::string_view packed) {
  std::vector<Extent> extents;
  while (packed.size() >= kPackedExtentBytes) {
    Extent extent;
    extent.start = take_number<uint64_t>(packed);
    extent.stream_size = take_number<uint64_t>(packed);
    extent.offset = take_number<uint64_t>(packed);
    extent.length = take_number<uint64_t>(packed);
    extent.layout = static_cast<Layout>(take_number<uint16_t>(packed));
    extent.stream =
        model::StreamId::from_bytes(as_bytes(take(packed, model::StreamId::kBytes))).value();
    extents.push_back(extent);
  }
  return extents;
}

std::vector<Part> unpack_parts(std::string_view packed, SystemTime modified,
                               model::ChecksumType type) {
  constexpr size_t kFixedBytes = 26;
  std::vector<Part> parts;
  while (packed.size() >= kFixedBytes) {
    Part part;
    part.number = take_number<uint32_t>(packed);
    take_number<uint64_t>(packed);
    part.size = take_number<uint64_t>(packed);
    const auto algorithm = take_number<uint16_t>(packed);
    const auto checksum_bytes = take_number<uint16_t>(packed);
    const auto etag_bytes = take_number<uint16_t>(packed);
    std::string checksum(take(packed, checksum_bytes));
    part.etag = take(packed, etag_bytes);
    part.last_modified = modified;
    if (algorithm != 0) {
      part.checksums = {
          {static_cast<model::ChecksumAlgorithm>(algorithm), type, std::move(checksum)}};
    }
    parts.push_back(std::move(part));
  }
  return parts;
}

void read_part(const PgResult& row, size_t i, ObjectLookup& found) {
  if (row.is_null(i, kPartNumber)) return;
  Part part;
  part.number = static_cast<uint32_t>(row.integer(i, kPartNumber));
  found.part_start = static_cast<uint64_t>(row.bigint(i, kPartStart));
  part.size = static_cast<uint64_t>(row.bigint(i, kPartSize));
  part.etag = row.text(i, kPartEtag);
  part.last_modified = found.object.last_modified;
  if (const auto checksum = read_checksum(row, i, kPartAlgorithm, -1, kPartChecksum)) {
    part.checksums.push_back(*checksum);
  }
  found.part = std::move(part);
}

ObjectLookup read_row(const PgResult& row, size_t i, const ObjectQuery& query) {
  ObjectLookup found;
  if (row.is_null(i, kBucketId)) {
    found.status = LookupStatus::kNoSuchBucket;
    return found;
  }
  found.bucket_id = row.bigint(i, kBucketId);
  found.settings_version = row.bigint(i, kSettingsVersion);
  if (row.is_null(i, kVersion)) {
    found.status = query.version || query.null_version ? LookupStatus::kNoSuchVersion
                                                       : LookupStatus::kNoSuchKey;
    return found;
  }
  found.status = LookupStatus::kFound;
  ObjectVersion& object = found.object;
  object.version =
      model::VersionId::from_bytes(as_bytes(row.bytes(i, kVersion))).value_or(model::VersionId{});
  object.last_modified = time_of(object.version);
  object.is_null = row.boolean(i, kIsNull);
  object.delete_marker = row.boolean(i, kDeleteMarker);
  object.size = static_cast<uint64_t>(row.bigint(i, kSize));
  object.etag = row.text(i, kEtag);
  object.owner_account = row.text(i, kOwner);
  object.checksum = read_checksum(row, i, kAlgorithm, kType, kChecksum);
  object.headers = unpack_headers(row.bytes(i, kHeaders));
  object.part_count = static_cast<uint32_t>(row.integer(i, kPartCount));
  if (row.integer(i, kExtentCount) == 1) {
    const auto stream =
        model::StreamId::from_bytes(as_bytes(row.bytes(i, kStream))).value_or(model::StreamId{});
    object.extents = {{0, stream, static_cast<uint64_t>(row.bigint(i, kStreamSize)),
                       static_cast<uint64_t>(row.bigint(i, kStreamOffset)), object.size,
                       static_cast<Layout>(row.smallint(i, kLayout))}};
  } else {
    object.extents = unpack_extents(row.bytes(i, kFoundExtents));
  }
  read_attributes(row, i, kFoundAttributes, object);
  read_part(row, i, found);
  return found;
}

int64_t clamp_to_bigint(uint64_t value) {
  return static_cast<int64_t>(std::min<uint64_t>(value, INT64_MAX));
}

Committed<PgResult> find_some(PgConnection& connection, const std::vector<FindJob*>& jobs) {
  const size_t n = jobs.size();
  PgArray buckets(Element::kText, n), keys(Element::kBytes, n), kinds(Element::kSmallint, n),
      firsts(Element::kBigint, n), lasts(Element::kBigint, n);
  Deadline deadline{};
  for (const FindJob* job : jobs) {
    buckets.add_bytes(job->request.bucket);
    keys.add_bytes(job->request.key);
    kinds.add_small(static_cast<int16_t>(job->request.range.kind));
    firsts.add(clamp_to_bigint(job->request.range.first));
    lasts.add(clamp_to_bigint(job->request.range.last));
    deadline = std::max(deadline, job->deadline());
  }
  PgParameters parameters;
  for (PgArray* array : {&buckets, &keys, &kinds, &firsts, &lasts}) {
    std::move(*array).move_into(parameters);
  }
  return connection.run(find_current_sql(), parameters, deadline, AtDeadline::kCancel);
}

}  // namespace

const std::string& find_current_sql() {
  static const std::string sql = named_sql("select " + found_columns() +
                                           " from unnest($1::text[], $2::bytea[], $3::smallint[], "
                                           "$4::bigint[], $5::bigint[]) with ordinality"
                                           " as q(bucket, key, kind, first, last, n)" +
                                           kBucket +
                                           " left join lateral (select * from objects where "
                                           "bucket_id = b.id and key = q.key limit 1) o on true" +
                                           kPart + " order by q.n");
  return sql;
}

void PostgresStore::find_batch(PgConnection& connection, std::vector<FindJob*> jobs) {
  const auto find = [&](const std::vector<FindJob*>& some) { return find_some(connection, some); };
  run_rows(connection, jobs, find,
           [](const std::vector<FindJob*>& some, const Committed<PgResult>& result) {
             if (result && result->rows() == some.size()) {
               for (size_t i = 0; i < some.size(); ++i) {
                 some[i]->slot->set(read_row(*result, i, some[i]->request));
               }
               return;
             }
             const Error error =
                 result ? Error{ErrorCode::kInternal, "a batch lost a row"} : Error(result.error());
             for (FindJob* job : some) job->slot->set(std::unexpected(error));
           });
}

async::Task<Result<ObjectLookup>> PostgresStore::find_object(ObjectQuery query) {
  if (!can_be_text(query.bucket)) co_return ObjectLookup{.status = LookupStatus::kNoSuchBucket};
  const Deadline deadline = query.deadline;
  if (!query.version && !query.null_version && !query.with_parts) {
    co_return co_await run_batched<ObjectLookup>(workers_, Lane::kFind, std::move(query), "",
                                                 deadline);
  }
  auto work = [query = std::move(query)](PgConnection& connection,
                                         Deadline until) -> Result<ObjectLookup> {
    PgParameters parameters;
    parameters.add_text(query.bucket);
    parameters.add_bytes(query.key);
    parameters.add_small(static_cast<int16_t>(query.range.kind));
    parameters.add(clamp_to_bigint(query.range.first));
    parameters.add(clamp_to_bigint(query.range.last));
    parameters.add_small(static_cast<int16_t>(choice_of(query.version, query.null_version)));
    query.version ? parameters.add_bytes(raw(query.version->view())) : parameters.add_null();
    parameters.add_bool(true);
    parameters.add_bool(query.with_parts);
    parameters.add_integer(static_cast<int32_t>(query.parts_after));
    parameters.add(static_cast<int64_t>(query.parts_max) + 1);
    TRY(const PgResult result,
        connection.run(version_sql(), parameters, until, AtDeadline::kCancel));
    ObjectLookup found = read_row(result, 0, query);
    if (found.status != LookupStatus::kFound || !query.with_parts) return found;
    const auto type =
        found.object.checksum ? found.object.checksum->type : model::ChecksumType::kComposite;
    found.object.parts =
        unpack_parts(result.bytes(0, found_parts()), found.object.last_modified, type);
    found.parts_truncated = found.object.parts.size() > query.parts_max;
    if (found.parts_truncated) found.object.parts.resize(query.parts_max);
    return found;
  };
  co_return co_await run_single<ObjectLookup>(workers_, deadline, std::move(work));
}

}  // namespace rondel::metadata
