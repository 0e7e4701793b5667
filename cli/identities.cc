#include "cli/identities.h"

#include "common/async/event_loop.h"

namespace rondel::cli {
namespace {

using metadata::AccountName;

Deadline soon() { return deadline_in(std::chrono::seconds(10)); }

Error not_there(const char* kind, const std::string& name) {
  return {ErrorCode::kNotFound, std::string("there is no ") + kind + " '" + name + "'"};
}

Result<void> changed(const Result<bool>& answer, const char* kind, const std::string& name) {
  if (!answer) return std::unexpected(answer.error());
  if (!*answer) return std::unexpected(not_there(kind, name));
  return {};
}

}  // namespace

Result<metadata::Credential> Identities::create_account(const metadata::CreateAccount& request) {
  return async::block_on(store().create_account(request, soon()));
}

Result<metadata::Account> Identities::find_account(const std::string& name) {
  TRY(const auto found,
      async::block_on(store().find_account({AccountName::Kind::kAny, name}, soon())));
  if (!found) return std::unexpected(not_there("account", name));
  return *found;
}

Result<std::vector<metadata::Account>> Identities::list_accounts() {
  return async::block_on(store().list_accounts(soon()));
}

Result<void> Identities::change_account(const std::string& account_id,
                                        const metadata::AccountChange& change) {
  return changed(async::block_on(store().change_account(account_id, change, soon())), "account",
                 account_id);
}

Result<metadata::AccessKey> Identities::create_key(const std::string& account_id,
                                                   const std::string& access_key,
                                                   const std::string& secret) {
  return async::block_on(store().create_key(account_id, access_key, secret, soon()));
}

Result<std::vector<metadata::AccessKey>> Identities::list_keys(const std::string& account_id) {
  return async::block_on(store().list_keys(account_id, soon()));
}

Result<void> Identities::set_key_enabled(const std::string& access_key, bool enabled,
                                         metadata::LastKey last) {
  return changed(async::block_on(store().set_key_enabled(access_key, enabled, last, soon())),
                 "access key", access_key);
}

Result<void> Identities::delete_key(const std::string& access_key, metadata::LastKey last) {
  return changed(async::block_on(store().delete_key(access_key, last, soon())), "access key",
                 access_key);
}

}  // namespace rondel::cli
