#include "metadata/store/key_store.h"

#include "metadata/connection/earlier_commits.h"
#include "metadata/connection/pg_call.h"
#include "metadata/connection/pg_codec.h"
#include "metadata/connection/pg_stores.h"

namespace rondel::metadata {
namespace {

// Changes get their numbers in the order of their commits: the counter's row stays locked until
// then.
constexpr std::string_view kNextChange =
    "with next as (update kms_changes set value = value + random_step() returning value)";

class PostgresKeyStore final : public KeyStore {
 public:
  explicit PostgresKeyStore(PgWorkers& workers) : workers_(workers) {}

  async::Task<Result<KmsKeyChanges>> load(uint64_t change, Deadline deadline) override {
    return run_single<KmsKeyChanges>(
        workers_, deadline,
        [change](PgConnection& connection, Deadline until) -> Result<KmsKeyChanges> {
          PgParameters parameters;
          parameters.add(static_cast<int64_t>(change));
          TRY(const PgResult rows,
              connection.run("select c.value, k.name, k.enabled, (extract(epoch from k.created_at) "
                             "* 1000000)::bigint, v.number, v.sealed_material, k.change"
                             " from kms_changes c left join kms_keys k on k.change > $1::bigint "
                             "left join kms_key_versions v on v.name = k.name"
                             " order by k.name, v.number",
                             parameters, until));
          return changes_of(rows);
        });
  }

  async::Task<Result<void>> create(std::string name, std::string sealed_material,
                                   std::string master_key_id, Deadline deadline) override {
    auto work = [=](PgConnection& connection, Deadline until) -> Result<void> {
      PgParameters parameters;
      parameters.add_text(name);
      parameters.add_bytes(sealed_material);
      parameters.add_bytes(master_key_id);
      TRY(const PgResult done,
          connection.run(std::string(kNextChange) +
                             ", made as (insert into kms_keys (name, change) select $1::text, "
                             "value from next on conflict do nothing returning name)"
                             " insert into kms_key_versions (name, number, sealed_material, "
                             "master_key_id) select name, 1, $2::bytea, $3::bytea from made",
                         parameters, until));
      if (done.affected() == 0) {
        return fail(ErrorCode::kAlreadyExists, "there is a key '" + name + "' already");
      }
      return {};
    };
    return run_single<void>(workers_, deadline, std::move(work));
  }

  async::Task<Result<void>> add_version(std::string name, KmsKeyVersion version,
                                        std::string master_key_id, Deadline deadline) override {
    auto work = [=](PgConnection& connection, Deadline until) -> Result<void> {
      PgParameters parameters;
      parameters.add_text(name);
      parameters.add_integer(static_cast<int32_t>(version.number));
      parameters.add_bytes(version.sealed_material);
      parameters.add_bytes(master_key_id);
      TRY(const PgResult done,
          connection.run(
              std::string(kNextChange) +
                  ", kept as (update kms_keys k set change = n.value from next n where k.name = "
                  "$1::text and $2::integer ="
                  " (select max(number) + 1 from kms_key_versions where name = $1::text) returning "
                  "k.name)"
                  " insert into kms_key_versions (name, number, sealed_material, master_key_id) "
                  "select name, $2::integer, $3::bytea, $4::bytea from kept"
                  " on conflict do nothing",
              parameters, until));
      if (done.affected() == 1) return {};
      TRY(const bool there, exists(connection, name, until));
      if (!there) return fail(ErrorCode::kNotFound, "there is no key '" + name + "'");
      return fail(ErrorCode::kPrecondition, "the key '" + name + "' was rotated meanwhile");
    };
    return run_single<void>(workers_, deadline, std::move(work));
  }

  async::Task<Result<void>> set_enabled(std::string name, bool enabled,
                                        Deadline deadline) override {
    auto work = [=](PgConnection& connection, Deadline until) -> Result<void> {
      PgParameters parameters;
      parameters.add_text(name);
      parameters.add_bool(enabled);
      TRY(const PgResult done,
          connection.run(std::string(kNextChange) +
                             " update kms_keys k set enabled = $2::boolean, change = "
                             "n.value from next n where k.name = $1::text",
                         parameters, until));
      if (done.affected() == 0) return fail(ErrorCode::kNotFound, "there is no key '" + name + "'");
      return {};
    };
    return run_single<void>(workers_, deadline, std::move(work));
  }

