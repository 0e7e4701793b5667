// Accounts, access keys and credentials.
#include <algorithm>
#include <array>
#include <thread>

#include "common/crypto/aead.h"
#include "common/crypto/digest.h"
#include "metadata/connection/earlier_commits.h"
#include "metadata/model/identity_rules.h"
#include "metadata/postgres/postgres_store.h"

namespace rondel::metadata {
namespace {

constexpr const char* kAccountColumns =
    "a.id, a.canonical_id, a.name, a.display_name, a.email, a.enabled, a.public_access_block,"
    " (extract(epoch from a.created_at) * 1000000)::bigint";
constexpr int kAccountColumnCount = 8;
constexpr const char* kKeyColumns =
    "k.access_key, k.sealed_secret, k.account_id, k.is_root, k.enabled, (extract(epoch from "
    "k.created_at) * 1000000)::bigint";
constexpr int kKeyColumnCount = 6;

Account read_account(const PgResult& rows, size_t i) {
  Account account;
  account.id = rows.text(i, 0);
  account.canonical_id = rows.text(i, 1);
  account.name = rows.text(i, 2);
  account.display_name = rows.text(i, 3);
  account.email = rows.text(i, 4);
  account.enabled = rows.boolean(i, 5);
  account.public_access_block = static_cast<uint8_t>(rows.smallint(i, 6));
  account.created_at = from_microseconds(rows.bigint(i, 7));
  return account;
}

// Of the key columns from `first` on.
Result<AccessKey> read_key(const PgResult& rows, size_t i, int first,
                           const std::string& master_key) {
  AccessKey key;
  key.access_key = rows.text(i, first);
  TRY(key.secret_key, crypto::open(master_key, rows.bytes(i, first + 1), key.access_key));
  key.account_id = rows.text(i, first + 2);
  key.is_root = rows.boolean(i, first + 3);
  key.enabled = rows.boolean(i, first + 4);
  key.created_at = from_microseconds(rows.bigint(i, first + 5));
  return key;
}

// What kms_rights() answers: "BITS NAME" lines.
std::map<std::string, uint8_t, std::less<>> read_rights(std::string_view text) {
  std::map<std::string, uint8_t, std::less<>> rights;
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), line.size() + 1));
    if (line.size() > 2) rights.emplace(line.substr(2), static_cast<uint8_t>(line.front() - '0'));
  }
  return rights;
}

const char* condition_of(AccountName::Kind kind) {
  switch (kind) {
    case AccountName::Kind::kId: return "a.id = $1";
    case AccountName::Kind::kCanonicalId: return "a.canonical_id = $1";
    case AccountName::Kind::kEmail: return "a.email = $1";
    case AccountName::Kind::kAny: return "a.name = $1 or a.id = $1 or a.canonical_id = $1";
  }
  return "a.id = $1";
}

// Three parameters: access_key, sealed_secret, master_key_id.
Result<void> add_key(PgParameters& parameters, const AccessKey& key,
                     const std::string& master_key) {
  TRY(const std::string sealed, crypto::seal(master_key, key.secret_key, key.access_key));
  parameters.add_text(key.access_key);
  parameters.add_bytes(sealed);
  parameters.add_bytes(crypto::sha256(master_key).substr(0, 8));
  return {};
}

// PostgreSQL: Key (name)=(second) already exists.
std::string taken_value(std::string_view message) {
  const size_t begin = message.find(")=(");
  const size_t end = begin == std::string_view::npos ? begin : message.find(')', begin + 3);
  return end == std::string_view::npos
             ? ""
             : ": " + std::string(message.substr(begin + 3, end - begin - 3));
}

// kAlreadyExists in place of a unique violation (23505), with what was taken.
Error told(Error error) {
  if (!error.message.ends_with("(23505)")) return error;
  using Named = std::pair<const char*, const char*>;
  static constexpr std::array kNames = {
      Named{"accounts_name_key", "name"}, Named{"accounts_email", "e-mail address"},
      Named{"accounts_canonical_id_key", "canonical id"}, Named{"access_keys_pkey", "access key"}};
  for (const auto& [constraint, what] : kNames) {
    if (!error.message.contains(constraint)) continue;
    return {ErrorCode::kAlreadyExists,
            std::string("this ") + what + " is taken" + taken_value(error.message)};
  }
  return {ErrorCode::kAlreadyExists, "it exists already"};
}

