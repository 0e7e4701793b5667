#include "cli/account_commands.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <optional>

#include "cli/answer.h"
#include "cli/database_target.h"
#include "cli/identities.h"
#include "cli/local_cluster.h"
#include "common/program/secrets.h"

namespace rondel::cli {
namespace {

namespace json = boost::json;

using Target = DatabaseTarget;

Result<Identities> open_identities(const Target& target) {
  TRY(const Database database, find_database(target));
  return Identities(database.dsn, database.master_key);
}

json::object account_object(const metadata::Account& account) {
  return {{"id", account.id},
          {"name", account.name},
          {"display_name", account.display_name},
          {"canonical_id", account.canonical_id},
          {"email", account.email},
          {"enabled", account.enabled}};
}

// Without the secret, which is shown once, by who made it.
json::object key_object(const metadata::AccessKey& key) {
  return {{"access_key", key.access_key},
          {"root", key.is_root},
          {"enabled", key.enabled},
          {"created_at", time_text(key.created_at)}};
}

std::string account_text(const metadata::Account& account) {
  return fmt::format(
      "account       {}\nname          {}\ndisplay name  {}\ncanonical id  {}\nemail         {}\n"
      "state         {}\n",
      account.id, account.name, account.display_name, account.canonical_id, account.email,
      account.enabled ? "enabled" : "disabled");
}

// Of a key that was made now.
std::string key_text(const metadata::AccessKey& key) {
  return fmt::format("access key    {}\nsecret key    {}\n", key.access_key, key.secret_key);
}

json::object made_key_object(const metadata::AccessKey& key) {
  json::object object = key_object(key);
  object["secret_key"] = key.secret_key;
  return object;
}

Result<Answer> create(const Target& target, metadata::CreateAccount request) {
  request.secret_key = program::secret("RONDEL_SECRET_KEY");
  TRY(auto identities, open_identities(target));
  TRY(const metadata::Credential made, identities.create_account(request));
  json::object object = account_object(made.account);
  object["key"] = made_key_object(made.key);
  return Answer{account_text(made.account) + key_text(made.key), std::move(object)};
}

Result<Answer> list(const Target& target) {
  TRY(auto identities, open_identities(target));
  TRY(const auto accounts, identities.list_accounts());
  Answer answer;
  json::array all;
  for (const metadata::Account& account : accounts) {
    answer.text += fmt::format("{}  {:<24} {:<24} {}\n", account.id, account.name,
                               account.display_name, account.enabled ? "enabled" : "disabled");
    all.push_back(account_object(account));
  }
  answer.json = json::object{{"accounts", std::move(all)}};
  return answer;
}

Result<Answer> show(const Target& target, const std::string& name) {
  TRY(auto identities, open_identities(target));
  TRY(const metadata::Account account, identities.find_account(name));
  TRY(const auto keys, identities.list_keys(account.id));
  std::string text = account_text(account);
  json::array all;
  for (const metadata::AccessKey& key : keys) {
    text += fmt::format("access key    {}{}{}\n", key.access_key, key.is_root ? " (root)" : "",
                        key.enabled ? "" : " (disabled)");
    all.push_back(key_object(key));
  }
  json::object object = account_object(account);
  object["keys"] = std::move(all);
  return Answer{std::move(text), std::move(object)};
}

Result<Answer> enable(const Target& target, const std::string& name, bool enabled) {
  TRY(auto identities, open_identities(target));
  TRY(metadata::Account account, identities.find_account(name));
  TRY_VOID(identities.change_account(account.id, {.enabled = enabled}));
  account.enabled = enabled;
  return Answer{"", account_object(account)};
}

// A new key beside the old ones; the old key is disabled or deleted once its users have moved.
Result<Answer> create_key(const Target& target, const std::string& name,
                          const std::string& access_key) {
  const std::string secret = program::secret("RONDEL_SECRET_KEY");
  TRY(auto identities, open_identities(target));
  TRY(const metadata::Account account, identities.find_account(name));
  TRY(const metadata::AccessKey key, identities.create_key(account.id, access_key, secret));
  return Answer{key_text(key), made_key_object(key)};
}

Result<Answer> change_key(const Target& target, const std::string& access_key,
                          const std::string& what, bool force) {
  TRY(auto identities, open_identities(target));
  const metadata::LastKey last = force ? metadata::LastKey::kMayGo : metadata::LastKey::kStays;
  auto done = what == "delete" ? identities.delete_key(access_key, last)
                               : identities.set_key_enabled(access_key, what == "enable", last);
  if (!done && done.error().code == ErrorCode::kPrecondition) {
    done.error().message += "; --force does it";
  }
  if (!done) return std::unexpected(std::move(done).error());
  if (target.dsn.empty()) TRY_VOID(rewrite_environment(target.data, identities));
  return Answer{"", json::object{{"access_key", access_key}, {"done", what}}};
}

// Flags that are given change, the others stay.
struct BlockFlags {
  std::optional<bool> block_public_acls, ignore_public_acls, block_public_policy,
      restrict_public_buckets;
};

Result<Answer> public_access_block(const Target& target, const std::string& name,
                                   const BlockFlags& flags) {
  static constexpr const char* kNames[] = {"block-public-acls", "ignore-public-acls",
                                           "block-public-policy", "restrict-public-buckets"};
  TRY(auto identities, open_identities(target));
  TRY(const metadata::Account account, identities.find_account(name));
  const std::optional<bool> wanted[] = {flags.block_public_acls, flags.ignore_public_acls,
                                        flags.block_public_policy, flags.restrict_public_buckets};
  unsigned bits = account.public_access_block;
  for (unsigned i = 0; i < std::size(wanted); ++i) {
    if (wanted[i]) bits = *wanted[i] ? bits | 1u << i : bits & ~(1u << i);
  }
  if (bits != account.public_access_block) {
    TRY_VOID(
        identities.change_account(account.id, {.public_access_block = static_cast<uint8_t>(bits)}));
  }
  Answer answer;
  json::object object;
  for (unsigned i = 0; i < std::size(wanted); ++i) {
    const bool on = (bits >> i & 1) != 0;
    answer.text += fmt::format("{:<24} {}\n", kNames[i], on ? "on" : "off");
    object[kNames[i]] = on;
  }
  answer.json = std::move(object);
  return answer;
}

}  // namespace

void add_account_commands(CLI::App& app, int* status) {
  CLI::App* account =
      app.add_subcommand("account", "Accounts and their access keys")->require_subcommand(1);
  auto target = add_database_options(*account);

  auto request = std::make_shared<metadata::CreateAccount>();
  CLI::App* create_app =
      account->add_subcommand("create", "Make an account (secret from RONDEL_SECRET_KEY or made)");
  create_app->add_option("--name", request->name, "Unique name")->required();
  create_app->add_option("--display-name", request->display_name, "Shown as owner");
  create_app->add_option("--email", request->email, "E-mail address");
  create_app->add_option("--canonical-id", request->canonical_id, "Canonical id; made when absent");
  create_app->add_option("--access-key", request->access_key, "First access key; made when absent");
  answer_with(*create_app, status, [=] { return create(*target, *request); });

  answer_with(*account->add_subcommand("list", "All accounts"), status,
              [=] { return list(*target); });
  auto name = std::make_shared<std::string>();
  const auto named = [&](const char* verb, const char* help) {
    CLI::App* sub = account->add_subcommand(verb, help);
    sub->add_option("account", *name, "Name or 12-digit id")->required();
    return sub;
  };
  answer_with(*named("show", "One account and its keys"), status,
              [=] { return show(*target, *name); });
  answer_with(*named("disable", "Refuse all its keys"), status,
              [=] { return enable(*target, *name, false); });
  answer_with(*named("enable", "Accept its keys again"), status,
              [=] { return enable(*target, *name, true); });

  auto flags = std::make_shared<BlockFlags>();
  CLI::App* block =
      named("public-access-block", "Show or change what all its buckets refuse to the public");
  block->add_option("--block-public-acls", flags->block_public_acls,
                    "true: new public ACLs are refused");
  block->add_option("--ignore-public-acls", flags->ignore_public_acls,
                    "true: public ACLs that are there count for nothing");
  block->add_option("--block-public-policy", flags->block_public_policy,
                    "true: new public policies are refused");
  block->add_option("--restrict-public-buckets", flags->restrict_public_buckets,
                    "true: buckets with a public policy are the owner's alone");
  answer_with(*block, status, [=] { return public_access_block(*target, *name, *flags); });

  CLI::App* key = account->add_subcommand("key", "Access keys")->require_subcommand(1);
  auto key_id = std::make_shared<std::string>();
  CLI::App* key_create = key->add_subcommand(
      "create", "A further key (rotation: then disable and delete the old one)");
  key_create->add_option("account", *name, "Name or id")->required();
  key_create->add_option("--access-key", *key_id, "Made when absent");
  answer_with(*key_create, status, [=] { return create_key(*target, *name, *key_id); });
  auto force = std::make_shared<bool>(false);
  for (const char* verb : {"enable", "disable", "delete"}) {
    CLI::App* sub = key->add_subcommand(verb, std::string(verb) + " a key");
    sub->add_option("access-key", *key_id, "The key's public id")->required();
    if (verb != std::string_view("enable")) {
      sub->add_flag("--force", *force, "Also the last enabled key of its account");
    }
    const std::string what = verb;
    answer_with(*sub, status, [=] { return change_key(*target, *key_id, what, *force); });
  }
}

}  // namespace rondel::cli
