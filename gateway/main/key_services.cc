#include "gateway/main/key_services.h"

#include "common/async/event_loop.h"
#include "common/log/log.h"
#include "kms/vault.h"
#include "metadata/operator/key_check.h"

namespace rondel::gateway {

namespace {

constexpr auto kVaultPatience = std::chrono::seconds(5);

Result<http::Endpoint> vault_endpoint(const config::Settings& settings,
                                      const std::string& ca_file) {
  return kms::vault_endpoint(settings.text("kms.vault_address"), ca_file,
                             settings.flag("kms.vault_allow_http"));
}

Result<kms::VaultOptions> vault_options(const config::Settings& settings) {
  kms::VaultOptions vault;
  TRY(vault.endpoint, vault_endpoint(settings, settings.text("kms.vault_ca_file")));
  vault.token_file = settings.text("kms.vault_token_file");
  vault.mount = settings.text("kms.vault_mount");
  vault.name_space = settings.text("kms.vault_namespace");
  vault.timeout = settings.duration("kms.timeout");
  return vault;
}

constexpr const char* kCheckName = "vault";
constexpr const char* kCheckContext = "rondel key check";

// "KEY\nWRAPPED": by the default key of when it was made.
async::Task<Result<std::string>> wrap_check(kms::VaultOptions options, std::string key) {
  kms::VaultKeyManagement vault(std::move(options));
  CO_TRY(const kms::DataKey made,
         co_await vault.generate_data_key(key, kCheckContext, deadline_in(kVaultPatience)));
  co_return key + "\n" + made.wrapped;
}

async::Task<Result<void>> unwrap_check(kms::VaultOptions options, std::string check) {
  kms::VaultKeyManagement vault(std::move(options));
  const size_t end = check.find('\n');
  CO_TRY_VOID(co_await vault.unwrap(check.substr(0, end), check.substr(end + 1), kCheckContext,
                                    deadline_in(kVaultPatience)));
  co_return Result<void>{};
}

}  // namespace

Result<void> check_vault(const config::Settings& settings) {
  if (settings.text("kms.provider") != "vault") return {};
  const std::string& dsn = settings.text("metadata.dsn");
  TRY(const kms::VaultOptions options, vault_options(settings));
  TRY(std::string check, metadata::find_key_check(dsn, kCheckName));
  if (check.empty()) {
    auto made = async::block_on(wrap_check(options, settings.text("kms.default_key")));
    if (!made) {
      log::warn("kms", "Vault cannot be asked whether it is the one of this cluster",
                {{"error", made.error().message}});
      return {};
    }
    TRY(check, metadata::settle_key_check(dsn, kCheckName, *made));
    if (check == *made) return {};
  }
  const auto known = async::block_on(unwrap_check(options, check));
  if (known) return {};
  const ErrorCode code = known.error().code;
  if (code != ErrorCode::kCorruption && code != ErrorCode::kNotFound) {
    log::warn("kms", "Vault cannot be asked whether it is the one of this cluster",
              {{"error", known.error().message}});
    return {};
  }
  return fail(ErrorCode::kPrecondition,
              "kms.vault_address: this Vault, or its kms.vault_mount, is not the one that the "
              "cluster's keys are in: " +
                  known.error().message);
}

Result<void> check_key_settings(const config::Settings& settings) {
  if (settings.text("kms.provider") != "vault") return {};
  TRY(const http::Endpoint endpoint, vault_endpoint(settings, ""));  // Files are read later.
  (void)endpoint;
  if (settings.text("kms.vault_token_file").empty()) {
    return fail(ErrorCode::kInvalidArgument, "kms.vault_token_file: Vault wants a token");
  }
  if (settings.text("kms.vault_mount").empty()) {
    return fail(ErrorCode::kInvalidArgument, "kms.vault_mount: must not be empty");
  }
  return {};
}

Result<KeyServices> make_key_services(const config::Settings& settings, metadata::KeyStore& store,
                                      const std::string& master_key, const Clock& clock,
                                      metrics::Registry& registry) {
  TRY_VOID(check_key_settings(settings));
  const std::string& default_key = settings.text("kms.default_key");
  const bool by_vault = settings.text("kms.provider") == "vault";
  KeyServices services;
  kms::KeyRingOptions ring;
  ring.master_key = crypto::Secret(master_key);
  ring.self_made = {std::string(kms::kSseS3Key)};
  if (!by_vault) ring.self_made.push_back(default_key);
  ring.clock = &clock;
  services.ring = std::make_unique<kms::KeyRing>(store, std::move(ring));
  if (by_vault) {
    TRY(kms::VaultOptions vault, vault_options(settings));
    services.vault = std::make_unique<kms::VaultKeyManagement>(std::move(vault));
    services.measured_vault =
        std::make_unique<kms::MeasuredKeyManagement>(*services.vault, "vault", registry);
  }
  kms::ObjectKeysOptions keys;
  keys.default_kms_key = default_key;
  keys.bucket_key_life = settings.duration("kms.bucket_key_life");
  keys.clock = &clock;
  services.measured_ring =
      std::make_unique<kms::MeasuredKeyManagement>(*services.ring, "ring", registry);
  kms::KeyManagement& kms =
      services.measured_vault ? *services.measured_vault : *services.measured_ring;
  services.object_keys =
      std::make_unique<kms::ObjectKeys>(*services.measured_ring, kms, std::move(keys));
  return services;
}

}  // namespace rondel::gateway
