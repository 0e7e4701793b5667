#include "cli/account_commands.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <optional>

#include "cli/database_target.h"
#include "cli/identities.h"
#include "common/program/secrets.h"

namespace rondel::cli {
namespace {

using Target = DatabaseTarget;

Result<Identities> open_identities(const Target& target) {
  TRY(const Database database, find_database(target));
  return Identities(database.dsn, database.master_key);
}

void print_account(const metadata::Account& account) {
  fmt::print("account       {}\nname          {}\ndisplay name  {}\ncanonical id  {}\nemail         {}\nstate         {}\n",
             account.id, account.name, account.display_name, account.canonical_id, account.email,
             account.enabled ? "enabled" : "disabled");
}

void print_key(const metadata::AccessKey& key) {
  fmt::print("access key    {}{}\nsecret key    {}\n", key.access_key, key.enabled ? "" : " (disabled)", key.secret_key);
}

int report(const Result<void>& result) {
  if (result) return 0;
  fmt::print(stderr, "rondel: {}\n", result.error().message);
  return 1;
}

Result<void> create(const Target& target, metadata::CreateAccount request) {
  request.secret_key = program::secret("RONDEL_SECRET_KEY");
  TRY(auto identities, open_identities(target));
  TRY(const metadata::Credential made, identities.create_account(request));
  print_account(made.account);
  print_key(made.key);
  return {};
}

Result<void> list(const Target& target) {
  TRY(auto identities, open_identities(target));
  TRY(const auto accounts, identities.list_accounts());
  for (const metadata::Account& account : accounts) {
    fmt::print("{}  {:<24} {:<24} {}\n", account.id, account.name, account.display_name,
               account.enabled ? "enabled" : "disabled");
  }
  return {};
}

Result<void> show(const Target& target, const std::string& name) {
  TRY(auto identities, open_identities(target));
  TRY(const metadata::Account account, identities.find_account(name));
  print_account(account);
  TRY(const auto keys, identities.list_keys(account.id));
  for (const metadata::AccessKey& key : keys) {
    fmt::print("access key    {}{}{}\n", key.access_key, key.is_root ? " (root)" : "", key.enabled ? "" : " (disabled)");
  }
  return {};
}

Result<void> enable(const Target& target, const std::string& name, bool enabled) {
  TRY(auto identities, open_identities(target));
  TRY(const metadata::Account account, identities.find_account(name));
  return identities.change_account(account.id, {.enabled = enabled});
}

// A new key beside the old ones; the old key is disabled or deleted once its users have moved.
Result<void> create_key(const Target& target, const std::string& name, const std::string& access_key) {
  const std::string secret = program::secret("RONDEL_SECRET_KEY");
  TRY(auto identities, open_identities(target));
  TRY(const metadata::Account account, identities.find_account(name));
  TRY(const metadata::AccessKey key, identities.create_key(account.id, access_key, secret));
  print_key(key);
  return {};
}

Result<void> change_key(const Target& target, const std::string& access_key, const std::string& what) {
  TRY(auto identities, open_identities(target));
  if (what == "delete") return identities.delete_key(access_key);
  return identities.set_key_enabled(access_key, what == "enable");
}

// Flags that are given change, the others stay.
struct BlockFlags {
  std::optional<bool> block_public_acls, ignore_public_acls, block_public_policy, restrict_public_buckets;
};

Result<void> public_access_block(const Target& target, const std::string& name, const BlockFlags& flags) {
  static constexpr const char* kNames[] = {"block-public-acls", "ignore-public-acls", "block-public-policy", "restrict-public-buckets"};
  TRY(auto identities, open_identities(target));
  TRY(const metadata::Account account, identities.find_account(name));
  const std::optional<bool> wanted[] = {flags.block_public_acls, flags.ignore_public_acls, flags.block_public_policy, flags.restrict_public_buckets};
  unsigned bits = account.public_access_block;
  for (unsigned i = 0; i < std::size(wanted); ++i) {
    if (wanted[i]) bits = *wanted[i] ? bits | 1u << i : bits & ~(1u << i);
  }
  if (bits != account.public_access_block) TRY_VOID(identities.change_account(account.id, {.public_access_block = static_cast<uint8_t>(bits)}));
  for (unsigned i = 0; i < std::size(wanted); ++i) fmt::print("{:<24} {}\n", kNames[i], (bits >> i & 1) != 0 ? "on" : "off");
  return {};
}

}  // namespace

void add_account_commands(CLI::App& app, int* status) {
  CLI::App* account = app.add_subcommand("account", "Accounts and their access keys")->require_subcommand(1);
  auto target = add_database_options(*account);

  auto request = std::make_shared<metadata::CreateAccount>();
  CLI::App* create_app = account->add_subcommand("create", "Make an account (secret from RONDEL_SECRET_KEY or made)");
  create_app->add_option("--name", request->name, "Unique name")->required();
  create_app->add_option("--display-name", request->display_name, "Shown as owner");
  create_app->add_option("--email", request->email, "E-mail address");
  create_app->add_option("--canonical-id", request->canonical_id, "Canonical id; made when absent");
  create_app->add_option("--access-key", request->access_key, "First access key; made when absent");
  create_app->callback([=] { *status = report(create(*target, *request)); });

  account->add_subcommand("list", "All accounts")->callback([=] { *status = report(list(*target)); });
  auto name = std::make_shared<std::string>();
  const auto named = [&](const char* verb, const char* help) {
    CLI::App* sub = account->add_subcommand(verb, help);
    sub->add_option("account", *name, "Name or 12-digit id")->required();
    return sub;
  };
  named("show", "One account and its keys")->callback([=] { *status = report(show(*target, *name)); });
  named("disable", "Refuse all its keys")->callback([=] { *status = report(enable(*target, *name, false)); });
  named("enable", "Accept its keys again")->callback([=] { *status = report(enable(*target, *name, true)); });

  auto flags = std::make_shared<BlockFlags>();
  CLI::App* block = named("public-access-block", "Show or change what all its buckets refuse to the public");
  block->add_option("--block-public-acls", flags->block_public_acls, "true: new public ACLs are refused");
  block->add_option("--ignore-public-acls", flags->ignore_public_acls, "true: public ACLs that are there count for nothing");
  block->add_option("--block-public-policy", flags->block_public_policy, "true: new public policies are refused");
  block->add_option("--restrict-public-buckets", flags->restrict_public_buckets, "true: buckets with a public policy are the owner's alone");
  block->callback([=] { *status = report(public_access_block(*target, *name, *flags)); });

  CLI::App* key = account->add_subcommand("key", "Access keys")->require_subcommand(1);
  auto key_id = std::make_shared<std::string>();
  CLI::App* key_create = key->add_subcommand("create", "A further key (rotation: then disable and delete the old one)");
  key_create->add_option("account", *name, "Name or id")->required();
  key_create->add_option("--access-key", *key_id, "Made when absent");
  key_create->callback([=] { *status = report(create_key(*target, *name, *key_id)); });
  for (const char* verb : {"enable", "disable", "delete"}) {
    CLI::App* sub = key->add_subcommand(verb, std::string(verb) + " a key");
    sub->add_option("access-key", *key_id, "The key's public id")->required();
    sub->callback([=] { *status = report(change_key(*target, *key_id, verb)); });
  }
}

}  // namespace rondel::cli
