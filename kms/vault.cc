#include "kms/vault.h"

#include <algorithm>
#include <boost/json.hpp>
#include <fstream>

#include "common/async/event_loop.h"
#include "common/base/encoding.h"
#include "common/base/numbers.h"
#include "common/crypto/aead.h"

namespace rondel::kms {
namespace {

namespace json = boost::json;

constexpr size_t kIdleMax = 4;  // Kept connections of a loop.
constexpr size_t kWrappedBytesMax = 4096;
constexpr size_t kNameBytesMax = 256;

// A name stands in a path of Vault's API: nothing that would mean something there. Vault's own
// rule.
bool valid_name(std::string_view name) {
  const auto word = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
  };
  return !name.empty() && name.size() <= kNameBytesMax && word(name.front()) && word(name.back()) &&
         std::ranges::all_of(name, [&](char c) { return word(c) || c == '-' || c == '.'; });
}

// The member `data` of an answer.
std::optional<json::object> data_of(std::string_view body) {
  json::error_code error;
  json::value document = json::parse(body, error);
  if (error || !document.is_object()) return std::nullopt;
  const json::value* data = document.as_object().if_contains("data");
  if (data == nullptr || !data->is_object()) return std::nullopt;
  return data->as_object();
}

std::string text_of(const json::object& object, std::string_view name) {
  const json::value* value = object.if_contains(name);
  return value != nullptr && value->is_string() ? std::string(value->as_string()) : std::string();
}

int64_t number_of(const json::object& object, std::string_view name) {
  const json::value* value = object.if_contains(name);
  return value != nullptr && value->is_int64() ? value->as_int64() : 0;
}

std::unexpected<Error> malformed() {
  return fail(ErrorCode::kInternal, "Vault's answer is not what its API describes");
}

Result<crypto::Secret> key_of(const json::object& data) {
  auto bytes = from_base64(text_of(data, "plaintext"));
  if (!bytes || bytes->size() != crypto::kAeadKeyBytes) return malformed();
  return crypto::Secret(*std::move(bytes));
}

Result<std::string> ciphertext_of(const json::object& data) {
  std::string text = text_of(data, "ciphertext");
  if (text.empty() || text.size() > kWrappedBytesMax) return malformed();
  return text;
}

// What Vault says in `errors`: its words, for our log.
std::string reasons_of(std::string_view body) {
  json::error_code error;
  const json::value document = json::parse(body, error);
  if (error || !document.is_object()) return {};
  const json::value* list = document.as_object().if_contains("errors");
  std::string out;
  if (list == nullptr || !list->is_array()) return out;
  for (const json::value& entry : list->as_array()) {
    if (entry.is_string()) out += (out.empty() ? "" : "; ") + std::string(entry.as_string());
  }
  return out;
}

Error error_of(const http::ClientResponse& response) {
  const std::string reasons = reasons_of(response.body);
  const std::string message =
      "Vault answers " + std::to_string(response.status) + (reasons.empty() ? "" : ": " + reasons);
  const auto says = [&](std::string_view words) {
    return reasons.find(words) != std::string::npos;
  };
  switch (response.status) {
    case 400:
      if (says("key not found") || says("no existing key")) return {ErrorCode::kNotFound, message};
      // A version that Vault may not open any more is no other key.
      if (says("disallowed by policy")) return {ErrorCode::kPermissionDenied, message};
      if (says("ciphertext") || says("authentication failed")) {
        return {ErrorCode::kCorruption, message};
      }
      return {ErrorCode::kInvalidArgument, message};
    case 403: return {ErrorCode::kPermissionDenied, message};
    case 404: return {ErrorCode::kNotFound, message};
    case 429: return {ErrorCode::kResourceExhausted, message};
    default:
      return {response.status >= 500 ? ErrorCode::kUnavailable : ErrorCode::kInternal, message};
  }
}

}  // namespace

Result<http::Endpoint> vault_endpoint(const std::string& address, const std::string& ca_file,
                                      bool allow_http) {
  TRY(http::Endpoint endpoint, http::Endpoint::parse(address));
  if (!endpoint.tls && !endpoint.is_loopback() && !allow_http) {
    return fail(ErrorCode::kInvalidArgument, address +
                                                 ": keys would cross the network in plain text; "
                                                 "use https://, or allow http:// explicitly");
  }
  if (ca_file.empty()) return endpoint;
  if (!endpoint.tls) {
    return fail(ErrorCode::kInvalidArgument, address + ": a CA file is for https://");
  }
  TRY_VOID(http::check_ca_file(ca_file));
  endpoint.ca_file = ca_file;
  return endpoint;
}

