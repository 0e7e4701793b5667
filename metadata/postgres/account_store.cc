#include "metadata/store/account_store.h"

#include <algorithm>
#include <pqxx/pqxx>

#include "common/base/encoding.h"
#include "common/crypto/aead.h"
#include "common/crypto/digest.h"
#include "metadata/postgres/pg_connection.h"

namespace rondel::metadata {
namespace {

constexpr size_t kAccessKeyCharacters = 20;
constexpr size_t kSecretBytes = 30;

std::string made_from(std::string_view alphabet, size_t count) {
  std::string out;
  for (const char byte : crypto::random_bytes(count)) out += alphabet[static_cast<unsigned char>(byte) % alphabet.size()];
  return out;
}

std::string make_access_key() { return "RK" + made_from("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", kAccessKeyCharacters - 2); }
std::string make_secret() { return to_base64(as_bytes(crypto::random_bytes(kSecretBytes))); }
std::string make_account_id() { return made_from("123456789", 1) + made_from("0123456789", 11); }

bool is_printable(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return c > ' ' && c < '\x7f'; });
}

// Access keys stand in Credential= of a signature, between slashes and commas.
Result<void> check_key(const std::string& access_key, const std::string& secret) {
  if (access_key.size() < 3 || access_key.size() > 128 || !is_printable(access_key) ||
      access_key.find_first_of("/,=") != std::string::npos) {
    return fail(ErrorCode::kInvalidArgument, "an access key has 3 to 128 printable characters without space, '/', ',' and '='");
  }
  if (secret.size() < 8 || secret.size() > 256) return fail(ErrorCode::kInvalidArgument, "a secret key has 8 to 256 characters");
  return {};
}

Account read_account(const pqxx::row& row) {
  Account account;
  account.id = row["id"].as<std::string>();
  account.canonical_id = row["canonical_id"].as<std::string>();
  account.name = row["name"].as<std::string>();
  account.display_name = row["display_name"].as<std::string>();
  account.email = row["email"].as<std::string>();
  account.enabled = row["enabled"].as<bool>();
  account.public_access_block = static_cast<uint8_t>(row["public_access_block"].as<int>());
  account.created_at = SystemTime(std::chrono::microseconds(row["created_us"].as<int64_t>()));
  return account;
}

constexpr const char* kAccountColumns =
    "id, canonical_id, name, display_name, email, enabled, public_access_block, (extract(epoch from created_at) * 1000000)::bigint as created_us";

pqxx::binarystring binary(std::string_view text) { return pqxx::binarystring(text.data(), text.size()); }

class PqxxAccountStore final : public AccountStore {
 public:
  PqxxAccountStore(const std::string& dsn, std::string master_key) : connection_(primary_dsn(dsn)), master_key_(std::move(master_key)) {}

  Result<Credential> create_account(const CreateAccount& request) override {
    return guarded<Credential>([&](pqxx::work& work) -> Result<Credential> {
      if (request.name.empty() || request.name.size() > 128) return fail(ErrorCode::kInvalidArgument, "a name has 1 to 128 characters");
      for (const std::string* text : {&request.name, &request.display_name, &request.email, &request.canonical_id}) {
        if (has_control_character(*text)) return fail(ErrorCode::kInvalidArgument, "what an account is called holds no control character");
      }
      Credential made;
      made.account.id = make_account_id();
      made.account.name = request.name;
      made.account.display_name = request.display_name.empty() ? request.name : request.display_name;
      made.account.email = request.email;
      made.account.canonical_id =
          request.canonical_id.empty() ? to_hex(as_bytes(crypto::random_bytes(32))) : request.canonical_id;
      made.account.created_at = real_clock().now();
      work.exec_params("insert into accounts (id, canonical_id, name, display_name, email) values ($1, $2, $3, $4, $5)",
                       made.account.id, made.account.canonical_id, made.account.name, made.account.display_name, made.account.email);
      TRY(made.key, insert_key(work, made.account.id, request.access_key, request.secret_key, true));
      return made;
    });
  }

  Result<std::vector<Account>> list_accounts() override {
    return guarded<std::vector<Account>>([&](pqxx::work& work) -> Result<std::vector<Account>> {
      std::vector<Account> accounts;
      for (const pqxx::row row : work.exec(std::string("select ") + kAccountColumns + " from accounts order by name")) {
        accounts.push_back(read_account(row));
      }
      return accounts;
    });
  }

  Result<Account> find_account(const std::string& name_or_id) override {
    return guarded<Account>([&](pqxx::work& work) -> Result<Account> {
      const pqxx::result rows = work.exec_params(
          std::string("select ") + kAccountColumns + " from accounts where name = $1 or id = $1 or canonical_id = $1", name_or_id);
      if (rows.empty()) return fail(ErrorCode::kNotFound, "there is no account '" + name_or_id + "'");
      return read_account(rows[0]);
    });
  }

