#include "kms/key_ring.h"

#include <algorithm>

#include "common/base/assert.h"
#include "common/base/bytes.h"
#include "common/crypto/aead.h"
#include "common/crypto/digest.h"
#include "common/log/log.h"

namespace rondel::kms {
namespace {

constexpr size_t kNameBytesMax = 256;
constexpr size_t kVersionBytes = 4;
constexpr size_t kMasterKeyIdBytes = 8;
constexpr Duration kPollDeadline = std::chrono::seconds(5);

bool valid_name(std::string_view name) {
  const auto allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("_-./:").find(c) != std::string_view::npos;
  };
  return !name.empty() && name.size() <= kNameBytesMax && std::ranges::all_of(name, allowed);
}

std::string big_endian(uint32_t number) {
  std::byte bytes[kVersionBytes];
  store_be(bytes, number);
  return std::string(as_text(bytes));
}

std::string material_context(const std::string& name, uint32_t version) {
  return "rondel kms key 1" + big_endian(version) + name;
}

std::string wrapping_context(const std::string& name, uint32_t version, std::string_view context) {
  return "rondel wrapped key 1" + big_endian(version) +
         big_endian(static_cast<uint32_t>(name.size())) + name + std::string(context);
}

// The version's number, then the sealed data key.
std::string wrap(const crypto::Secret& material, const std::string& name, uint32_t version,
                 const crypto::Secret& data_key, std::string_view context) {
  auto sealed =
      crypto::seal(material.view(), data_key.view(), wrapping_context(name, version, context));
  ASSERT(sealed.has_value());
  return big_endian(version) + *sealed;
}

}  // namespace

KeyRing::KeyRing(metadata::KeyStore& store, KeyRingOptions options)
    : store_(store),
      options_(std::move(options)),
      master_key_id_(crypto::sha256(options_.master_key.view()).substr(0, kMasterKeyIdBytes)) {
  ASSERT(options_.master_key.size() == crypto::kAeadKeyBytes);
}

async::Task<void> KeyRing::run(async::TaskGroup& group) {
  while (!group.stopping()) {
    // What fails is tried again; requests notice by kUncertainLife.
    (void)co_await refresh(deadline_in(kPollDeadline));
    co_await group.pause(kPollEvery);
  }
}

async::Task<Result<void>> KeyRing::refresh(Deadline deadline) {
  Seen since;
  uint64_t behind = 0;
  {
    MutexLock lock(mutex_);
    since = seen_;
    if (!since.newest.empty()) behind = keys_.at(since.newest)->change - 1;
  }
  const SteadyTime asked_at = options_.clock->steady_now();
  CO_TRY(metadata::KmsKeyChanges changes, co_await store_.load(behind, deadline));
  const bool same = goes_on(changes, since);
  if (!same) {
    log::info("kms",
              "the keys are read anew: the database does not hold the last change that was seen",
              {});
    CO_TRY(changes, co_await store_.load(0, deadline));
  }

  std::map<std::string, KeyPointer> fresh;
  for (const metadata::KmsKey& row : changes.keys) {
    auto key = known_or_opened(row);
    // Made under another master key, or damaged: nothing can be had of it, and the others must work
    // on.
    if (!key) {
      log::error("kms", "a key cannot be opened",
                 {{"key", row.name}, {"error", key.error().message}});
    }
    fresh[row.name] = key ? *std::move(key) : unreadable(row, std::move(key).error());
  }

  MutexLock lock(mutex_);
  // Another refresh may have been told more meanwhile, or of another database.
  if (seen_.set_back != since.set_back || (same && changes.change < seen_.change)) {
    co_return Result<void>{};
  }
  if (!same) {
    keys_.clear();
    seen_ = {0, "", since.set_back + 1};
  }
  for (auto& [name, key] : fresh) {
    if (seen_.newest.empty() || key->change >= keys_.at(seen_.newest)->change) seen_.newest = name;
    keys_[name] = std::move(key);
  }
  seen_.change = changes.change;
  known_at_ = std::max(known_at_.value_or(asked_at), asked_at);
  co_return Result<void>{};
}