// Runs a change of one row, and lets what wrote before end; false: it is not there.
async::Task<Result<bool>> change_row(PgWorkers& workers, std::string sql, PgParameters parameters,
                                     Deadline deadline) {
  auto work = [sql = std::move(sql), parameters = std::move(parameters)](
                  PgConnection& connection, Deadline until) -> Result<bool> {
    TRY(const PgResult done, connection.run(sql, parameters, until));
    if (done.affected() > 0) await_earlier_commits(connection, until);
    return done.affected() > 0;
  };
  co_return co_await run_single<bool>(workers, deadline, std::move(work));
}

// `enabled` nullopt: the key goes.
async::Task<Result<bool>> change_key(PgWorkers& workers, std::string access_key,
                                     std::optional<bool> enabled, LastKey last, Deadline deadline) {
  if (!can_be_text(access_key)) co_return false;
  PgParameters parameters;
  parameters.add_text(access_key);
  enabled ? parameters.add_bool(*enabled) : parameters.add_null();
  parameters.add_bool(last == LastKey::kMayGo);
  auto work = [parameters = std::move(parameters)](PgConnection& connection,
                                                   Deadline until) -> Result<bool> {
    TRY(const PgResult done,
        connection.run("select change_access_key($1::text, $2::boolean, $3::boolean)", parameters,
                       until));
    const auto change = static_cast<KeyChange>(done.smallint(0, 0));
    if (change == KeyChange::kLastKey) return fail(ErrorCode::kPrecondition, kLastKeyMessage);
    if (change == KeyChange::kDone) await_earlier_commits(connection, until);
    return change == KeyChange::kDone;
  };
  co_return co_await run_single<bool>(workers, deadline, std::move(work));
}

}  // namespace

async::Task<Result<Credential>> PostgresStore::create_account(CreateAccount request,
                                                              Deadline deadline) {
  Credential made;
  CO_TRY(made.account,
         new_account(request.name, request.display_name, request.email, request.canonical_id));
  CO_TRY(made.key, new_access_key(made.account.id, request.access_key, request.secret_key));
  made.key.is_root = true;
  auto work = [this, made = std::move(made)](PgConnection& connection,
                                             Deadline until) -> Result<Credential> {
    PgParameters parameters;
    for (const std::string* text :
         {&made.account.id, &made.account.canonical_id, &made.account.name,
          &made.account.display_name, &made.account.email}) {
      parameters.add_text(*text);
    }
    TRY_VOID(add_key(parameters, made.key, options_.master_key));
    const auto done = connection.run(
        "with made as (insert into accounts (id, canonical_id, name, display_name, email) values "
        "($1, $2, $3, $4, $5) returning id)"
        " insert into access_keys (access_key, account_id, sealed_secret, master_key_id, is_root)"
        " select $6::text, id, $7::bytea, $8::bytea, true from made",
        parameters, until);
    if (!done) return std::unexpected(told(done.error()));
    return made;
  };
  co_return co_await run_single<Credential>(workers_, deadline, std::move(work));
}

async::Task<Result<std::optional<Account>>> PostgresStore::find_account(AccountName name,
                                                                        Deadline deadline) {
  if (name.value.empty() || !can_be_text(name.value)) co_return std::optional<Account>{};
  auto work = [name = std::move(name)](PgConnection& connection,
                                       Deadline until) -> Result<std::optional<Account>> {
    PgParameters parameters;
    parameters.add_text(name.value);
    TRY(const PgResult row, connection.run(std::string("select ") + kAccountColumns +
                                               " from accounts a where " + condition_of(name.kind),
                                           parameters, until));
    if (row.rows() == 0) return std::optional<Account>{};
    return std::optional(read_account(row, 0));
  };
  co_return co_await run_single<std::optional<Account>>(workers_, deadline, std::move(work));
}

async::Task<Result<std::vector<Account>>> PostgresStore::list_accounts(Deadline deadline) {
  return run_single<std::vector<Account>>(
      workers_, deadline,
      [](PgConnection& connection, Deadline until) -> Result<std::vector<Account>> {
        TRY(const PgResult rows, connection.run(std::string("select ") + kAccountColumns +
                                                    " from accounts a order by name",
                                                {}, until));
        std::vector<Account> accounts;
        for (size_t i = 0; i < rows.rows(); ++i) accounts.push_back(read_account(rows, i));
        return accounts;
      });
}

