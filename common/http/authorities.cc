#include "common/http/authorities.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <sys/stat.h>

#include <boost/asio/ssl/context.hpp>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <vector>

namespace rondel::http {
namespace {

namespace ssl = boost::asio::ssl;

constexpr Duration kPatience = std::chrono::milliseconds(250);

Error ssl_error(const std::string& what) {
  const unsigned long code = ERR_get_error();
  const char* const reason = code == 0 ? nullptr : ERR_reason_error_string(code);
  return {ErrorCode::kInvalidArgument,
          what + ": " + (reason == nullptr ? "cannot be used" : reason)};
}

std::string from_environment(const char* name, const char* otherwise) {
  const char* const value = std::getenv(name);
  return value != nullptr ? value : otherwise;
}

// Where the system keeps whom it believes: a file, and folders in which a certificate's file has
// the hash of its subject for a name.
struct SystemPaths {
  std::string file =
      from_environment(X509_get_default_cert_file_env(), X509_get_default_cert_file());
  std::vector<std::string> folders;

  SystemPaths() {
    std::string list =
        from_environment(X509_get_default_cert_dir_env(), X509_get_default_cert_dir());
    for (size_t at = 0; at <= list.size();) {
      const size_t end = std::min(list.find(':', at), list.size());
      if (end > at) folders.push_back(list.substr(at, end - at));
      at = end + 1;
    }
  }
};

std::string written_at(const std::string& path) {
  struct stat info{};
  if (stat(path.c_str(), &info) != 0) return path + " is absent;";
  return std::to_string(info.st_ino) + " " + std::to_string(info.st_size) + " " +
         std::to_string(info.st_mtim.tv_sec) + "." + std::to_string(info.st_mtim.tv_nsec) + ";";
}

std::string version_of(const std::string& ca_file) {
  if (!ca_file.empty()) return written_at(ca_file);
  const SystemPaths paths;
  std::string version = written_at(paths.file);
  for (const std::string& folder : paths.folders) version += written_at(folder);
  return version;
}

bool is_hash_name(const std::string& name) {
  const size_t dot = name.find('.');
  return dot == 8 && name.size() > 9 && name.find_first_not_of("0123456789abcdef") == dot &&
         name.find_first_not_of("0123456789", dot + 1) == std::string::npos;
}

// OpenSSL by itself would read the folders while hands are shaken, on the loop.
void load_system(X509_STORE* store) {
  const SystemPaths paths;
  (void)X509_STORE_load_file(store, paths.file.c_str());
  for (const std::string& folder : paths.folders) {
    std::error_code error;
    for (std::filesystem::directory_iterator it(folder, error), end; !error && it != end;
         it.increment(error)) {
      if (is_hash_name(it->path().filename())) {
        (void)X509_STORE_load_file(store, it->path().c_str());
      }
    }
  }
  ERR_clear_error();
}

Result<Authorities::Context> read(const std::string& ca_file) {
  ERR_clear_error();
  auto context = make_client_context();
  SSL_CTX* const handle = context->native_handle();
  SSL_CTX_set_verify(handle, SSL_VERIFY_PEER, nullptr);
  if (ca_file.empty()) {
    load_system(SSL_CTX_get_cert_store(handle));
  } else if (SSL_CTX_load_verify_file(handle, ca_file.c_str()) != 1) {
    return std::unexpected(ssl_error("CA file " + ca_file));
  }
  return context;
}

}  // namespace

std::shared_ptr<ssl::context> make_client_context() {
  auto context = std::make_shared<ssl::context>(ssl::context::tls_client);
  SSL_CTX_set_min_proto_version(context->native_handle(), TLS1_2_VERSION);
  return context;
}

Authorities& Authorities::of(const std::string& ca_file) {
  struct All {
    Mutex mutex;
    std::map<std::string, std::unique_ptr<Authorities>> by_file GUARDED_BY(mutex);
  };

  // Never destroyed: a thread that reads may hang for ever.
  static auto* const all = new All;
  MutexLock lock(all->mutex);
  auto& one = all->by_file[ca_file];
  if (!one) one.reset(new Authorities(ca_file));
  return *one;
}

Result<void> Authorities::load() {
  const std::string version = version_of(ca_file_);
  {
    MutexLock lock(mutex_);
    if (known_ && version == version_) return {};
  }
  auto context = read(ca_file_);
  MutexLock lock(mutex_);
  if (!context) {
    error_ = context.error();
    return std::unexpected(context.error());
  }
  known_ = *std::move(context);
  version_ = version;
  return {};
}

async::Task<Result<Authorities::Context>> Authorities::context(Deadline deadline) {
  {
    MutexLock lock(mutex_);
    if (known_ && looking_) co_return known_;
    if (known_) deadline = std::min(deadline, deadline_in(kPatience));
    looking_ = true;
  }
  const auto looked = co_await files_.run(
      [this] {
        (void)load();
        MutexLock lock(mutex_);
        looking_ = false;
        return true;
      },
      deadline);
  MutexLock lock(mutex_);
  if (known_) co_return known_;
  if (!looked) co_return std::unexpected(looked.error());
  co_return std::unexpected(error_);
}

}  // namespace rondel::http
