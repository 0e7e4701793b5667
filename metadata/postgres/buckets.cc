// Buckets and their settings.
#include "metadata/postgres/bucket_rows.h"
#include "metadata/postgres/postgres_store.h"

namespace rondel::metadata {
namespace {

using Element = PgArray::Element;

Result<BucketOutcome> bucket_by(PgConnection& connection, const std::string& condition,
                                PgParameters parameters, Deadline until) {
  const std::string sql = "select " + bucket_columns() +
                          " from buckets b join accounts a on a.id = b.owner_account where " +
                          condition;
  TRY(const PgResult result, connection.run(sql, parameters, until, AtDeadline::kCancel));
  if (result.rows() == 0) return BucketOutcome{BucketStatus::kNoSuchBucket, {}};
  return BucketOutcome{BucketStatus::kOk, read_bucket(result, 0)};
}

Result<BucketOutcome> bucket_by_name(PgConnection& connection, const std::string& name,
                                     Deadline until) {
  PgParameters parameters;
  parameters.add_text(name);
  return bucket_by(connection, "b.name = $1", std::move(parameters), until);
}

// One slice of the uploads of buckets that are gone. Whether there may be more.
Result<bool> release_deleted_bucket(PgConnection& connection, Deadline until) {
  constexpr int32_t kSlice = 1000;  // Rows of parts and uploads.
  TRY(const PgResult done,
      PgFunction("*", "release_deleted_bucket").integer("max_rows", kSlice).run(connection, until));
  return done.boolean(0, 0);
}

// What every change of a bucket begins with: which bucket, and what it was decided under.
PgFunction& decided_under(PgFunction& call, const CommitContext& context) {
  return call.bigint("b", context.bucket_id)
      .bigint("settings", context.settings_version)
      .under(context.credential_epoch);
}

Result<BucketStatus> change_status(const Committed<PgResult>& result) {
  if (credential_changed(result)) return BucketStatus::kCredentialChanged;
  if (!result) return std::unexpected(result.error());
  return static_cast<BucketStatus>(result->smallint(0, 0));
}

// What a change of settings answered, with the bucket as it is now.
Result<BucketOutcome> changed_bucket(PgConnection& connection, int64_t bucket_id,
                                     const Committed<PgResult>& result, Deadline until) {
  TRY(const BucketStatus status, change_status(result));
  if (status != BucketStatus::kOk) return BucketOutcome{status, {}};
  PgParameters by_id;
  by_id.add(bucket_id);
  return bucket_by(connection, "b.id = $1", std::move(by_id), until);
}

}  // namespace

async::Task<Result<BucketOutcome>> PostgresStore::create_bucket(CreateBucket request,
                                                                Deadline deadline) {
  static const std::string sql = named_sql(
      "with wanted as (select $1::text as name where (select count(*) from buckets where "
      "owner_account = $2) < $5::bigint"
      "   or exists (select 1 from buckets where name = $1)),"
      " made as (insert into buckets (name, owner_account, region, versioning, object_lock)"
      "   select name, $2, $3, case when $4::boolean then :Versioning.kEnabled else "
      ":Versioning.kNever end, $4 from wanted on conflict (name) do nothing returning id),"
      " documents as (insert into bucket_settings (bucket_id, kind, document)"
      "   select made.id, d.kind, d.document from made, unnest($6::smallint[], $7::bytea[]) as "
      "d(kind, document))"
      " select (select count(*) from wanted), (select count(*) from made), (select "
      "confirm_credentials($8::bigint))");
  if (!can_be_text(request.name) || !can_be_text(request.region)) {
    co_return fail(ErrorCode::kInvalidArgument, "no name of a bucket");
  }
  auto work = [request = std::move(request)](PgConnection& connection,
                                             Deadline until) -> Result<BucketOutcome> {
    PgArray kinds(Element::kSmallint, request.settings.size()),
        documents(Element::kBytes, request.settings.size());
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
    parameters.add(request.credential_epoch);
    auto ran = connection.run(sql, parameters, until);
    if (credential_changed(ran)) return BucketOutcome{BucketStatus::kCredentialChanged, {}};
    TRY(const PgResult done, std::move(ran));
    if (done.bigint(0, 0) == 0) return BucketOutcome{BucketStatus::kTooManyBuckets, {}};
    TRY(BucketOutcome outcome, bucket_by_name(connection, request.name, until));
    if (outcome.status == BucketStatus::kOk && done.bigint(0, 1) == 0) {
      outcome.status = outcome.bucket.owner_account == request.owner_account
                           ? BucketStatus::kAlreadyOwnedByYou
                           : BucketStatus::kAlreadyExists;
    }
    return outcome;
  };
  co_return co_await run_single<BucketOutcome>(workers_, deadline, std::move(work));
}

async::Task<Result<BucketOutcome>> PostgresStore::delete_bucket(CommitContext context) {
  auto work = [context](PgConnection& connection, Deadline until) -> Result<BucketOutcome> {
    PgFunction call("*", "delete_bucket");
    TRY(const BucketStatus status,
        change_status(decided_under(call, context).run(connection, until)));
    // Few uploads go at once, many when the coordinator comes by. The bucket is gone already.
    if (status == BucketStatus::kOk) (void)release_deleted_bucket(connection, until);
    return BucketOutcome{status, {}};
  };
  co_return co_await run_single<BucketOutcome>(workers_, context.deadline, std::move(work));
}

async::Task<Result<BucketOutcome>> PostgresStore::find_bucket(std::string name, Deadline deadline) {
  if (!can_be_text(name)) co_return BucketOutcome{BucketStatus::kNoSuchBucket, {}};
  auto work = [name = std::move(name)](PgConnection& connection, Deadline until) {
    return bucket_by_name(connection, name, until);
  };
  co_return co_await run_single<BucketOutcome>(workers_, deadline, std::move(work));
}

async::Task<Result<StoredSetting>> PostgresStore::find_setting(int64_t bucket_id, SettingKind kind,
                                                               Deadline deadline) {
  auto work = [bucket_id, kind](PgConnection& connection, Deadline until) -> Result<StoredSetting> {
    PgParameters parameters;
    parameters.add(bucket_id);
    parameters.add_small(static_cast<int16_t>(kind));
    TRY(const PgResult row, connection.run("select b.settings_version, s.document from buckets b"
                                           " left join bucket_settings s on s.bucket_id = b.id and "
                                           "s.kind = $2::smallint where b.id = $1::bigint",
                                           parameters, until));
    StoredSetting found;
    if (row.rows() == 0) return found;
    found.settings_version = row.bigint(0, 0);
    if (!row.is_null(0, 1)) found.document = row.bytes(0, 1);
    return found;
  };
  co_return co_await run_single<StoredSetting>(workers_, deadline, std::move(work));
}

async::Task<Result<BucketOutcome>> PostgresStore::set_bucket_setting(
    CommitContext context, SettingKind kind, std::optional<std::string> document) {
  auto work = [context, kind, document = std::move(document)](
                  PgConnection& connection, Deadline until) -> Result<BucketOutcome> {
    PgFunction call("*", "set_bucket_setting");
    decided_under(call, context).choice("which", kind).optional_bytes("wanted", document);
    return changed_bucket(connection, context.bucket_id, call.run(connection, until), until);
  };
  co_return co_await run_single<BucketOutcome>(workers_, context.deadline, std::move(work));
}

async::Task<Result<BucketOutcome>> PostgresStore::set_bucket_versioning(CommitContext context,
                                                                        Versioning versioning) {
  auto work = [context, versioning](PgConnection& connection,
                                    Deadline until) -> Result<BucketOutcome> {
    PgFunction call("*", "set_bucket_versioning");
    decided_under(call, context).choice("wanted", versioning);
    return changed_bucket(connection, context.bucket_id, call.run(connection, until), until);
  };
  co_return co_await run_single<BucketOutcome>(workers_, context.deadline, std::move(work));
}

async::Task<Result<BucketOutcome>> PostgresStore::set_object_lock(CommitContext context,
                                                                  std::string document) {
  auto work = [context, document = std::move(document)](PgConnection& connection,
                                                        Deadline until) -> Result<BucketOutcome> {
    PgFunction call("*", "set_object_lock");
    decided_under(call, context).bytes("lock_document", document);
    return changed_bucket(connection, context.bucket_id, call.run(connection, until), until);
  };
  co_return co_await run_single<BucketOutcome>(workers_, context.deadline, std::move(work));
}

async::Task<Result<BucketUsage>> PostgresStore::bucket_usage(int64_t bucket_id, Deadline deadline) {
  auto work = [bucket_id](PgConnection& connection, Deadline until) -> Result<BucketUsage> {
    PgParameters parameters;
    parameters.add(bucket_id);
    TRY(const PgResult row,
        connection.run("select sum(objects)::bigint, sum(versions)::bigint, sum(bytes)::bigint "
                       "from bucket_usage where bucket_id = $1",
                       parameters, until, AtDeadline::kCancel));
    return BucketUsage{static_cast<uint64_t>(row.bigint(0, 0)),
                       static_cast<uint64_t>(row.bigint(0, 1)),
                       static_cast<uint64_t>(row.bigint(0, 2))};
  };
  co_return co_await run_single<BucketUsage>(workers_, deadline, std::move(work));
}

}  // namespace rondel::metadata