  async::Task<Result<void>> set_owner(std::string name, std::string account_id,
                                      Deadline deadline) override {
    auto work = [=](PgConnection& connection, Deadline until) -> Result<void> {
      TRY(const PgParameters parameters, key_and_account(name, account_id));
      TRY(const PgResult done,
          connection.run("with granted as (delete from kms_grants where name = $1)"
                         " insert into kms_key_owners (name, account_id) select $1::text, id from "
                         "accounts where id = $2"
                         " on conflict (name) do update set account_id = excluded.account_id",
                         parameters, until));
      await_earlier_commits(connection, until);
      return of_account(done);
    };
    return run_single<void>(workers_, deadline, std::move(work));
  }

  async::Task<Result<void>> set_grant(std::string name, std::string account_id, uint8_t operations,
                                      Deadline deadline) override {
    auto work = [=](PgConnection& connection, Deadline until) -> Result<void> {
      TRY(PgParameters parameters, key_and_account(name, account_id));
      if (operations == 0) {
        TRY_VOID(connection.run("delete from kms_grants where name = $1 and account_id = $2",
                                parameters, until));
        await_earlier_commits(connection, until);
        return {};
      }
      parameters.add_optional_small(operations);
      TRY(const PgResult done,
          connection.run(
              "with owned as (insert into kms_key_owners (name, account_id)"
              "   select $1::text, id from accounts order by created_at, id limit 1 on conflict "
              "(name) do nothing)"
              " insert into kms_grants (name, account_id, operations) select $1::text, id, "
              "$3::smallint from accounts where id = $2"
              " on conflict (name, account_id) do update set operations = excluded.operations",
              parameters, until));
      await_earlier_commits(connection, until);
      return of_account(done);
    };
    return run_single<void>(workers_, deadline, std::move(work));
  }

  async::Task<Result<std::vector<KmsKeyAccess>>> list_access(Deadline deadline) override {
    return run_single<std::vector<KmsKeyAccess>>(
        workers_, deadline,
        [](PgConnection& connection, Deadline until) -> Result<std::vector<KmsKeyAccess>> {
          TRY(const PgResult rows,
              connection.run("select o.name, o.account_id, g.account_id, g.operations from "
                             "kms_key_owners o left join kms_grants g on g.name = o.name"
                             " order by o.name, g.account_id",
                             {}, until));
          std::vector<KmsKeyAccess> all;
          for (size_t i = 0; i < rows.rows(); ++i) {
            if (all.empty() || all.back().name != rows.text(i, 0)) {
              all.push_back({rows.text(i, 0), rows.text(i, 1), {}});
            }
            if (!rows.is_null(i, 2)) {
              all.back().grants[rows.text(i, 2)] = static_cast<uint8_t>(rows.smallint(i, 3));
            }
          }
          return all;
        });
  }

 private:
  static Result<PgParameters> key_and_account(const std::string& name,
                                              const std::string& account_id) {
    if (!is_kms_key_name(name)) {
      return fail(ErrorCode::kInvalidArgument,
                  "a key's name has 1 to 256 of a-z A-Z 0-9 _ - . / :");
    }
    if (!can_be_text(account_id)) return fail(ErrorCode::kNotFound, "there is no such account");
    PgParameters parameters;
    parameters.add_text(name);
    parameters.add_text(account_id);
    return parameters;
  }

  static Result<void> of_account(const PgResult& done) {
    if (done.affected() > 0) return {};
    return fail(ErrorCode::kNotFound, "there is no such account");
  }

  static KmsKeyChanges changes_of(const PgResult& rows) {
    KmsKeyChanges changes;
    for (size_t i = 0; i < rows.rows(); ++i) {
      changes.change = static_cast<uint64_t>(rows.bigint(i, 0));
      if (rows.is_null(i, 1)) continue;
      if (changes.keys.empty() || changes.keys.back().name != rows.bytes(i, 1)) {
        changes.keys.push_back({rows.text(i, 1),
                                rows.boolean(i, 2),
                                from_microseconds(rows.bigint(i, 3)),
                                {},
                                static_cast<uint64_t>(rows.bigint(i, 6))});
      }
      if (!rows.is_null(i, 4)) {
        changes.keys.back().versions.push_back(
            {static_cast<uint32_t>(rows.integer(i, 4)), rows.text(i, 5)});
      }
    }
    return changes;
  }

  static Result<bool> exists(PgConnection& connection, const std::string& name, Deadline until) {
    PgParameters parameters;
    parameters.add_text(name);
    TRY(const PgResult found,
        connection.run("select 1 from kms_keys where name = $1", parameters, until));
    return found.rows() > 0;
  }

  PgWorkers& workers_;
};

}  // namespace

std::unique_ptr<KeyStore> make_key_store(PgWorkers& workers) {
  return std::make_unique<PostgresKeyStore>(workers);
}

}  // namespace rondel::metadata
