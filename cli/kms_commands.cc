#include "cli/kms_commands.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <functional>

#include "cli/answer.h"
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

namespace json = boost::json;

using Work = std::function<async::Task<Result<Answer>>(KeyManagement&)>;

async::Task<Result<Answer>> with_vault(kms::VaultOptions options, Work work) {
  kms::VaultKeyManagement vault(std::move(options));
  co_return co_await work(vault);
}

Result<Answer> run(const DatabaseTarget& target, const VaultTarget& vault, const Work& work) {
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

async::Task<Result<Answer>> list_keys(KeyManagement& keys) {
  CO_TRY(const auto all, co_await keys.list(deadline_in(kPatience)));
  Answer answer;
  json::array rows;
  for (const kms::KeyDescription& key : all) {
    const char* const state = !key.readable ? "unreadable" : key.enabled ? "enabled" : "disabled";
    answer.text += fmt::format("{:<40} version {:<4} {:<10} {}\n", key.name, key.newest_version,
                               state, time_text(key.created_at));
    rows.push_back(json::object{{"name", key.name},
                                {"version", key.newest_version},
                                {"state", state},
                                {"created_at", time_text(key.created_at)}});
  }
  answer.json = json::object{{"keys", std::move(rows)}};
  co_return answer;
}

using AccessWork =
    std::function<async::Task<Result<Answer>>(metadata::KeyStore&, const std::string& account)>;

// Whose keys are lies in the cluster's database, whatever keeps their material.
Result<Answer> with_access(const DatabaseTarget& target, const std::string& account_name,
                           const AccessWork& work) {
  TRY(const Database database, find_database(target));
  const auto metadata = metadata::PostgresMetadata::make_for_command(database.dsn);
  const auto deadline = deadline_in(kPatience);
  std::string account;
  if (!account_name.empty()) {
    TRY(const auto found, async::block_on(metadata->stores().identities.find_account(
                              {metadata::AccountName::Kind::kAny, account_name}, deadline)));
    if (!found) return fail(ErrorCode::kNotFound, "there is no account '" + account_name + "'");
    account = found->id;
  }
  return async::block_on(work(metadata->stores().keys, account));
}

std::string words_of(uint8_t operations) {
  std::string out;
  for (const auto& [operation, word] : kOperations) {
    if ((operations & static_cast<uint8_t>(operation)) != 0) {
      out += (out.empty() ? "" : ",") + std::string(word);
    }
  }
  return out;
}

// "decrypt,generate-data-key"
Result<uint8_t> operations_of(std::string_view text) {
  uint8_t operations = 0;
  while (!text.empty()) {
    const std::string_view word = text.substr(0, text.find(','));
    text.remove_prefix(std::min(text.size(), word.size() + 1));
    const auto known = std::ranges::find(
        kOperations, word, &std::pair<metadata::KmsOperation, std::string_view>::second);
    if (known == kOperations.end()) {
      return fail(ErrorCode::kInvalidArgument,
                  "operations are decrypt, generate-data-key and encrypt, divided by ','");
    }
    operations |= static_cast<uint8_t>(known->first);
  }
  return operations;
}

async::Task<Result<Answer>> list_access(metadata::KeyStore& keys) {
  CO_TRY(const auto all, co_await keys.list_access(deadline_in(kPatience)));
  Answer answer;
  json::array rows;
  for (const metadata::KmsKeyAccess& key : all) {
    answer.text += fmt::format("{:<40} owner {}\n", key.name, key.owner_account);
    json::object grants;
    for (const auto& [account, operations] : key.grants) {
      answer.text += fmt::format("{:<40} grant {} {}\n", "", account, words_of(operations));
      grants[account] = words_of(operations);
    }
    rows.push_back(json::object{
        {"name", key.name}, {"owner", key.owner_account}, {"grants", std::move(grants)}});
  }
  answer.json = json::object{{"keys", std::move(rows)}};
  co_return answer;
}

// A change that has nothing to say but that it was made.
async::Task<Result<Answer>> changed(std::string key, const char* what,
                                    async::Task<Result<void>> change) {
  CO_TRY_VOID(co_await std::move(change));
  co_return Answer{"", json::object{{"key", std::move(key)}, {"done", what}}};
}

}  // namespace

