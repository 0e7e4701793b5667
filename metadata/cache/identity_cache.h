// IdentityCache: accounts and credentials as a gateway sees them, cached over an IdentityStore and
// kept fresh.
//
// As BucketCache: a change is seen within 1 s, so a revoked key stops working everywhere by then.
// Unknown keys and names are cached too; what no key or account can be called is asked nobody. At
// most kBytesMax of each. Secrets lie in it opened. Safe for concurrent use.
#pragma once

#include <memory>
#include <string>

#include "common/async/task.h"
#include "common/base/clock.h"
#include "common/base/result.h"
#include "metadata/cache/named_cache.h"
#include "metadata/model/account.h"
#include "metadata/store/directory_change.h"
#include "metadata/store/identity_store.h"

namespace rondel::metadata {

class IdentityCache {
 public:
  static constexpr size_t kBytesMax = 16 << 20;

  // Both outlive it. By `clock` entries grow old.
  IdentityCache(IdentityStore& store, const Clock& clock)
      : store_(store), credentials_(clock, kBytesMax), accounts_(clock, kBytesMax) {}

  // Null pointer: no such key. Disabled keys and accounts are returned: the caller refuses them.
  // Errors are those of IdentityStore, and are not cached.
  async::Task<Result<std::shared_ptr<const Credential>>> find_credential(std::string access_key,
                                                                         Deadline deadline);
  // The same, and not one that was read under `epoch`: for whom a commit told that it is old.
  async::Task<Result<std::shared_ptr<const Credential>>> find_newer_credential(
      std::string access_key, int64_t epoch, Deadline deadline);
  // Null pointer: no such account.
  async::Task<Result<std::shared_ptr<const Account>>> find_account(AccountName name,
                                                                   Deadline deadline);
  void hear(const DirectoryChange& change);

  size_t bytes() const { return credentials_.bytes() + accounts_.bytes(); }

 private:
  IdentityStore& store_;
  NamedCache<Credential> credentials_;
  NamedCache<Account> accounts_;  // By the kind of name, then the name.
};

}  // namespace rondel::metadata
