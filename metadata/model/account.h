// Accounts own buckets and objects; access keys act for an account.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "common/base/clock.h"
#include "metadata/model/kms_key.h"

namespace rondel::metadata {

struct Account {
  std::string id;            // 12 digits.
  std::string canonical_id;  // 64 hexadecimal digits unless chosen.
  std::string display_name;
  std::string name;  // Unique, for people and the command line.
  std::string email;
  bool enabled = true;
  // Bits of the account's block on public access, as identity/access/access_settings.h has them;
  // for all its buckets.
  uint8_t public_access_block = 0;
  SystemTime created_at;

  bool operator==(const Account&) const = default;
};

// One of the three names that S3 has for an account, or (kAny) what people call it: its name, its
// id or its canonical id.
struct AccountName {
  enum class Kind : char {
    kId = 'i',
    kCanonicalId = 'c',
    kEmail = 'e',
    kAny = 'a'
  } kind = Kind::kId;
  std::string value;
};

struct AccessKey {
  std::string access_key;  // Public id.
  std::string secret_key;  // Opened; sealed at rest with the master key.
  std::string account_id;
  bool is_root = false;
  bool enabled = true;
  SystemTime created_at;
};

// An access key together with its account: what authentication needs.
struct Credential {
  AccessKey key;
  Account account;
  // The number that rises with whatever is taken from any credential, as it was when this one was
  // read.
  int64_t epoch = 0;
  KmsRights kms;
};

// About what it holds, in bytes.
inline size_t memory_bytes(const Account& account) {
  return sizeof(Account) + account.id.size() + account.canonical_id.size() +
         account.display_name.size() + account.name.size() + account.email.size();
}

inline size_t memory_bytes(const Credential& credential) {
  return sizeof(AccessKey) + credential.key.access_key.size() + credential.key.secret_key.size() +
         credential.key.account_id.size() + memory_bytes(credential.account);
}

}  // namespace rondel::metadata