VaultKeyManagement::VaultKeyManagement(VaultOptions options)
    : options_(std::move(options)),
      calls_(options_.calls_max),
      files_("token file", 1, options_.calls_max, async::BlockingPool::Ending::kLeave) {}

VaultKeyManagement::~VaultKeyManagement() = default;

async::Task<Result<DataKey>> VaultKeyManagement::generate_data_key(std::string key,
                                                                   std::string context,
                                                                   Deadline deadline) {
  Fields body{{"bits", "256"}, {"context", to_base64(as_bytes(context))}};
  CO_TRY(const std::string answer,
         co_await call_key("datakey/plaintext", std::move(key), std::move(body), deadline));
  const auto data = data_of(answer);
  if (!data) co_return malformed();
  DataKey made;
  CO_TRY(made.plaintext, key_of(*data));
  CO_TRY(made.wrapped, ciphertext_of(*data));
  co_return made;
}

async::Task<Result<crypto::Secret>> VaultKeyManagement::unwrap(std::string key, std::string wrapped,
                                                               std::string context,
                                                               Deadline deadline) {
  Fields body{{"ciphertext", std::move(wrapped)}, {"context", to_base64(as_bytes(context))}};
  CO_TRY(const std::string answer,
         co_await call_key("decrypt", std::move(key), std::move(body), deadline));
  const auto data = data_of(answer);
  if (!data) co_return malformed();
  co_return key_of(*data);
}

async::Task<Result<std::string>> VaultKeyManagement::rewrap(std::string key, std::string wrapped,
                                                            std::string context,
                                                            Deadline deadline) {
  Fields body{{"ciphertext", std::move(wrapped)}, {"context", to_base64(as_bytes(context))}};
  CO_TRY(const std::string answer,
         co_await call_key("rewrap", std::move(key), std::move(body), deadline));
  const auto data = data_of(answer);
  if (!data) co_return malformed();
  co_return ciphertext_of(*data);
}

// Only Vault knows, and asking it would cost what keeping the key saves.
async::Task<Result<void>> VaultKeyManagement::check_usable(std::string, std::string, std::string,
                                                           Deadline) {
  co_return Result<void>{};
}

// Vault answers making a key that exists like making a new one.
async::Task<Result<void>> VaultKeyManagement::create(std::string key, Deadline deadline) {
  const auto there = co_await describe(key, deadline);
  if (there) co_return fail(ErrorCode::kAlreadyExists, "there is a key '" + key + "' already");
  if (there.error().code != ErrorCode::kNotFound) co_return std::unexpected(there.error());
  CO_TRY_VOID(co_await call_key("keys", std::move(key), {{"type", "aes256-gcm96"}}, deadline));
  co_return Result<void>{};
}

async::Task<Result<std::vector<KeyDescription>>> VaultKeyManagement::list(Deadline deadline) {
  auto answer = co_await call("LIST", "/keys", {}, deadline);
  std::vector<KeyDescription> out;
  // Without keys Vault answers 404.
  if (!answer && answer.error().code == ErrorCode::kNotFound) co_return out;
  if (!answer) co_return std::unexpected(answer.error());
  const auto data = data_of(*answer);
  const json::value* names = data ? data->if_contains("keys") : nullptr;
  if (names == nullptr || !names->is_array()) co_return malformed();
  for (const json::value& name : names->as_array()) {
    if (!name.is_string()) co_return malformed();
    CO_TRY(KeyDescription key, co_await describe(std::string(name.as_string()), deadline));
    out.push_back(std::move(key));
  }
  co_return out;
}

async::Task<Result<KeyDescription>> VaultKeyManagement::describe(std::string key,
                                                                 Deadline deadline) {
  if (!valid_name(key)) co_return fail(ErrorCode::kNotFound, "Vault can have no key '" + key + "'");
  CO_TRY(const std::string answer, co_await call("GET", "/keys/" + key, {}, deadline));
  const auto data = data_of(answer);
  if (!data) co_return malformed();
  KeyDescription out;
  out.name = std::move(key);
  out.newest_version = static_cast<uint32_t>(number_of(*data, "latest_version"));
  out.oldest_version =
      static_cast<uint32_t>(std::max<int64_t>(number_of(*data, "min_decryption_version"), 1));
  if (const json::value* versions = data->if_contains("keys");
      versions != nullptr && versions->is_object()) {
    out.created_at = saturating_time(number_of(versions->as_object(), "1"));
  }
  co_return out;
}

