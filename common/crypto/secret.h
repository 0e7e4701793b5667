// Key bytes in memory: wiped when they go.
#pragma once

#include <string>
#include <string_view>

namespace rondel::crypto {

// One owner at a time; copies are wiped each by itself. One thread at a time, as a string.
class Secret {
 public:
  Secret() = default;

  explicit Secret(std::string bytes) : bytes_(std::move(bytes)) {}

  Secret(const Secret& other) = default;
  Secret(Secret&& other) noexcept;
  Secret& operator=(Secret other) noexcept;
  ~Secret();

  std::string_view view() const { return bytes_; }

  size_t size() const { return bytes_.size(); }

  bool empty() const { return bytes_.empty(); }

 private:
  void wipe();

  std::string bytes_;
};

// 32 random bytes: a key of AES-256.
Secret random_key();

}  // namespace rondel::crypto
