// Buckets, their settings, and credentials.
#include <algorithm>

#include "common/crypto/aead.h"
#include "metadata/postgres/pg_columns.h"
#include "metadata/postgres/postgres_store_impl.h"

namespace rondel::metadata {
namespace {

using Element = PgArray::Element;

constexpr int kBucketsPerAccountMax = 10'000;

enum BucketColumn {
  kId, kName, kOwner, kOwnerCanonicalId, kOwnerDisplayName, kRegion, kCreated, kVersioning, kObjectLock, kSettingsVersion,
  kOwnerPublicAccessBlock, kSettings,
};
constexpr PgColumns kBucket({
    std::pair{kId, "b.id"},
    {kName, "b.name"},
    {kOwner, "b.owner_account"},
    {kOwnerCanonicalId, "a.canonical_id"},
    {kOwnerDisplayName, "a.display_name"},
    {kRegion, "b.region"},
    {kCreated, "(extract(epoch from b.created_at) * 1000000)::bigint"},
    {kVersioning, "b.versioning"},
    {kObjectLock, "b.object_lock"},
    {kSettingsVersion, "b.settings_version"},
    {kOwnerPublicAccessBlock, "a.public_access_block"},
    // For each: kind (2 bytes) and length (4 bytes), then the document.
    {kSettings, "(select string_agg(int2send(s.kind) || int4send(length(s.document)) || s.document, ''::bytea)"
                " from bucket_settings s where s.bucket_id = b.id)"},
});

std::map<SettingKind, std::string> unpack_settings(std::string_view packed) {
  std::map<SettingKind, std::string> settings;
  while (packed.size() >= 6) {
    const auto* at = reinterpret_cast<const std::byte*>(packed.data());
    const auto kind = static_cast<SettingKind>(load_be<uint16_t>(at));
    const size_t length = load_be<uint32_t>(at + 2);
    settings[kind] = packed.substr(6, length);
    packed.remove_prefix(std::min(packed.size(), 6 + length));
  }
  return settings;
}

Bucket read_bucket(const PgResult& row, size_t i) {
  Bucket bucket;
  bucket.id = row.bigint(i, kId);
  bucket.name = row.text(i, kName);
  bucket.owner_account = row.text(i, kOwner);
  bucket.owner_canonical_id = row.text(i, kOwnerCanonicalId);
  bucket.owner_display_name = row.text(i, kOwnerDisplayName);
  bucket.region = row.text(i, kRegion);
  bucket.created_at = from_microseconds(row.bigint(i, kCreated));
  bucket.versioning = static_cast<Versioning>(row.smallint(i, kVersioning));
  bucket.object_lock = row.boolean(i, kObjectLock);
  bucket.settings_version = row.bigint(i, kSettingsVersion);
  bucket.owner_public_access_block = static_cast<uint8_t>(row.smallint(i, kOwnerPublicAccessBlock));
  bucket.settings = unpack_settings(row.bytes(i, kSettings));
  return bucket;
}

// Text with the same names behind it: they are of printable characters, all of them below '~'.
std::string printable_bound(std::string_view after) {
  const auto odd = std::ranges::find_if(after, [](char c) { return c <= ' ' || c >= '~'; });
  std::string bound(after.begin(), odd);
  if (odd != after.end() && static_cast<unsigned char>(*odd) >= '~') bound += '~';
  return bound;
}

Result<BucketOutcome> bucket_by(PgConnection& connection, const std::string& condition, PgParameters parameters, Deadline until) {
  const std::string sql = "select " + kBucket.text() + " from buckets b join accounts a on a.id = b.owner_account where " +
                          condition;
  TRY(const PgResult result, connection.run(sql, parameters, until));
  if (result.rows() == 0) return BucketOutcome{BucketStatus::kNoSuchBucket, {}};
  return BucketOutcome{BucketStatus::kOk, read_bucket(result, 0)};
}

Result<BucketOutcome> bucket_by_name(PgConnection& connection, const std::string& name, Deadline until) {
  PgParameters parameters;
  parameters.add_text(name);
  return bucket_by(connection, "b.name = $1", std::move(parameters), until);
}

// What a change of settings answered, with the bucket as it is now.
Result<BucketOutcome> changed_bucket(PgConnection& connection, int64_t bucket_id, int16_t status, Deadline until) {
  if (static_cast<BucketStatus>(status) != BucketStatus::kOk) return BucketOutcome{static_cast<BucketStatus>(status), {}};
  PgParameters by_id;
  by_id.add(bucket_id);
  return bucket_by(connection, "b.id = $1", std::move(by_id), until);
}

}  // namespace

async::Task<Result<BucketOutcome>> PostgresStore::create_bucket(CreateBucket request, Deadline deadline) {
  static const std::string sql = named_sql(
      "with wanted as (select $1::text as name where (select count(*) from buckets where owner_account = $2) < $5::bigint"
      "   or exists (select 1 from buckets where name = $1)),"
      " made as (insert into buckets (name, owner_account, region, versioning, object_lock)"
      "   select name, $2, $3, case when $4::boolean then :Versioning.kEnabled else :Versioning.kNever end, $4 from wanted on conflict (name) do nothing returning id),"
      " documents as (insert into bucket_settings (bucket_id, kind, document)"
      "   select made.id, d.kind, d.document from made, unnest($6::smallint[], $7::bytea[]) as d(kind, document))"
      " select (select count(*) from wanted), (select count(*) from made)");
  if (!can_be_text(request.name) || !can_be_text(request.region)) co_return fail(ErrorCode::kInvalidArgument, "no name of a bucket");
  auto work = [request = std::move(request)](PgConnection& connection, Deadline until) -> Result<BucketOutcome> {
    PgArray kinds(Element::kSmallint, request.settings.size()), documents(Element::kBytes, request.settings.size());
    for (const auto& [kind, document] : request.settings) {
      kinds.add_small(static_cast<int16_t>(kind));
      documents.add_bytes(document);
    }
    PgParameters parameters;
    parameters.add_text(request.name);
    parameters.add_text(request.owner_account);
    parameters.add_text(request.region);
    parameters.add_bool(request.object_lock);
    parameters.add(int64_t{kBucketsPerAccountMax});
    std::move(kinds).move_into(parameters);
    std::move(documents).move_into(parameters);
    TRY(const PgResult done, connection.run(sql, parameters, until));
    if (done.bigint(0, 0) == 0) return BucketOutcome{BucketStatus::kTooManyBuckets, {}};
    TRY(BucketOutcome outcome, bucket_by_name(connection, request.name, until));
    if (outcome.status == BucketStatus::kOk && done.bigint(0, 1) == 0) {
      outcome.status = outcome.bucket.owner_account == request.owner_account ? BucketStatus::kAlreadyOwnedByYou
                                                                             : BucketStatus::kAlreadyExists;
    }
    return outcome;
  };
  co_return co_await run_single<BucketOutcome>(workers_, deadline, std::move(work));
}

async::Task<Result<BucketOutcome>> PostgresStore::delete_bucket(int64_t bucket_id, Deadline deadline) {
  auto work = [bucket_id](PgConnection& connection, Deadline until) -> Result<BucketOutcome> {
    TRY(const PgResult done, PgFunction("*", "delete_bucket").bigint("b", bucket_id).run(connection, until));
    return BucketOutcome{static_cast<BucketStatus>(done.smallint(0, 0)), {}};
  };
  co_return co_await run_single<BucketOutcome>(workers_, deadline, std::move(work));
}

async::Task<Result<BucketOutcome>> PostgresStore::find_bucket(std::string name, Deadline deadline) {
  if (!can_be_text(name)) co_return BucketOutcome{BucketStatus::kNoSuchBucket, {}};
  auto work = [name = std::move(name)](PgConnection& connection, Deadline until) { return bucket_by_name(connection, name, until); };
  co_return co_await run_single<BucketOutcome>(workers_, deadline, std::move(work));
}

async::Task<Result<std::vector<Bucket>>> PostgresStore::list_buckets(ListBucketsQuery query, Deadline deadline) {
  static const std::string sql =
      "select " + kBucket.text() +
      " from buckets b join accounts a on a.id = b.owner_account where b.owner_account = $1 and b.name > $2"
      " and starts_with(b.name, $3) and ($4 = '' or b.region = $4) order by b.name limit $5";
  if (!can_be_text(query.prefix) || !can_be_text(query.region)) co_return std::vector<Bucket>{};
  query.after_name = printable_bound(query.after_name);
  auto work = [query = std::move(query)](PgConnection& connection, Deadline until) -> Result<std::vector<Bucket>> {
    PgParameters parameters;
    parameters.add_text(query.owner_account);
    parameters.add_text(query.after_name);
    parameters.add_text(query.prefix);
    parameters.add_text(query.region);
    parameters.add(int64_t{query.max});
    TRY(const PgResult result, connection.run(sql, parameters, until));
    std::vector<Bucket> buckets;
    for (size_t i = 0; i < result.rows(); ++i) buckets.push_back(read_bucket(result, i));
    return buckets;
  };
  co_return co_await run_single<std::vector<Bucket>>(workers_, deadline, std::move(work));
}

async::Task<Result<BucketOutcome>> PostgresStore::set_bucket_setting(int64_t bucket_id, SettingKind kind,
                                                                     std::optional<std::string> document, Deadline deadline) {
  auto work = [bucket_id, kind, document = std::move(document)](PgConnection& connection, Deadline until) -> Result<BucketOutcome> {
    PgFunction call("*", "set_bucket_setting");
    call.bigint("b", bucket_id).choice("which", kind).optional_bytes("wanted", document);
    TRY(const PgResult done, call.run(connection, until));
    return changed_bucket(connection, bucket_id, done.smallint(0, 0), until);
  };
  co_return co_await run_single<BucketOutcome>(workers_, deadline, std::move(work));
}

async::Task<Result<BucketOutcome>> PostgresStore::set_bucket_versioning(int64_t bucket_id, Versioning versioning, Deadline deadline) {
  auto work = [bucket_id, versioning](PgConnection& connection, Deadline until) -> Result<BucketOutcome> {
    PgFunction call("*", "set_bucket_versioning");
    TRY(const PgResult done, call.bigint("b", bucket_id).choice("wanted", versioning).run(connection, until));
    return changed_bucket(connection, bucket_id, done.smallint(0, 0), until);
  };
  co_return co_await run_single<BucketOutcome>(workers_, deadline, std::move(work));
}

async::Task<Result<BucketOutcome>> PostgresStore::set_object_lock(int64_t bucket_id, std::string document, Deadline deadline) {
  auto work = [bucket_id, document = std::move(document)](PgConnection& connection, Deadline until) -> Result<BucketOutcome> {
    PgFunction call("*", "set_object_lock");
    TRY(const PgResult done, call.bigint("b", bucket_id).bytes("lock_document", document).run(connection, until));
    return changed_bucket(connection, bucket_id, done.smallint(0, 0), until);
  };
  co_return co_await run_single<BucketOutcome>(workers_, deadline, std::move(work));
}

async::Task<Result<BucketUsage>> PostgresStore::bucket_usage(int64_t bucket_id, Deadline deadline) {
  auto work = [bucket_id](PgConnection& connection, Deadline until) -> Result<BucketUsage> {
    PgParameters parameters;
    parameters.add(bucket_id);
    TRY(const PgResult row,
        connection.run("select sum(objects)::bigint, sum(versions)::bigint, sum(bytes)::bigint from bucket_usage where bucket_id = $1",
                       parameters, until));
    return BucketUsage{static_cast<uint64_t>(row.bigint(0, 0)), static_cast<uint64_t>(row.bigint(0, 1)),
                       static_cast<uint64_t>(row.bigint(0, 2))};
  };
  co_return co_await run_single<BucketUsage>(workers_, deadline, std::move(work));
}

async::Task<Result<std::optional<Credential>>> PostgresStore::find_credential(std::string access_key, Deadline deadline) {
  static const std::string sql =
      "select k.access_key, k.sealed_secret, k.is_root, k.enabled, a.id, a.canonical_id, a.name, a.display_name, a.email, a.enabled, a.public_access_block"
      " from access_keys k join accounts a on a.id = k.account_id where k.access_key = $1";
  if (!can_be_text(access_key)) co_return std::optional<Credential>{};
  auto work = [this, access_key = std::move(access_key)](PgConnection& connection, Deadline until)
      -> Result<std::optional<Credential>> {
    PgParameters parameters;
    parameters.add_text(access_key);
    TRY(const PgResult row, connection.run(sql, parameters, until));
    if (row.rows() == 0) return std::optional<Credential>{};
    Credential credential;
    credential.key.access_key = row.text(0, 0);
    TRY(credential.key.secret_key, crypto::open(options_.master_key, row.bytes(0, 1), access_key));
    credential.key.is_root = row.boolean(0, 2);
    credential.key.enabled = row.boolean(0, 3);
    credential.key.account_id = row.text(0, 4);
    credential.account.id = row.text(0, 4);
    credential.account.canonical_id = row.text(0, 5);
    credential.account.name = row.text(0, 6);
    credential.account.display_name = row.text(0, 7);
    credential.account.email = row.text(0, 8);
    credential.account.enabled = row.boolean(0, 9);
    credential.account.public_access_block = static_cast<uint8_t>(row.smallint(0, 10));
    return std::optional(std::move(credential));
  };
  co_return co_await run_single<std::optional<Credential>>(workers_, deadline, std::move(work));
}

}  // namespace rondel::metadata
