// Directory: buckets, accounts and credentials as a gateway sees them, cached and kept fresh.
//
// A change made through any gateway is seen by all within 1 s (LISTEN/NOTIFY, and every entry is checked again after 1 s
// when no notification channel is up). Unknown names and keys are cached briefly too, in a bounded number. Safe for
// concurrent use.
#pragma once

#include <memory>
#include <string>

#include "common/async/task.h"
#include "common/base/clock.h"
#include "common/base/result.h"
#include "metadata/model/account.h"
#include "metadata/model/bucket.h"

namespace rondel::metadata {

class Directory {
 public:
  virtual ~Directory() = default;
  // Null pointer: no such bucket.
  virtual async::Task<Result<std::shared_ptr<const Bucket>>> find_bucket(std::string name, Deadline deadline) = 0;
  // Null pointer: no such key. Disabled keys and accounts are returned: the caller refuses them.
  virtual async::Task<Result<std::shared_ptr<const Credential>>> find_credential(std::string access_key,
                                                                                 Deadline deadline) = 0;
  // Null pointer: no such account.
  virtual async::Task<Result<std::shared_ptr<const Account>>> find_account(AccountName name, Deadline deadline) = 0;
  // After a commit said the cached settings are old, or after this gateway changed the bucket.
  virtual void forget_bucket(const std::string& name) = 0;
  // Before a refusal that rests on what is cached. True: it was cached for more than a millisecond and is forgotten, so ask again;
  // refusals by the thousand read a bucket no more often than that.
  virtual bool doubt_bucket(const std::string& name) = 0;
};

}  // namespace rondel::metadata
