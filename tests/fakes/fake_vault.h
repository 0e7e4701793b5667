// A server that speaks the part of Vault's HTTP API that transit keys need, on 127.0.0.1. Keys wrap
// by a reversible text that tells their name and version, so that tests can see under what
// something was wrapped.
#pragma once

#include <atomic>
#include <boost/json.hpp>
#include <map>
#include <mutex>

#include "common/async/loop_threads.h"
#include "common/base/encoding.h"
#include "common/crypto/digest.h"
#include "common/http/server.h"

namespace rondel::fakes {

class FakeVault {
 public:
  FakeVault()
      : loops_(1),
        server_(http::Server::start(loops_.all(), options(), [this](http::Exchange& exchange) {
                  return answer(exchange);
                }).value()) {}

  ~FakeVault() {
    ending_ = true;
    server_->stop();
    async::block_on(server_->wait_idle(deadline_in(std::chrono::seconds(60))));
    loops_.join();
  }

  uint16_t port() const { return server_->port(); }

  void set_token(std::string token) {
    std::lock_guard lock(mutex_);
    token_ = std::move(token);
  }

  void make_key(const std::string& name) {
    std::lock_guard lock(mutex_);
    versions_[name] = 1;
  }

  // The next request is answered with this status, or (0) not before the end.
  void fail_next(int status) {
    std::lock_guard lock(mutex_);
    fail_next_ = status;
  }

  std::vector<std::string> requests() const {
    std::lock_guard lock(mutex_);
    return requests_;
  }

 private:
  struct Reply {
    int status = 200;
    boost::json::object data;
  };

  static http::ServerOptions options() {
    http::ServerOptions options;
    options.address = "127.0.0.1";
    options.port = 0;
    return options;
  }

  async::Task<void> answer(http::Exchange& exchange) {
    std::string body;
    for (;;) {
      auto bytes = co_await exchange.read_body();
      if (!bytes || bytes->empty()) break;
      body += as_text(*bytes);
    }
    int failing = -1;
    {
      std::lock_guard lock(mutex_);
      requests_.push_back(exchange.head().method + " " + exchange.head().target);
      failing = std::exchange(fail_next_, -1);
    }
    while (failing == 0 && !ending_) co_await async::sleep_for(std::chrono::milliseconds(1));
    Reply reply = failing > 0 ? error(failing, "made to fail") : decide(exchange.head(), body);
    http::ResponseHead head;
    head.status = reply.status;
    head.fields.add("Content-Type", "application/json");
    const bool failed = reply.status >= 400;
    boost::json::object document;
    if (failed) {
      document = std::move(reply.data);
    } else {
      document["data"] = std::move(reply.data);
    }
    (void)co_await exchange.respond(std::move(head), boost::json::serialize(document));
  }

  static Reply error(int status, const char* text) {
    return {status, {{"errors", boost::json::array{text}}}};
  }

  static std::string member(const boost::json::object& object, const char* name) {
    const auto* value = object.if_contains(name);
    return value != nullptr && value->is_string() ? std::string(value->as_string()) : std::string();
  }

  std::string wrap(const std::string& key, int version, const std::string& plaintext_base64,
                   const std::string& context) const {
    const std::string inner =
        key + "\n" + std::to_string(version) + "\n" + plaintext_base64 + "\n" + context;
    return "vault:v" + std::to_string(version) + ":" + to_base64(as_bytes(inner));
  }

  // The plaintext (base64), when wrapped by `key` under `context`.
  std::optional<std::string> unwrap(const std::string& key, const std::string& text,
                                    const std::string& context) const {
    const size_t colon = text.rfind(':');
    const auto inner = from_base64(colon == std::string::npos ? "" : text.substr(colon + 1));
    if (!inner || !inner->starts_with(key + "\n") || !inner->ends_with("\n" + context)) {
      return std::nullopt;
    }
    const size_t begin = inner->find('\n', key.size() + 1) + 1;
    return inner->substr(begin, inner->find('\n', begin) - begin);
  }

  Reply decide(const http::RequestHead& head, const std::string& body) {
    std::lock_guard lock(mutex_);
    if (head.fields.find("X-Vault-Token") != token_) return error(403, "permission denied");
    boost::json::error_code code;
    const auto parsed = boost::json::parse(body.empty() ? "{}" : body, code);
    if (code || !parsed.is_object()) return error(400, "malformed request");
    const boost::json::object& fields = parsed.as_object();
    std::string_view path = head.target;
    constexpr std::string_view kPrefix = "/v1/transit";
    if (!path.starts_with(kPrefix)) return error(404, "no handler for route");
    path.remove_prefix(kPrefix.size());
    if (head.method == "LIST" && path == "/keys") return list();
    if (path.starts_with("/keys/")) return keys(head.method, std::string(path.substr(6)), fields);
    const size_t slash = path.rfind('/');
    const std::string key(path.substr(slash + 1));
    const std::string_view verb = path.substr(0, slash);
    const auto known = versions_.find(key);
    if (known == versions_.end()) return error(400, "encryption key not found");
    const std::string context = member(fields, "context");
    if (verb == "/datakey/plaintext") {
      const std::string plaintext = to_base64(as_bytes(crypto::random_bytes(32)));
      return {
          200,
          {{"plaintext", plaintext}, {"ciphertext", wrap(key, known->second, plaintext, context)}}};
    }
    const auto plaintext = unwrap(key, member(fields, "ciphertext"), context);
    if (!plaintext) return error(400, "invalid ciphertext: unable to decrypt");
    if (verb == "/decrypt") return {200, {{"plaintext", *plaintext}}};
    if (verb == "/rewrap") {
      return {200, {{"ciphertext", wrap(key, known->second, *plaintext, context)}}};
    }
    return error(404, "no handler for route");
  }

  Reply list() const {
    if (versions_.empty()) return error(404, "");
    boost::json::array names;
    for (const auto& [name, version] : versions_) names.push_back(boost::json::string(name));
    return {200, {{"keys", std::move(names)}}};
  }

  Reply keys(const std::string& method, std::string name, const boost::json::object& fields) {
    const bool rotate = name.ends_with("/rotate");
    if (rotate) name.resize(name.size() - 7);
    if (rotate && versions_.contains(name)) {
      ++versions_[name];
      return {200, {}};
    }
    if (method == "POST" && !rotate) {
      if (member(fields, "type") != "aes256-gcm96") return error(400, "unknown key type");
      versions_.try_emplace(name, 1);
      return {200, {}};
    }
    const auto known = versions_.find(name);
    if (known == versions_.end()) return error(404, "");
    return {200,
            {{"name", name},
             {"latest_version", known->second},
             {"min_decryption_version", 1},
             {"keys", boost::json::object{{"1", 1'700'000'000}}}}};
  }

  mutable std::mutex mutex_;
  std::string token_ = "first-token";
  std::map<std::string, int> versions_;
  std::vector<std::string> requests_;
  int fail_next_ = -1;
  async::LoopThreads loops_;
  std::atomic<bool> ending_{false};
  std::unique_ptr<http::Server> server_;  // Last: it uses the rest.
};

}  // namespace rondel::fakes
