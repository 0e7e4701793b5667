// VaultKeyManagement: named keys in HashiCorp Vault's transit secrets engine.
//
// Keys are made by Vault's own means or by create(); enabling and disabling is Vault's policy, not
// ours (kUnimplemented). The token is read from a file, and read again when Vault refuses it: on a
// thread of its own, so that a file system that hangs costs no more than the calls that wait for
// it; the destructor does not wait for it either. The context is sent along: a derived key binds
// it, any other key ignores it (the envelope binds the data key in any case). Source: "Transit
// secrets engine (API)", Vault.
#pragma once

#include <map>
#include <memory>
#include <vector>

#include "common/async/blocking_pool.h"
#include "common/async/budget.h"
#include "common/base/mutex.h"
#include "common/http/client.h"
#include "kms/key_management.h"

namespace rondel::kms {

struct VaultOptions {
  http::Endpoint endpoint;
  std::string token_file;  // One line.
  std::string mount = "transit";
  std::string name_space;                      // X-Vault-Namespace; empty = none.
  Duration timeout = std::chrono::seconds(2);  // Of one call; the caller's deadline may be earlier.
  size_t calls_max = 64;                       // At the same time; further ones wait.
};

// Where Vault is. Its answers hold keys in plain text and requests hold the token: kInvalidArgument
// for an http:// address that leaves this machine, unless `allow_http`; also when `ca_file` is
// given and cannot be read, or without https://. An empty `ca_file` believes whom the system
// believes.
Result<http::Endpoint> vault_endpoint(const std::string& address, const std::string& ca_file,
                                      bool allow_http);

// Destroyed after the loops that used it have ended, or on the only one.
class VaultKeyManagement final : public KeyManagement {
 public:
  explicit VaultKeyManagement(VaultOptions options);
  ~VaultKeyManagement() override;

  async::Task<Result<DataKey>> generate_data_key(std::string key, std::string context,
                                                 Deadline deadline) override;
  async::Task<Result<crypto::Secret>> unwrap(std::string key, std::string wrapped,
                                             std::string context, Deadline deadline) override;
  async::Task<Result<std::string>> rewrap(std::string key, std::string wrapped, std::string context,
                                          Deadline deadline) override;
  async::Task<Result<void>> check_usable(std::string key, std::string wrapped, std::string context,
                                         Deadline deadline) override;
  async::Task<Result<void>> create(std::string key, Deadline deadline) override;
  async::Task<Result<std::vector<KeyDescription>>> list(Deadline deadline) override;
  async::Task<Result<KeyDescription>> describe(std::string key, Deadline deadline) override;
  async::Task<Result<void>> rotate(std::string key, Deadline deadline) override;
  async::Task<Result<void>> set_enabled(std::string key, bool enabled, Deadline deadline) override;

 private:
  using Connection = std::unique_ptr<http::ClientConnection>;
  using Fields = std::vector<std::pair<std::string, std::string>>;  // Of a JSON body.

  // POST /v1/MOUNT/VERB/KEY; the answer's body, which the caller wipes when it holds a key.
  async::Task<Result<std::string>> call_key(std::string verb, std::string key, Fields body,
                                            Deadline deadline);
  async::Task<Result<std::string>> call(std::string method, std::string path, std::string body,
                                        Deadline deadline);
  async::Task<Result<http::ClientResponse>> send(const std::string& method, const std::string& path,
                                                 const std::string& body, Deadline deadline);
  // kUnavailable: the file is missing, empty, or was not read in time.
  async::Task<Result<crypto::Secret>> token(Deadline deadline);
  // False: the file says what is known already, or nothing in time.
  async::Task<bool> reload_token(Deadline deadline);
  Connection take_connection();
  void give_back(Connection connection);

  const VaultOptions options_;
  async::Budget calls_;
  Mutex mutex_;
  crypto::Secret token_ GUARDED_BY(mutex_);
  // A connection stays on its loop.
  std::map<async::EventLoop*, std::vector<Connection>> idle_ GUARDED_BY(mutex_);
  async::BlockingPool files_;
};

}  // namespace rondel::kms