void add_kms_commands(CLI::App& app, int* status) {
  CLI::App* kms =
      app.add_subcommand("kms", "Keys that objects are encrypted under")->require_subcommand(1);
  auto target = add_database_options(*kms);
  auto vault = std::make_shared<VaultTarget>();
  kms->add_option("--vault-address", vault->address,
                  "Vault's transit engine instead of the cluster's key ring, http(s)://host:port");
  kms->add_option("--vault-token-file", vault->token_file, "File with Vault's token");
  kms->add_option("--vault-mount", vault->mount, "Path of the transit engine")
      ->capture_default_str();
  kms->add_option("--vault-ca-file", vault->ca_file,
                  "PEM: whom to believe that it is Vault; otherwise whom the system believes");
  kms->add_flag("--vault-allow-http", vault->allow_http,
                "Take an http:// address that leaves this machine");
  answer_with(*kms->add_subcommand("list", "All keys"), status,
              [=] { return run(*target, *vault, list_keys); });
  auto name = std::make_shared<std::string>();
  auto account = std::make_shared<std::string>();
  auto operations = std::make_shared<std::string>("decrypt,generate-data-key");

  using Act = async::Task<Result<void>> (*)(KeyManagement&, const std::string&);
  const auto add = [&](const char* verb, const char* help) {
    CLI::App* sub = kms->add_subcommand(verb, help);
    sub->add_option("key", *name, "Name of the key")->required();
    return sub;
  };
  const auto act_on = [=](const char* verb, Act act) {
    return run(*target, *vault,
               [=](KeyManagement& keys) { return changed(*name, verb, act(keys, *name)); });
  };
  const auto named = [&](const char* verb, const char* help, Act act) {
    answer_with(*add(verb, help), status, [=] { return act_on(verb, act); });
  };
  named("rotate", "Add a version: what is encrypted from now on uses it, older objects still open",
        [](KeyManagement& keys, const std::string& key) {
          return keys.rotate(key, deadline_in(kPatience));
        });
  named("enable", "Let a disabled key work again", [](KeyManagement& keys, const std::string& key) {
    return keys.set_enabled(key, true, deadline_in(kPatience));
  });
  named("disable", "Refuse the key: objects under it cannot be read or written until it is enabled",
        [](KeyManagement& keys, const std::string& key) {
          return keys.set_enabled(key, false, deadline_in(kPatience));
        });

  CLI::App* const create = add("create", "Make a key");
  create->add_option("--account", *account,
                     "Whose it is, by name or id; without, the first account's");
  answer_with(*create, status, [=]() -> Result<Answer> {
    TRY(const Answer made, act_on("create", [](KeyManagement& keys, const std::string& key) {
          return keys.create(key, deadline_in(kPatience));
        }));
    if (account->empty()) return made;
    return with_access(*target, *account, [name](metadata::KeyStore& keys, const std::string& id) {
      return changed(*name, "create", keys.set_owner(*name, id, deadline_in(kPatience)));
    });
  });
  const auto of_account = [&](const char* verb, const char* help, AccessWork act) {
    CLI::App* sub = add(verb, help);
    sub->add_option("account", *account, "Name or id of the account")->required();
    answer_with(*sub, status, [=] { return with_access(*target, *account, act); });
    return sub;
  };
  of_account("owner", "Give the key to an account; grants on it end",
             [name](metadata::KeyStore& keys, const std::string& id) {
               return changed(*name, "owner", keys.set_owner(*name, id, deadline_in(kPatience)));
             });
  of_account("grant", "Let another account use the key",
             [name, operations](metadata::KeyStore& keys,
                                const std::string& id) -> async::Task<Result<Answer>> {
               CO_TRY(const uint8_t bits, operations_of(*operations));
               co_return co_await changed(*name, "grant",
                                          keys.set_grant(*name, id, bits, deadline_in(kPatience)));
             })
      ->add_option("--operations", *operations,
                   "decrypt, generate-data-key, encrypt, divided by ','")
      ->capture_default_str();
  of_account(
      "revoke", "End an account's grant", [name](metadata::KeyStore& keys, const std::string& id) {
        return changed(*name, "revoke", keys.set_grant(*name, id, 0, deadline_in(kPatience)));
      });
  answer_with(*kms->add_subcommand("access", "Owners of keys, and who else may use them"), status,
              [=] {
                return with_access(*target, "", [](metadata::KeyStore& keys, const std::string&) {
                  return list_access(keys);
                });
              });
}

}  // namespace rondel::cli
