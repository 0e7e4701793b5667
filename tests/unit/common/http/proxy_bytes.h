// Headers of PROXY protocol 2, right and wrong, as tests want them.
#pragma once

#include <cstdint>
#include <string>

namespace rondel::http {

inline std::string proxy_short(size_t number) {
  return {static_cast<char>(number >> 8), static_cast<char>(number)};
}

// `rest`: addresses and fields.
inline std::string proxy_header(uint8_t command, uint8_t family, const std::string& rest) {
  const std::string signature("\r\n\r\n\0\r\nQUIT\n", 12);
  return signature + static_cast<char>(command) + static_cast<char>(family) +
         proxy_short(rest.size()) + rest;
}

inline std::string proxy_field(uint8_t type, const std::string& value) {
  return static_cast<char>(type) + proxy_short(value.size()) + value;
}

inline std::string proxy_tls_field(bool tls, const std::string& version,
                                   const std::string& cipher) {
  return proxy_field(0x20, std::string(1, tls ? '\1' : '\0') + std::string(4, '\0') +
                               proxy_field(0x21, version) + proxy_field(0x23, cipher));
}

// From a client with that IPv4 address.
inline std::string proxy_from(uint8_t a, uint8_t b, uint8_t c, uint8_t d,
                              const std::string& fields = {}) {
  const std::string source{static_cast<char>(a), static_cast<char>(b), static_cast<char>(c),
                           static_cast<char>(d)};
  return proxy_header(0x21, 0x11, source + std::string("\x0a\0\0\1\xd9\x03\x01\xbb", 8) + fields);
}

}  // namespace rondel::http
