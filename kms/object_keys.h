// ObjectKeys: from an envelope to a data key and back, by whichever key management the mode asks
// for.
//
// SSE-S3 is always wrapped by our own key ring (a key of its own there), SSE-KMS by the key
// management that is configured, SSE-C by the key the client sends. With a bucket key, objects of a
// bucket share a wrapping key, which is kept unwrapped for a short while: the sole plaintext key
// that outlives its request. Safe for concurrent use from several loops.
#pragma once

#include <list>
#include <map>
#include <optional>

#include "common/base/mutex.h"
#include "kms/envelope.h"
#include "kms/key_management.h"

namespace rondel::kms {

inline constexpr std::string_view kSseS3Key = "rondel/sse-s3";

struct ObjectKeysOptions {
  std::string default_kms_key = "aws-s3";  // What alias/aws/s3 means.
  Duration bucket_key_life = std::chrono::minutes(5);
  size_t bucket_keys_bytes_max = 1 << 20;  // What all of them cost in memory.
  const Clock* clock = &real_clock();
};

// A data key with the envelope it is kept in.
struct KeptKey {
  Envelope envelope;
  crypto::Secret data_key;
};

class ObjectKeys {
 public:
  ObjectKeys(KeyManagement& own, KeyManagement& kms, ObjectKeysOptions options);

  // The name that key management knows the key by: of "NAME", "alias/NAME",
  // "arn:aws:kms:...:key/NAME", "arn:...:alias/NAME".
  std::string key_name(std::string_view key_id) const;

  // Whether the key is the cluster's, for whoever may read or write the object: what alias/aws/s3
  // means.
  bool is_shared(std::string_view key_id) const {
    return key_name(key_id) == options_.default_kms_key;
  }

  // Fills the wrapped and the sealed key of an envelope whose mode, key id, context and bucket key
  // say what is wanted, around `data_key` or (empty) a fresh one. `customer_key`: SSE-C, 32 bytes.
  // Errors: key_management.h.
  async::Task<Result<KeptKey>> make(Envelope wanted, Binding binding, crypto::Secret customer_key,
                                    crypto::Secret data_key, Deadline deadline);

  // kPermissionDenied: not this customer key (SSE-C). kCorruption: the envelope is not this
  // object's. Others: key_management.h.
  async::Task<Result<crypto::Secret>> open(Envelope envelope, Binding binding,
                                           crypto::Secret customer_key, Deadline deadline);

  // SSE-S3 and SSE-KMS without bucket key: the same wrapping key under the newest version of the
  // key it is wrapped by.
  async::Task<Result<Envelope>> renew(Envelope envelope, Deadline deadline);

  // What the bucket keys that are kept cost in memory; bucket_keys_bytes_max at most.
  size_t bucket_keys_bytes() const;

 private:
  struct BucketKey {
    crypto::Secret plaintext;
    std::string wrapped;
    SteadyTime expires;
    size_t bytes = 0;  // With its name and what keeps it.
  };

  // Bucket and key to make with; 0 and the wrapped key to open with.
  using Name = std::pair<int64_t, std::string>;

  KeyManagement& management(Mode mode) { return mode == Mode::kSseS3 ? own_ : kms_; }

  std::string wrapping_name(const Envelope& envelope) const;
  async::Task<Result<DataKey>> wrapping_key(const Envelope& envelope, int64_t bucket_id,
                                            Deadline deadline);
  async::Task<Result<crypto::Secret>> unwrap(const Envelope& envelope, int64_t bucket_id,
                                             Deadline deadline);
  std::optional<DataKey> remembered(const Name& name);
  void remember(Name name, const DataKey& key);
  void forget(const Name& name);
  void drop_oldest() REQUIRES(mutex_);

  KeyManagement& own_;
  KeyManagement& kms_;
  const ObjectKeysOptions options_;
  mutable Mutex mutex_;
  std::map<Name, BucketKey> bucket_keys_ GUARDED_BY(mutex_);
  std::list<Name> order_ GUARDED_BY(mutex_);  // Oldest first.
  size_t bucket_keys_bytes_ GUARDED_BY(mutex_) = 0;
};

}  // namespace rondel::kms