async::Task<Result<void>> VaultKeyManagement::rotate(std::string key, Deadline deadline) {
  CO_TRY(const KeyDescription there, co_await describe(key, deadline));
  CO_TRY_VOID(co_await call("POST", "/keys/" + there.name + "/rotate", "{}", deadline));
  co_return Result<void>{};
}

async::Task<Result<void>> VaultKeyManagement::set_enabled(std::string, bool, Deadline) {
  co_return fail(ErrorCode::kUnimplemented,
                 "whether a key of Vault may be used is said by Vault's policies");
}

async::Task<Result<std::string>> VaultKeyManagement::call_key(std::string verb, std::string key,
                                                              Fields fields, Deadline deadline) {
  if (!valid_name(key)) co_return fail(ErrorCode::kNotFound, "Vault can have no key '" + key + "'");
  json::object body;
  for (const auto& [name, value] : fields) {
    if (name == "bits") {
      body[name] = 256;
    } else {
      body[name] = value;
    }
  }
  co_return co_await call("POST", "/" + verb + "/" + key, json::serialize(body), deadline);
}

async::Task<Result<std::string>> VaultKeyManagement::call(std::string method, std::string path,
                                                          std::string body, Deadline deadline) {
  const Deadline until = std::min(deadline, deadline_in(options_.timeout));
  CO_TRY(const async::Budget::Reservation turn, co_await calls_.reserve(1, until));
  CO_TRY(http::ClientResponse response, co_await send(method, path, body, until));
  // The token may have been renewed since it was read.
  if (response.status == 403 && co_await reload_token(until)) {
    CO_TRY(response, co_await send(method, path, body, until));
  }
  if (response.status < 200 || response.status > 299) co_return std::unexpected(error_of(response));
  co_return std::move(response.body);
}

async::Task<Result<http::ClientResponse>> VaultKeyManagement::send(const std::string& method,
                                                                   const std::string& path,
                                                                   const std::string& body,
                                                                   Deadline deadline) {
  CO_TRY(const crypto::Secret token_now, co_await token(deadline));
  http::RequestHead head;
  head.method = method;
  head.target = "/v1/" + options_.mount + path;
  head.fields.add("Host", options_.endpoint.authority());
  head.fields.add("X-Vault-Token", std::string(token_now.view()));
  head.fields.add("X-Vault-Request", "true");
  if (!options_.name_space.empty()) head.fields.add("X-Vault-Namespace", options_.name_space);
  if (!body.empty()) head.fields.add("Content-Type", "application/json");
  const ByteView view = as_bytes(body);
  Connection connection = take_connection();
  auto response = co_await connection->request(std::move(head),
                                               std::span(&view, body.empty() ? 0 : 1), deadline);
  if (response) give_back(std::move(connection));
  co_return response;
}

async::Task<Result<crypto::Secret>> VaultKeyManagement::token(Deadline deadline) {
  for (const bool again : {true, false}) {
    {
      MutexLock lock(mutex_);
      if (!token_.empty()) co_return token_;
    }
    if (again) co_await reload_token(deadline);
  }
  co_return fail(
      ErrorCode::kUnavailable,
      "the file of Vault's token is missing or empty, or cannot be read: " + options_.token_file);
}

async::Task<bool> VaultKeyManagement::reload_token(Deadline deadline) {
  auto read = co_await files_.run(
      [path = options_.token_file] {
        std::ifstream file(path);
        std::string text;
        file >> text;
        return crypto::Secret(std::move(text));
      },
      deadline);
  if (!read) co_return false;
  MutexLock lock(mutex_);
  if (read->empty() || read->view() == token_.view()) co_return false;
  token_ = *std::move(read);
  co_return true;
}

VaultKeyManagement::Connection VaultKeyManagement::take_connection() {
  MutexLock lock(mutex_);
  auto& idle = idle_[async::EventLoop::current()];
  if (idle.empty()) return http::ClientConnection::make(options_.endpoint);
  Connection connection = std::move(idle.back());
  idle.pop_back();
  return connection;
}

void VaultKeyManagement::give_back(Connection connection) {
  MutexLock lock(mutex_);
  auto& idle = idle_[async::EventLoop::current()];
  if (idle.size() < kIdleMax) idle.push_back(std::move(connection));
}

}  // namespace rondel::kms
