#include "metadata/model/identity_rules.h"

#include <algorithm>
#include <utility>

#include "common/base/encoding.h"
#include "common/crypto/digest.h"

namespace rondel::metadata {
namespace {

constexpr size_t kAccessKeyCharacters = 20;
constexpr size_t kSecretBytes = 30;
constexpr size_t kCanonicalIdBytes = 32;
constexpr size_t kNameBytesMax = 256;

std::string made_from(std::string_view alphabet, size_t count) {
  std::string out;
  for (const char byte : crypto::random_bytes(count)) {
    out += alphabet[static_cast<unsigned char>(byte) % alphabet.size()];
  }
  return out;
}

std::string random_access_key() {
  return "RK" + made_from("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", kAccessKeyCharacters - 2);
}

std::string random_secret() { return to_base64(as_bytes(crypto::random_bytes(kSecretBytes))); }

std::string random_account_id() { return made_from("123456789", 1) + made_from("0123456789", 11); }

std::string random_canonical_id() {
  return to_hex(as_bytes(crypto::random_bytes(kCanonicalIdBytes)));
}

bool is_printable(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return c > ' ' && c < '\x7f'; });
}

// Access keys stand in Credential= of a signature, between slashes and commas.
Result<void> check_key(const AccessKey& key) {
  if (!can_be_access_key(key.access_key)) {
    return fail(ErrorCode::kInvalidArgument,
                "an access key has 3 to 128 printable characters without space, '/', ',' and '='");
  }
  if (key.secret_key.size() < 8 || key.secret_key.size() > 256) {
    return fail(ErrorCode::kInvalidArgument, "a secret key has 8 to 256 characters");
  }
  return {};
}

Result<void> check_names(const Account& account) {
  if (account.name.empty() || account.name.size() > 128) {
    return fail(ErrorCode::kInvalidArgument, "a name has 1 to 128 characters");
  }
  for (const std::string* text :
       {&account.name, &account.display_name, &account.email, &account.canonical_id}) {
    if (has_control_character(*text)) {
      return fail(ErrorCode::kInvalidArgument,
                  "what an account is called holds no control character");
    }
    if (text->size() > kNameBytesMax) {
      return fail(ErrorCode::kInvalidArgument, "what an account is called has at most 256 bytes");
    }
    if (!can_be_text(*text)) {
      return fail(ErrorCode::kInvalidArgument, "what an account is called is UTF-8");
    }
  }
  return {};
}

}  // namespace

bool can_be_text(std::string_view bytes) {
  return is_valid_utf8(bytes) && bytes.find('\0') == std::string_view::npos;
}

bool can_be_access_key(std::string_view text) {
  return text.size() >= 3 && text.size() <= 128 && is_printable(text) &&
         text.find_first_of("/,=") == std::string_view::npos;
}

bool can_be_account_name(std::string_view text) {
  return !text.empty() && text.size() <= kNameBytesMax && can_be_text(text);
}

Result<Account> new_account(std::string name, std::string display_name, std::string email,
                            std::string canonical_id) {
  Account account;
  account.id = random_account_id();
  account.display_name = display_name.empty() ? name : std::move(display_name);
  account.name = std::move(name);
  account.email = std::move(email);
  account.canonical_id = canonical_id.empty() ? random_canonical_id() : std::move(canonical_id);
  TRY_VOID(check_names(account));
  account.created_at = real_clock().now();
  return account;
}

Result<AccessKey> new_access_key(std::string account_id, std::string access_key,
                                 std::string secret) {
  AccessKey key;
  key.access_key = access_key.empty() ? random_access_key() : std::move(access_key);
  key.secret_key = secret.empty() ? random_secret() : std::move(secret);
  TRY_VOID(check_key(key));
  key.account_id = std::move(account_id);
  key.created_at = real_clock().now();
  return key;
}

}  // namespace rondel::metadata
