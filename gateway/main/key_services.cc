#include "gateway/main/key_services.h"

#include "kms/vault.h"

namespace rondel::gateway {

namespace {

Result<http::Endpoint> vault_endpoint(const config::Settings& settings, const std::string& ca_file) {
  return kms::vault_endpoint(settings.text("kms.vault_address"), ca_file, settings.flag("kms.vault_allow_http"));
}

}  // namespace

Result<void> check_key_settings(const config::Settings& settings) {
  if (settings.text("kms.provider") != "vault") return {};
  TRY(const http::Endpoint endpoint, vault_endpoint(settings, ""));   // Files are read later.
  (void)endpoint;
  if (settings.text("kms.vault_token_file").empty()) return fail(ErrorCode::kInvalidArgument, "kms.vault_token_file: Vault wants a token");
  if (settings.text("kms.vault_mount").empty()) return fail(ErrorCode::kInvalidArgument, "kms.vault_mount: must not be empty");
  return {};
}

Result<KeyServices> make_key_services(const config::Settings& settings, metadata::KeyStore& store, const std::string& master_key, const Clock& clock,
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
    kms::VaultOptions vault;
    TRY(vault.endpoint, vault_endpoint(settings, settings.text("kms.vault_ca_file")));
    vault.token_file = settings.text("kms.vault_token_file");
    vault.mount = settings.text("kms.vault_mount");
    vault.name_space = settings.text("kms.vault_namespace");
    vault.timeout = settings.duration("kms.timeout");
    services.vault = std::make_unique<kms::VaultKeyManagement>(std::move(vault));
    services.measured_vault = std::make_unique<kms::MeasuredKeyManagement>(*services.vault, "vault", registry);
  }
  kms::ObjectKeysOptions keys;
  keys.default_kms_key = default_key;
  keys.bucket_key_life = settings.duration("kms.bucket_key_life");
  keys.clock = &clock;
  services.measured_ring = std::make_unique<kms::MeasuredKeyManagement>(*services.ring, "ring", registry);
  kms::KeyManagement& kms = services.measured_vault ? *services.measured_vault : *services.measured_ring;
  services.object_keys = std::make_unique<kms::ObjectKeys>(*services.measured_ring, kms, std::move(keys));
  return services;
}

}  // namespace rondel::gateway
