#include "cli/kms_commands.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <functional>

#include "cli/database_target.h"
#include "common/async/event_loop.h"
#include "kms/key_ring.h"
#include "kms/vault.h"
#include "metadata/postgres/postgres_metadata.h"

namespace rondel::cli {
namespace {

using kms::KeyManagement;

constexpr Duration kPatience = std::chrono::seconds(10);

constexpr std::array<std::pair<metadata::KmsOperation, std::string_view>, 3> kOperations{{
    {metadata::KmsOperation::kDecrypt, "decrypt"},
    {metadata::KmsOperation::kGenerateDataKey, "generate-data-key"},
    {metadata::KmsOperation::kEncrypt, "encrypt"},
}};

struct VaultTarget {
  std::string address;
  std::string token_file;
  std::string mount = "transit";
  std::string ca_file;
  bool allow_http = false;
};

using Work = std::function<async::Task<Result<void>>(KeyManagement&)>;

async::Task<Result<void>> with_vault(kms::VaultOptions options, Work work) {
  kms::VaultKeyManagement vault(std::move(options));
  co_return co_await work(vault);
}

Result<void> run(const DatabaseTarget& target, const VaultTarget& vault, const Work& work) {
  if (!vault.address.empty()) {
    kms::VaultOptions options;
    TRY(options.endpoint, kms::vault_endpoint(vault.address, vault.ca_file, vault.allow_http));
    options.token_file = vault.token_file;
    options.mount = vault.mount;
    options.timeout = kPatience;
    return async::block_on(with_vault(std::move(options), work));
  }
  TRY(const Database database, find_database(target));
  const auto metadata = metadata::PostgresMetadata::make_for_command(database.dsn);
  kms::KeyRing ring(metadata->stores().keys, {crypto::Secret(database.master_key), {}});
  return async::block_on(work(ring));
}

async::Task<Result<void>> print_keys(KeyManagement& keys) {
  CO_TRY(const auto all, co_await keys.list(deadline_in(kPatience)));
  for (const kms::KeyDescription& key : all) {
    const char* const state = !key.readable ? "unreadable" : key.enabled ? "enabled" : "disabled";
    fmt::print("{:<40} version {:<4} {:<10} {:%Y-%m-%dT%H:%M:%SZ}\n", key.name, key.newest_version, state,
               std::chrono::floor<std::chrono::seconds>(key.created_at));
  }
  co_return Result<void>{};
}

using AccessWork = std::function<async::Task<Result<void>>(metadata::KeyStore&, const std::string& account)>;

// Whose keys are lies in the cluster's database, whatever keeps their material.
Result<void> with_access(const DatabaseTarget& target, const std::string& account_name, const AccessWork& work) {
  TRY(const Database database, find_database(target));
  const auto metadata = metadata::PostgresMetadata::make_for_command(database.dsn);
  const auto deadline = deadline_in(kPatience);
  std::string account;
  if (!account_name.empty()) {
    TRY(const auto found, async::block_on(metadata->stores().identities.find_account({metadata::AccountName::Kind::kAny, account_name}, deadline)));
    if (!found) return fail(ErrorCode::kNotFound, "there is no account '" + account_name + "'");
    account = found->id;
  }
  return async::block_on(work(metadata->stores().keys, account));
}

std::string words_of(uint8_t operations) {
  std::string out;
  for (const auto& [operation, word] : kOperations) {
    if ((operations & static_cast<uint8_t>(operation)) != 0) out += (out.empty() ? "" : ",") + std::string(word);
  }
  return out;
}

// "decrypt,generate-data-key"
Result<uint8_t> operations_of(std::string_view text) {
  uint8_t operations = 0;
  while (!text.empty()) {
    const std::string_view word = text.substr(0, text.find(','));
    text.remove_prefix(std::min(text.size(), word.size() + 1));
    const auto known = std::ranges::find(kOperations, word, &std::pair<metadata::KmsOperation, std::string_view>::second);
    if (known == kOperations.end()) return fail(ErrorCode::kInvalidArgument, "operations are decrypt, generate-data-key and encrypt, divided by ','");
    operations |= static_cast<uint8_t>(known->first);
  }
  return operations;
}

async::Task<Result<void>> print_access(metadata::KeyStore& keys) {
  CO_TRY(const auto all, co_await keys.list_access(deadline_in(kPatience)));
  for (const metadata::KmsKeyAccess& key : all) {
    fmt::print("{:<40} owner {}\n", key.name, key.owner_account);
    for (const auto& [account, operations] : key.grants) fmt::print("{:<40} grant {} {}\n", "", account, words_of(operations));
  }
  co_return Result<void>{};
}

int report(const Result<void>& result) {
  if (result) return 0;
  fmt::print(stderr, "rondel: {}\n", result.error().message);
  return 1;
}

}  // namespace

void add_kms_commands(CLI::App& app, int* status) {
  CLI::App* kms = app.add_subcommand("kms", "Keys that objects are encrypted under")->require_subcommand(1);
  auto target = add_database_options(*kms);
  auto vault = std::make_shared<VaultTarget>();
  kms->add_option("--vault-address", vault->address, "Vault's transit engine instead of the cluster's key ring, http(s)://host:port");
  kms->add_option("--vault-token-file", vault->token_file, "File with Vault's token");
  kms->add_option("--vault-mount", vault->mount, "Path of the transit engine")->capture_default_str();
  kms->add_option("--vault-ca-file", vault->ca_file, "PEM: whom to believe that it is Vault; otherwise whom the system believes");
  kms->add_flag("--vault-allow-http", vault->allow_http, "Take an http:// address that leaves this machine");
  kms->add_subcommand("list", "All keys")->callback([=] { *status = report(run(*target, *vault, print_keys)); });
  auto name = std::make_shared<std::string>();
  const auto named = [&](const char* verb, const char* help, auto act) {
    CLI::App* sub = kms->add_subcommand(verb, help);
    sub->add_option("key", *name, "Name of the key")->required();
    sub->callback([=] { *status = report(run(*target, *vault, [name, act](KeyManagement& keys) { return act(keys, *name, deadline_in(kPatience)); })); });
  };
  named("create", "Make a key", [](KeyManagement& keys, std::string key, Deadline deadline) { return keys.create(std::move(key), deadline); });
  named("rotate", "Add a version: what is encrypted from now on uses it, older objects still open",
        [](KeyManagement& keys, std::string key, Deadline deadline) { return keys.rotate(std::move(key), deadline); });
  named("enable", "Let a disabled key work again", [](KeyManagement& keys, std::string key, Deadline deadline) { return keys.set_enabled(std::move(key), true, deadline); });
  named("disable", "Refuse the key: objects under it cannot be read or written until it is enabled",
        [](KeyManagement& keys, std::string key, Deadline deadline) { return keys.set_enabled(std::move(key), false, deadline); });

  auto account = std::make_shared<std::string>();
  auto operations = std::make_shared<std::string>("decrypt,generate-data-key");
  kms->get_subcommand("create")->add_option("--account", *account, "Whose it is, by name or id; without, the first account's");
  kms->get_subcommand("create")->callback([=] {
    auto made = run(*target, *vault, [name](KeyManagement& keys) { return keys.create(*name, deadline_in(kPatience)); });
    if (made && !account->empty()) {
      made = with_access(*target, *account, [name](metadata::KeyStore& keys, const std::string& id) { return keys.set_owner(*name, id, deadline_in(kPatience)); });
    }
    *status = report(made);
  });
  const auto of_account = [&](const char* verb, const char* help, auto act) {
    CLI::App* sub = kms->add_subcommand(verb, help);
    sub->add_option("key", *name, "Name of the key")->required();
    sub->add_option("account", *account, "Name or id of the account")->required();
    sub->callback([=] { *status = report(with_access(*target, *account, act)); });
    return sub;
  };
  of_account("owner", "Give the key to an account; grants on it end",
             [name](metadata::KeyStore& keys, const std::string& id) { return keys.set_owner(*name, id, deadline_in(kPatience)); });
  of_account("grant", "Let another account use the key", [name, operations](metadata::KeyStore& keys, const std::string& id) -> async::Task<Result<void>> {
    CO_TRY(const uint8_t bits, operations_of(*operations));
    co_return co_await keys.set_grant(*name, id, bits, deadline_in(kPatience));
  })->add_option("--operations", *operations, "decrypt, generate-data-key, encrypt, divided by ','")->capture_default_str();
  of_account("revoke", "End an account's grant",
             [name](metadata::KeyStore& keys, const std::string& id) { return keys.set_grant(*name, id, 0, deadline_in(kPatience)); });
  kms->add_subcommand("access", "Owners of keys, and who else may use them")->callback([=] {
    *status = report(with_access(*target, "", [](metadata::KeyStore& keys, const std::string&) { return print_access(keys); }));
  });
}

}  // namespace rondel::cli
