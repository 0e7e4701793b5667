// FixedDirectory: the buckets, keys and accounts that a test put in. Not safe for changes while it is used.
#pragma once

#include <map>
#include <optional>

#include "metadata/store/directory.h"

namespace rondel::fakes {

class FixedDirectory final : public metadata::Directory {
 public:
  void add(metadata::Credential credential) {
    const std::string key = credential.key.access_key;
    credentials_[key] = std::make_shared<const metadata::Credential>(std::move(credential));
  }
  // Every look-up fails with it.
  void break_with(std::optional<Error> error) { broken_ = std::move(error); }
  int lookups() const { return lookups_; }

  async::Task<Result<std::shared_ptr<const metadata::Bucket>>> find_bucket(std::string, Deadline) override {
    if (broken_) co_return std::unexpected(*broken_);
    co_return std::shared_ptr<const metadata::Bucket>();
  }
  async::Task<Result<std::shared_ptr<const metadata::Credential>>> find_credential(std::string access_key, Deadline) override {
    ++lookups_;
    if (broken_) co_return std::unexpected(*broken_);
    const auto found = credentials_.find(access_key);
    co_return found == credentials_.end() ? std::shared_ptr<const metadata::Credential>() : found->second;
  }
  async::Task<Result<std::shared_ptr<const metadata::Account>>> find_account(metadata::AccountName, Deadline) override {
    if (broken_) co_return std::unexpected(*broken_);
    co_return std::shared_ptr<const metadata::Account>();
  }
  void forget_bucket(const std::string&) override {}
  bool doubt_bucket(const std::string&) override { return false; }

 private:
  std::map<std::string, std::shared_ptr<const metadata::Credential>> credentials_;
  std::optional<Error> broken_;
  int lookups_ = 0;
};

}  // namespace rondel::fakes