// The change that was seen last is still that of its key: numbers of changes are drawn at random,
// so a database that was set back since does not hold it. Neither does one where that key changed
// once more: then all keys are read, since they may have changed before that, too.
bool KeyRing::goes_on(const metadata::KmsKeyChanges& changes, const Seen& since) const {
  if (changes.change < since.change) return false;
  const KeyPointer known = since.newest.empty() ? nullptr : cached(since.newest);
  if (!known) return true;
  const auto found = std::ranges::find(changes.keys, since.newest, &metadata::KmsKey::name);
  return found != changes.keys.end() && found->change == known->change &&
         found->versions == known->sealed;
}

Result<KeyRing::KeyPointer> KeyRing::known_or_opened(const metadata::KmsKey& row) const {
  KeyPointer known = cached(row.name);
  if (known && known->change == row.change && known->enabled == row.enabled &&
      known->sealed == row.versions) {
    return known;
  }
  return opened(row);
}

async::Task<Result<void>> KeyRing::ensure_known(Deadline deadline) {
  bool known = false;
  {
    MutexLock lock(mutex_);
    known = known_at_ && options_.clock->steady_now() - *known_at_ <= kUncertainLife;
  }
  if (known) co_return Result<void>{};
  co_return co_await refresh(deadline);
}

Result<KeyRing::KeyPointer> KeyRing::opened(const metadata::KmsKey& row) const {
  auto key = described(row);
  for (const metadata::KmsKeyVersion& version : row.versions) {
    if (version.number != key->versions.size() + 1) {
      return fail(ErrorCode::kCorruption, "key '" + row.name + "' lacks a version");
    }
    auto material = crypto::open(options_.master_key.view(), version.sealed_material,
                                 material_context(row.name, version.number));
    if (!material) {
      return fail(ErrorCode::kCorruption,
                  "key '" + row.name + "' does not open with this master key");
    }
    key->versions.emplace_back(*std::move(material));
  }
  if (key->versions.empty()) {
    return fail(ErrorCode::kCorruption, "key '" + row.name + "' has no version");
  }
  return key;
}

std::shared_ptr<KeyRing::Key> KeyRing::described(const metadata::KmsKey& row) {
  auto key = std::make_shared<Key>();
  key->enabled = row.enabled;
  key->created_at = row.created_at;
  key->change = row.change;
  key->sealed = row.versions;
  key->newest_version = static_cast<uint32_t>(row.versions.size());
  return key;
}

KeyRing::KeyPointer KeyRing::unreadable(const metadata::KmsKey& row, Error why) {
  auto key = described(row);
  key->unreadable = std::move(why);
  return key;
}

KeyRing::KeyPointer KeyRing::cached(const std::string& name) const {
  MutexLock lock(mutex_);
  const auto found = keys_.find(name);
  return found == keys_.end() ? nullptr : found->second;
}

async::Task<Result<KeyRing::KeyPointer>> KeyRing::find(std::string name, Deadline deadline) {
  CO_TRY_VOID(co_await ensure_known(deadline));
  if (KeyPointer key = cached(name)) co_return key;
  if (!valid_name(name)) co_return fail(ErrorCode::kNotFound, "no key is called '" + name + "'");
  // It may have been made since the last poll.
  CO_TRY_VOID(co_await refresh(deadline));
  if (KeyPointer key = cached(name)) co_return key;
  if (std::ranges::find(options_.self_made, name) == options_.self_made.end()) {
    co_return fail(ErrorCode::kNotFound, "there is no key '" + name + "'");
  }
  auto made = co_await create(name, deadline);
  if (!made && made.error().code != ErrorCode::kAlreadyExists) {
    co_return std::unexpected(made.error());
  }
  CO_TRY_VOID(co_await refresh(deadline));
  KeyPointer key = cached(name);
  if (!key) {
    co_return fail(ErrorCode::kInternal, "the key '" + name + "' was made and is not there");
  }
  co_return key;
}

async::Task<Result<KeyRing::KeyPointer>> KeyRing::find_enabled(std::string name,
                                                               Deadline deadline) {
  CO_TRY(KeyPointer key, co_await find(name, deadline));
  if (key->unreadable) co_return std::unexpected(*key->unreadable);
  if (!key->enabled) co_return fail(ErrorCode::kPrecondition, "the key '" + name + "' is disabled");
  co_return key;
}

async::Task<Result<DataKey>> KeyRing::generate_data_key(std::string name, std::string context,
                                                        Deadline deadline) {
  CO_TRY(const KeyPointer key, co_await find_enabled(name, deadline));
  DataKey made{crypto::random_key(), {}};
  made.wrapped = wrap(key->versions.back(), name, static_cast<uint32_t>(key->versions.size()),
                      made.plaintext, context);
  co_return made;
}

