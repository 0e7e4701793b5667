// Where a program listens, from a setting of the form host:port.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "common/base/result.h"
#include "common/config/config.h"

namespace rondel::program {

struct ListenAddress {
  std::string host;  // Without brackets.
  uint16_t port = 0;
  // "host:port", an IPv6 address in brackets.
  std::string text() const;
};

// kInvalidArgument, naming the key: the text is not host:port, an IPv6 address in brackets:
// "[::]:9000". Port 0 asks the system for one.
Result<ListenAddress> listen_address(const config::Settings& settings, std::string_view key);

// Whether the host means every address of the machine (0.0.0.0, [::], however it is written):
// something to listen at, and nothing to call.
bool is_wildcard(std::string_view host);

}  // namespace rondel::program