  Result<std::vector<AccessKey>> list_keys(const std::string& account_id) override {
    return guarded<std::vector<AccessKey>>([&](pqxx::work& work) -> Result<std::vector<AccessKey>> {
      std::vector<AccessKey> keys;
      const pqxx::result rows = work.exec_params(
          "select access_key, sealed_secret, is_root, enabled, (extract(epoch from created_at) * 1000000)::bigint as created_us"
          " from access_keys where account_id = $1 order by created_at, access_key", account_id);
      for (const pqxx::row row : rows) {
        AccessKey key;
        key.access_key = row["access_key"].as<std::string>();
        const pqxx::binarystring sealed(row["sealed_secret"]);
        TRY(key.secret_key, crypto::open(master_key_, sealed.str(), key.access_key));
        key.account_id = account_id;
        key.is_root = row["is_root"].as<bool>();
        key.enabled = row["enabled"].as<bool>();
        key.created_at = SystemTime(std::chrono::microseconds(row["created_us"].as<int64_t>()));
        keys.push_back(std::move(key));
      }
      return keys;
    });
  }

  Result<void> set_public_access_block(const std::string& account_id, uint8_t bits) override {
    return change("update accounts set public_access_block = $2 where id = $1", "account", account_id, int{bits});
  }

  Result<void> set_account_enabled(const std::string& account_id, bool enabled) override {
    return change("update accounts set enabled = $2 where id = $1", "account", account_id, enabled);
  }

  Result<AccessKey> create_key(const std::string& account_id, std::string access_key, std::string secret) override {
    return guarded<AccessKey>([&](pqxx::work& work) { return insert_key(work, account_id, access_key, secret, false); });
  }

  Result<void> set_key_enabled(const std::string& access_key, bool enabled) override {
    return change("update access_keys set enabled = $2 where access_key = $1", "access key", access_key, enabled);
  }

  Result<void> delete_key(const std::string& access_key) override {
    return change("delete from access_keys where access_key = $1 and $2", "access key", access_key, true);
  }

 private:
  Result<AccessKey> insert_key(pqxx::work& work, const std::string& account_id, std::string access_key, std::string secret, bool root) {
    AccessKey key;
    key.access_key = access_key.empty() ? make_access_key() : std::move(access_key);
    key.secret_key = secret.empty() ? make_secret() : std::move(secret);
    TRY_VOID(check_key(key.access_key, key.secret_key));
    key.account_id = account_id;
    key.is_root = root;
    key.created_at = real_clock().now();
    TRY(const std::string sealed, crypto::seal(master_key_, key.secret_key, key.access_key));
    const std::string master_key_id = crypto::sha256(master_key_).substr(0, 8);
    work.exec_params("insert into access_keys (access_key, account_id, sealed_secret, master_key_id, is_root) values ($1, $2, $3, $4, $5)",
                     key.access_key, account_id, binary(sealed), binary(master_key_id), root);
    return key;
  }

  template <class Value>
  Result<void> change(const char* sql, const char* kind, const std::string& name, Value value) {
    return guarded<void>([&](pqxx::work& work) -> Result<void> {
      if (work.exec_params(sql, name, value).affected_rows() == 0) {
        return fail(ErrorCode::kNotFound, std::string("there is no ") + kind + " '" + name + "'");
      }
      return {};
    });
  }

  template <class T, class F>
  Result<T> guarded(F function) {
    try {
      pqxx::work work(connection_);
      Result<T> result = function(work);
      if (result) work.commit();
      return result;
    } catch (const pqxx::unique_violation& error) {
      return fail(ErrorCode::kAlreadyExists, describe(error.what()));
    } catch (const pqxx::foreign_key_violation&) {
      return fail(ErrorCode::kNotFound, "there is no such account");
    } catch (const pqxx::broken_connection& error) {
      return fail(ErrorCode::kUnavailable, error.what());
    } catch (const std::exception& error) {
      return fail(ErrorCode::kInternal, error.what());
    }
  }

  // PostgreSQL: Key (name)=(second) already exists.
  static std::string taken_value(std::string_view message) {
    const size_t begin = message.find(")=(");
    const size_t end = begin == std::string_view::npos ? begin : message.find(')', begin + 3);
    return end == std::string_view::npos ? "" : ": " + std::string(message.substr(begin + 3, end - begin - 3));
  }

  static std::string describe(std::string_view message) {
    for (const auto& [constraint, what] : {std::pair{"accounts_name_key", "name"}, {"accounts_email", "e-mail address"},
                                           {"accounts_canonical_id_key", "canonical id"}, {"access_keys_pkey", "access key"}}) {
      if (message.find(constraint) != std::string_view::npos) return std::string("this ") + what + " is taken" + taken_value(message);
    }
    return "it exists already";
  }

  pqxx::connection connection_;
  const std::string master_key_;
};

}  // namespace

Result<std::unique_ptr<AccountStore>> AccountStore::open(const std::string& dsn, const std::string& master_key) {
  try {
    return std::make_unique<PqxxAccountStore>(dsn, master_key);
  } catch (const std::exception& error) {
    return fail(ErrorCode::kUnavailable, error.what());
  }
}

}  // namespace rondel::metadata