async::Task<Result<crypto::Secret>> KeyRing::unwrap(std::string name, std::string wrapped,
                                                    std::string context, Deadline deadline) {
  CO_TRY(KeyPointer key, co_await find_enabled(name, deadline));
  if (wrapped.size() < kVersionBytes) {
    co_return fail(ErrorCode::kCorruption, "a wrapped key of impossible length");
  }
  const auto version = load_be<uint32_t>(as_bytes(wrapped).data());
  if (version > key->versions.size()) {
    // Another gateway rotated the key a moment ago.
    CO_TRY_VOID(co_await refresh(deadline));
    CO_TRY(key, co_await find_enabled(name, deadline));
  }
  if (version == 0 || version > key->versions.size()) {
    co_return fail(ErrorCode::kCorruption, "wrapped under a version that does not exist");
  }
  CO_TRY(std::string opened_key, crypto::open(key->versions[version - 1].view(),
                                              std::string_view(wrapped).substr(kVersionBytes),
                                              wrapping_context(name, version, context)));
  co_return crypto::Secret(std::move(opened_key));
}

async::Task<Result<std::string>> KeyRing::rewrap(std::string name, std::string wrapped,
                                                 std::string context, Deadline deadline) {
  CO_TRY(const crypto::Secret data_key,
         co_await unwrap(name, std::move(wrapped), context, deadline));
  CO_TRY(const KeyPointer key, co_await find_enabled(name, deadline));
  co_return wrap(key->versions.back(), name, static_cast<uint32_t>(key->versions.size()), data_key,
                 context);
}

async::Task<Result<void>> KeyRing::check_usable(std::string name, std::string wrapped,
                                                std::string context, Deadline deadline) {
  CO_TRY(const crypto::Secret opened,
         co_await unwrap(std::move(name), std::move(wrapped), std::move(context), deadline));
  (void)opened;
  co_return Result<void>{};
}

Result<std::string> KeyRing::sealed_material(const std::string& name, uint32_t version) const {
  return crypto::seal(options_.master_key.view(), crypto::random_key().view(),
                      material_context(name, version));
}

async::Task<Result<void>> KeyRing::create(std::string name, Deadline deadline) {
  if (!valid_name(name)) {
    co_return fail(ErrorCode::kInvalidArgument,
                   "a key's name has 1 to 256 of a-z A-Z 0-9 _ - . / :");
  }
  CO_TRY(std::string sealed, sealed_material(name, 1));
  co_return co_await store_.create(std::move(name), std::move(sealed), master_key_id_, deadline);
}

async::Task<Result<std::vector<KeyDescription>>> KeyRing::list(Deadline deadline) {
  CO_TRY_VOID(co_await refresh(deadline));
  std::vector<KeyDescription> out;
  MutexLock lock(mutex_);
  for (const auto& [name, key] : keys_) {
    out.push_back({name, key->enabled, !key->unreadable, key->newest_version, 1, key->created_at});
  }
  co_return out;
}

async::Task<Result<KeyDescription>> KeyRing::describe(std::string name, Deadline deadline) {
  CO_TRY_VOID(co_await refresh(deadline));
  const KeyPointer key = cached(name);
  if (!key) co_return fail(ErrorCode::kNotFound, "there is no key '" + name + "'");
  co_return KeyDescription{name, key->enabled,   !key->unreadable, key->newest_version,
                           1,    key->created_at};
}

async::Task<Result<void>> KeyRing::rotate(std::string name, Deadline deadline) {
  CO_TRY(const KeyDescription now, co_await describe(name, deadline));
  if (const KeyPointer key = cached(name); key && key->unreadable) {
    co_return std::unexpected(*key->unreadable);
  }
  const uint32_t next = now.newest_version + 1;
  CO_TRY(std::string sealed, sealed_material(name, next));
  CO_TRY_VOID(co_await store_.add_version(std::move(name), {next, std::move(sealed)},
                                          master_key_id_, deadline));
  co_return co_await refresh(deadline);
}

async::Task<Result<void>> KeyRing::set_enabled(std::string name, bool enabled, Deadline deadline) {
  CO_TRY_VOID(co_await store_.set_enabled(std::move(name), enabled, deadline));
  co_return co_await refresh(deadline);
}

}  // namespace rondel::kms
