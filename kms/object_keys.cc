#include "kms/object_keys.h"

#include "common/base/assert.h"
#include "common/crypto/aead.h"
#include "common/crypto/digest.h"

namespace rondel::kms {
namespace {

// Nodes of the map and of the order, and what is inside of strings.
constexpr size_t kEntryBytes = 320;

// What key management binds a wrapped key to. Source of the idea: AWS gives the bucket alone for a
// bucket key, so that objects may share it.
std::string kms_context(const Envelope& envelope, int64_t bucket_id) {
  if (envelope.bucket_key) return "rondel bucket " + std::to_string(bucket_id);
  return "rondel object " + envelope.context;
}

}  // namespace

ObjectKeys::ObjectKeys(KeyManagement& own, KeyManagement& kms, ObjectKeysOptions options)
    : own_(own), kms_(kms), options_(std::move(options)) {}

std::string ObjectKeys::key_name(std::string_view key_id) const {
  if (key_id.starts_with("arn:")) {
    // arn:partition:kms:region:account:resource
    for (int colons = 0; colons < 5 && key_id.find(':') != std::string_view::npos; ++colons) {
      key_id.remove_prefix(key_id.find(':') + 1);
    }
    if (key_id.starts_with("key/")) return std::string(key_id.substr(4));
  }
  if (key_id == "alias/aws/s3") return options_.default_kms_key;
  if (key_id.starts_with("alias/")) key_id.remove_prefix(6);
  return std::string(key_id);
}

std::string ObjectKeys::wrapping_name(const Envelope& envelope) const {
  return envelope.mode == Mode::kSseS3 ? std::string(kSseS3Key) : key_name(envelope.key_id);
}

async::Task<Result<KeptKey>> ObjectKeys::make(Envelope wanted, Binding binding,
                                              crypto::Secret customer_key, crypto::Secret data_key,
                                              Deadline deadline) {
  KeptKey kept{std::move(wanted), data_key.empty() ? crypto::random_key() : std::move(data_key)};
  crypto::Secret wrapping;
  if (kept.envelope.mode == Mode::kSseC) {
    ASSERT(customer_key.size() == crypto::kAeadKeyBytes);
    wrapping = std::move(customer_key);
  } else {
    CO_TRY(DataKey made, co_await wrapping_key(kept.envelope, binding.bucket_id, deadline));
    wrapping = std::move(made.plaintext);
    kept.envelope.wrapped_key = std::move(made.wrapped);
  }
  kept.envelope.sealed_data_key = seal_data_key(wrapping, kept.data_key, kept.envelope, binding);
  co_return kept;
}

async::Task<Result<crypto::Secret>> ObjectKeys::open(Envelope envelope, Binding binding,
                                                     crypto::Secret customer_key,
                                                     Deadline deadline) {
  if (envelope.mode == Mode::kSseC) {
    ASSERT(customer_key.size() == crypto::kAeadKeyBytes);
    co_return open_data_key(customer_key, envelope, binding);
  }
  CO_TRY(const crypto::Secret wrapping, co_await unwrap(envelope, binding.bucket_id, deadline));
  auto data_key = open_data_key(wrapping, envelope, binding);
  // Nobody chose this key: the row is not what was written.
  if (!data_key) co_return fail(ErrorCode::kCorruption, data_key.error().message);
  co_return data_key;
}

async::Task<Result<Envelope>> ObjectKeys::renew(Envelope envelope, Deadline deadline) {
  ASSERT(envelope.mode != Mode::kSseC && !envelope.bucket_key);
  CO_TRY(envelope.wrapped_key, co_await management(envelope.mode)
                                   .rewrap(wrapping_name(envelope), envelope.wrapped_key,
                                           kms_context(envelope, 0), deadline));
  co_return envelope;
}

async::Task<Result<DataKey>> ObjectKeys::wrapping_key(const Envelope& envelope, int64_t bucket_id,
                                                      Deadline deadline) {
  KeyManagement& keys = management(envelope.mode);
  const std::string name = wrapping_name(envelope);
  // A client cannot name the key of SSE-S3.
  if (envelope.mode == Mode::kSseKms && name == kSseS3Key) {
    co_return fail(ErrorCode::kNotFound, "there is no key '" + name + "'");
  }
  const Name slot{bucket_id, name};
  if (envelope.bucket_key) {
    if (auto known = remembered(slot)) {
      const auto usable = co_await keys.check_usable(name, known->wrapped,
                                                     kms_context(envelope, bucket_id), deadline);
      if (usable) co_return *std::move(known);
      // The key is another one since: what it wrapped before nobody opens but we, and that for a
      // while.
      if (usable.error().code != ErrorCode::kCorruption) co_return std::unexpected(usable.error());
      forget(slot);
    }
  }
  CO_TRY(DataKey made,
         co_await keys.generate_data_key(name, kms_context(envelope, bucket_id), deadline));
  if (envelope.bucket_key) {
    remember(slot, made);
    remember({0, made.wrapped}, made);
  }
  co_return made;
}

async::Task<Result<crypto::Secret>> ObjectKeys::unwrap(const Envelope& envelope, int64_t bucket_id,
                                                       Deadline deadline) {
  KeyManagement& keys = management(envelope.mode);
  const std::string name = wrapping_name(envelope);
  if (envelope.bucket_key) {
    if (auto known = remembered({0, envelope.wrapped_key})) {
      CO_TRY_VOID(co_await keys.check_usable(name, envelope.wrapped_key,
                                             kms_context(envelope, bucket_id), deadline));
      co_return std::move(known->plaintext);
    }
  }
  CO_TRY(
      crypto::Secret plaintext,
      co_await keys.unwrap(name, envelope.wrapped_key, kms_context(envelope, bucket_id), deadline));
  if (envelope.bucket_key) remember({0, envelope.wrapped_key}, {plaintext, envelope.wrapped_key});
  co_return plaintext;
}

std::optional<DataKey> ObjectKeys::remembered(const Name& name) {
  MutexLock lock(mutex_);
  const auto found = bucket_keys_.find(name);
  if (found == bucket_keys_.end() || found->second.expires <= options_.clock->steady_now()) {
    return std::nullopt;
  }
  return DataKey{found->second.plaintext, found->second.wrapped};
}

void ObjectKeys::forget(const Name& name) {
  MutexLock lock(mutex_);
  const auto found = bucket_keys_.find(name);
  if (found == bucket_keys_.end()) return;
  bucket_keys_bytes_ -= found->second.bytes;
  bucket_keys_.erase(found);
  order_.remove(name);
}

void ObjectKeys::drop_oldest() {
  const auto oldest = bucket_keys_.find(order_.front());
  bucket_keys_bytes_ -= oldest->second.bytes;
  bucket_keys_.erase(oldest);
  order_.pop_front();
}

size_t ObjectKeys::bucket_keys_bytes() const {
  MutexLock lock(mutex_);
  return bucket_keys_bytes_;
}

// Entries leave in the order they came, which is the order they expire in. A client chooses how
// long the names of keys are, so bytes are counted.
void ObjectKeys::remember(Name name, const DataKey& key) {
  const SteadyTime now = options_.clock->steady_now();
  // The name is in the map and in the order.
  const size_t bytes =
      kEntryBytes + 2 * name.second.size() + key.wrapped.size() + key.plaintext.size();
  MutexLock lock(mutex_);
  while (!order_.empty() && bucket_keys_.at(order_.front()).expires <= now) drop_oldest();
  if (bytes > options_.bucket_keys_bytes_max || bucket_keys_.contains(name)) return;
  while (bucket_keys_bytes_ + bytes > options_.bucket_keys_bytes_max) drop_oldest();
  bucket_keys_[name] = {key.plaintext, key.wrapped, now + options_.bucket_key_life, bytes};
  bucket_keys_bytes_ += bytes;
  order_.push_back(std::move(name));
}

}  // namespace rondel::kms
