// Accounts by each of their names, and what a gateway changes of them.
#include "metadata/postgres/postgres_store_impl.h"

namespace rondel::metadata {
namespace {

const char* column_of(AccountName::Kind kind) {
  switch (kind) {
    case AccountName::Kind::kId: return "id";
    case AccountName::Kind::kCanonicalId: return "canonical_id";
    case AccountName::Kind::kEmail: return "email";
  }
  return "id";
}

}  // namespace

async::Task<Result<std::optional<Account>>> PostgresStore::find_account(AccountName name, Deadline deadline) {
  if (name.value.empty() || !can_be_text(name.value)) co_return std::optional<Account>{};
  auto work = [name = std::move(name)](PgConnection& connection, Deadline until) -> Result<std::optional<Account>> {
    const std::string sql = std::string("select id, canonical_id, name, display_name, email, enabled, public_access_block from accounts where ") +
                            column_of(name.kind) + " = $1";
    PgParameters parameters;
    parameters.add_text(name.value);
    TRY(const PgResult row, connection.run(sql, parameters, until));
    if (row.rows() == 0) return std::optional<Account>{};
    Account account;
    account.id = row.text(0, 0);
    account.canonical_id = row.text(0, 1);
    account.name = row.text(0, 2);
    account.display_name = row.text(0, 3);
    account.email = row.text(0, 4);
    account.enabled = row.boolean(0, 5);
    account.public_access_block = static_cast<uint8_t>(row.smallint(0, 6));
    return std::optional(std::move(account));
  };
  co_return co_await run_single<std::optional<Account>>(workers_, deadline, std::move(work));
}

async::Task<Result<bool>> PostgresStore::set_account_public_access_block(std::string account_id, uint8_t bits, Deadline deadline) {
  if (!can_be_text(account_id)) co_return false;
  auto work = [account_id = std::move(account_id), bits](PgConnection& connection, Deadline until) -> Result<bool> {
    PgParameters parameters;
    parameters.add_text(account_id);
    parameters.add_small(bits);
    TRY(const PgResult done, connection.run("with changed as (update accounts set public_access_block = $2 where id = $1 returning id) select count(*) from changed",
                                            parameters, until));
    return done.bigint(0, 0) > 0;
  };
  co_return co_await run_single<bool>(workers_, deadline, std::move(work));
}

}  // namespace rondel::metadata