async::Task<Result<bool>> PostgresStore::change_account(std::string account_id,
                                                        AccountChange change, Deadline deadline) {
  if (!can_be_text(account_id)) co_return false;
  PgParameters parameters;
  parameters.add_text(account_id);
  change.enabled ? parameters.add_bool(*change.enabled) : parameters.add_null();
  parameters.add_optional_small(change.public_access_block);
  co_return co_await change_row(
      workers_,
      "update accounts set enabled = coalesce($2::boolean, enabled),"
      " public_access_block = coalesce($3::smallint, public_access_block) where id = $1",
      std::move(parameters), deadline);
}

async::Task<Result<AccessKey>> PostgresStore::create_key(std::string account_id,
                                                         std::string access_key, std::string secret,
                                                         Deadline deadline) {
  const Error no_account{ErrorCode::kNotFound, "there is no such account"};
  if (!can_be_text(account_id)) co_return std::unexpected(no_account);
  CO_TRY(AccessKey made,
         new_access_key(std::move(account_id), std::move(access_key), std::move(secret)));
  auto work = [this, no_account, made = std::move(made)](PgConnection& connection,
                                                         Deadline until) -> Result<AccessKey> {
    PgParameters parameters;
    parameters.add_text(made.account_id);
    TRY_VOID(add_key(parameters, made, options_.master_key));
    const auto done = connection.run(
        "insert into access_keys (access_key, account_id, sealed_secret, master_key_id)"
        " select $2::text, id, $3::bytea, $4::bytea from accounts where id = $1",
        parameters, until);
    if (!done) return std::unexpected(told(done.error()));
    if (done->affected() == 0) return std::unexpected(no_account);
    return made;
  };
  co_return co_await run_single<AccessKey>(workers_, deadline, std::move(work));
}

async::Task<Result<std::vector<AccessKey>>> PostgresStore::list_keys(std::string account_id,
                                                                     Deadline deadline) {
  if (!can_be_text(account_id)) co_return std::vector<AccessKey>{};
  auto work = [this, account_id = std::move(account_id)](
                  PgConnection& connection, Deadline until) -> Result<std::vector<AccessKey>> {
    PgParameters parameters;
    parameters.add_text(account_id);
    TRY(const PgResult rows, connection.run(std::string("select ") + kKeyColumns +
                                                " from access_keys k where k.account_id = $1"
                                                " order by k.created_at, k.access_key",
                                            parameters, until));
    std::vector<AccessKey> keys;
    for (size_t i = 0; i < rows.rows(); ++i) {
      TRY(AccessKey key, read_key(rows, i, 0, options_.master_key));
      keys.push_back(std::move(key));
    }
    return keys;
  };
  co_return co_await run_single<std::vector<AccessKey>>(workers_, deadline, std::move(work));
}

async::Task<Result<bool>> PostgresStore::set_key_enabled(std::string access_key, bool enabled,
                                                         LastKey last, Deadline deadline) {
  return change_key(workers_, std::move(access_key), enabled, last, deadline);
}

async::Task<Result<bool>> PostgresStore::delete_key(std::string access_key, LastKey last,
                                                    Deadline deadline) {
  return change_key(workers_, std::move(access_key), std::nullopt, last, deadline);
}

async::Task<Result<std::optional<Credential>>> PostgresStore::find_credential(
    std::string access_key, Deadline deadline) {
  static const std::string sql =
      std::string("select ") + kAccountColumns + ", " + kKeyColumns +
      ", (select epoch from credential_epoch), coalesce(kms_rights(a.id), ''), "
      "is_first_account(a.id)"
      " from access_keys k join accounts a on a.id = k.account_id where k.access_key = $1";
  if (!can_be_text(access_key)) co_return std::optional<Credential>{};
  auto work = [this, access_key = std::move(access_key)](
                  PgConnection& connection, Deadline until) -> Result<std::optional<Credential>> {
    PgParameters parameters;
    parameters.add_text(access_key);
    TRY(const PgResult row, connection.run(sql, parameters, until));
    if (row.rows() == 0) return std::optional<Credential>{};
    Credential credential;
    credential.account = read_account(row, 0);
    TRY(credential.key, read_key(row, 0, kAccountColumnCount, options_.master_key));
    constexpr int kEpoch = kAccountColumnCount + kKeyColumnCount;
    credential.epoch = row.bigint(0, kEpoch);
    credential.kms.keys = read_rights(row.text(0, kEpoch + 1));
    credential.kms.others = row.boolean(0, kEpoch + 2);
    return std::optional(std::move(credential));
  };
  co_return co_await run_single<std::optional<Credential>>(workers_, deadline, std::move(work));
}

}  // namespace rondel::metadata
