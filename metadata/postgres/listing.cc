// Pages of keys, versions, uploads and buckets.
#include <algorithm>

#include "metadata/connection/pg_columns.h"
#include "metadata/postgres/postgres_store.h"

namespace rondel::metadata {
namespace {

struct LowerBound {
  std::string key;
  bool exclusive = true;
};

// Where a page begins: behind a key, or behind everything under a common prefix, whichever is
// greater. nullopt: at the end.
std::optional<LowerBound> lower_bound_of(const std::string& after_key,
                                         const std::string& after_prefix) {
  if (after_prefix.empty()) return LowerBound{after_key, !after_key.empty()};
  auto above = above_prefix(after_prefix);
  if (!above) return std::nullopt;
  if (after_key >= *above) return LowerBound{after_key, true};
  return LowerBound{*std::move(above), false};
}

enum EntryColumn { kKey, kIsPrefix };  // Of every listing.

enum VersionColumn {
  kVersion = kIsPrefix + 1,
  kIsNull,
  kDeleteMarker,
  kLatest,
  kSize,
  kEtag,
  kOwner,
  kAlgorithm,
  kType,
};

constexpr PgColumns kListedVersion({
    std::pair<int, const char*>{kKey, "key"},
    {kIsPrefix, "is_prefix"},
    {kVersion, "version"},
    {kIsNull, "is_null"},
    {kDeleteMarker, "delete_marker"},
    {kLatest, "latest"},
    {kSize, "size"},
    {kEtag, "etag"},
    {kOwner, "owner_account"},
    {kAlgorithm, "checksum_algorithm"},
    {kType, "checksum_type"},
});

enum UploadColumn {
  kUpload = kIsPrefix + 1,
  kInitiator,
  kUploadOwner,
  kUploadAlgorithm,
  kUploadType,
  kInitiated,
};

constexpr PgColumns kListedUpload({
    std::pair<int, const char*>{kKey, "key"},
    {kIsPrefix, "is_prefix"},
    {kUpload, "upload"},
    {kInitiator, "initiator_account"},
    {kUploadOwner, "owner_account"},
    {kUploadAlgorithm, "checksum_algorithm"},
    {kUploadType, "checksum_type"},
    {kInitiated, "initiated_us"},
});

ListedVersion read_listed(const PgResult& row, size_t i) {
  ListedVersion listed;
  listed.key = row.text(i, kKey);
  ObjectVersion& object = listed.object;
  object.version =
      model::VersionId::from_bytes(as_bytes(row.bytes(i, kVersion))).value_or(model::VersionId{});
  object.last_modified = time_of(object.version);
  object.is_null = row.boolean(i, kIsNull);
  object.delete_marker = row.boolean(i, kDeleteMarker);
  listed.latest = row.boolean(i, kLatest);
  object.size = static_cast<uint64_t>(row.bigint(i, kSize));
  object.etag = row.text(i, kEtag);
  object.owner_account = row.text(i, kOwner);
  object.checksum = read_checksum(row, i, kAlgorithm, kType, -1);
  return listed;
}

Upload read_upload(const PgResult& row, size_t i) {
  Upload upload;
  upload.key = row.text(i, kKey);
  upload.id =
      model::UploadId::from_bytes(as_bytes(row.bytes(i, kUpload))).value_or(model::UploadId{});
  upload.initiator_account = row.text(i, kInitiator);
  upload.owner_account = row.text(i, kUploadOwner);
  if (!row.is_null(i, kUploadAlgorithm)) {
    upload.checksum_algorithm =
        static_cast<model::ChecksumAlgorithm>(row.smallint(i, kUploadAlgorithm));
  }
  if (!row.is_null(i, kUploadType)) {
    upload.checksum_type = static_cast<model::ChecksumType>(row.smallint(i, kUploadType));
  }
  upload.initiated_at = from_microseconds(row.bigint(i, kInitiated));
  return upload;
}

// Asks for one row more than the page holds: it says whether there is another page. `after`: behind
// which version or upload of the key that the page begins at.
template <class Columns, class Query>
PgFunction page_call(const Columns& columns, std::string_view name, const Query& query,
                     const LowerBound& lower, const std::optional<std::string>& after) {
  PgFunction call(columns.text(), name);
  call.bigint("b", query.bucket_id)
      .bytes("prefix", query.prefix)
      .bytes("delimiter", query.delimiter);
  call.bytes("lower", lower.key)
      .boolean("exclusive", lower.exclusive)
      .optional_bytes("after", after);
  call.integer("max", static_cast<int32_t>(query.max) + 1);
  return call;
}

// `add`: takes row i, which is no common prefix, into the page.
template <class Page, class Add>
Page read_page(const PgResult& result, uint32_t max, Add add) {
  Page page;
  page.truncated = result.rows() > max;
  const size_t count = std::min<size_t>(result.rows(), max);
  for (size_t i = 0; i < count; ++i) {
    page.next_key.clear();
    page.next_prefix.clear();
    if (result.boolean(i, kIsPrefix)) {
      page.common_prefixes.push_back(result.text(i, kKey));
      page.next_prefix = page.common_prefixes.back();
    } else {
      add(page, i);
    }
  }
  return page;
}

ListPage read_versions(const PgResult& result, uint32_t max) {
  return read_page<ListPage>(result, max, [&](ListPage& page, size_t i) {
    page.entries.push_back(read_listed(result, i));
    page.next_key = page.entries.back().key;
    page.next_version = page.entries.back().object.version;
  });
}

ListUploadsPage read_uploads(const PgResult& result, uint32_t max) {
  return read_page<ListUploadsPage>(result, max, [&](ListUploadsPage& page, size_t i) {
    page.uploads.push_back(read_upload(result, i));
    page.next_key = page.uploads.back().key;
    page.next_upload = page.uploads.back().id;
  });
}

// Text with the same names behind it: they are of printable characters, all of them below '~'.
std::string printable_bound(std::string_view after) {
  const auto odd = std::ranges::find_if(after, [](char c) { return c <= ' ' || c >= '~'; });
  std::string bound(after.begin(), odd);
  if (odd != after.end() && static_cast<unsigned char>(*odd) >= '~') bound += '~';
  return bound;
}

}  // namespace

async::Task<Result<ListPage>> PostgresStore::list(ListQuery query) {
  const auto lower = lower_bound_of(query.after_key, query.after_prefix);
  if (!lower || query.max == 0) co_return ListPage{};
  const Deadline deadline = query.deadline;
  auto work = [query = std::move(query), lower = *lower](PgConnection& connection,
                                                         Deadline until) -> Result<ListPage> {
    const auto after = query.after_version
                           ? std::optional(std::string(raw(query.after_version->view())))
                           : std::nullopt;
    const char* const name = query.versions ? "list_versions" : "list_heads";
    TRY(const PgResult result, page_call(kListedVersion, name, query, lower, after)
                                   .run(connection, until, AtDeadline::kCancel));
    return read_versions(result, query.max);
  };
  co_return co_await run_single<ListPage>(listings_, deadline, std::move(work));
}

async::Task<Result<ListUploadsPage>> PostgresStore::list_uploads(ListUploadsQuery query) {
  const auto lower = lower_bound_of(query.after_key, query.after_prefix);
  if (!lower || query.max == 0) co_return ListUploadsPage{};
  const Deadline deadline = query.deadline;
  auto work = [query = std::move(query), lower = *lower](
                  PgConnection& connection, Deadline until) -> Result<ListUploadsPage> {
    const auto after = query.after_upload
                           ? std::optional(std::string(raw(query.after_upload->view())))
                           : std::nullopt;
    TRY(const PgResult result, page_call(kListedUpload, "list_uploads", query, lower, after)
                                   .run(connection, until, AtDeadline::kCancel));
    return read_uploads(result, query.max);
  };
  co_return co_await run_single<ListUploadsPage>(listings_, deadline, std::move(work));
}

async::Task<Result<std::vector<ListedBucket>>> PostgresStore::list_buckets(ListBucketsQuery query,
                                                                           Deadline deadline) {
  // Names are of characters below '~', so that those with a prefix lie between it and it with one.
  static const std::string sql =
      "select b.name, b.region, (extract(epoch from b.created_at) * 1000000)::bigint from buckets b"
      " where b.owner_account = $1 and b.name > $2 and b.name >= $3 and b.name < $3 || '~'"
      " and ($4 = '' or b.region = $4) order by b.name limit $5";
  if (!can_be_text(query.prefix) || !can_be_text(query.region)) {
    co_return std::vector<ListedBucket>{};
  }
  query.after_name = printable_bound(query.after_name);
  auto work = [query = std::move(query)](PgConnection& connection,
                                         Deadline until) -> Result<std::vector<ListedBucket>> {
    PgParameters parameters;
    parameters.add_text(query.owner_account);
    parameters.add_text(query.after_name);
    parameters.add_text(query.prefix);
    parameters.add_text(query.region);
    parameters.add(int64_t{query.max});
    TRY(const PgResult result, connection.run(sql, parameters, until, AtDeadline::kCancel));
    std::vector<ListedBucket> buckets;
    for (size_t i = 0; i < result.rows(); ++i) {
      buckets.push_back(
          {result.text(i, 0), result.text(i, 1), from_microseconds(result.bigint(i, 2))});
    }
    return buckets;
  };
  co_return co_await run_single<std::vector<ListedBucket>>(listings_, deadline, std::move(work));
}

}  // namespace rondel::metadata
