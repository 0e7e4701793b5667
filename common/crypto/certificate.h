// Certificate: what is asked of an X.509 certificate beside the handshake: whom it names, and until
// when it is valid.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "common/base/clock.h"
#include "common/base/result.h"

namespace rondel::crypto {

struct Certificate {
  // Of the first certificate of the chain, as its subject alternative names say.
  std::vector<std::string> dns_names;
  std::vector<std::string> uris;
  SystemTime not_before;  // The latest of the chain.
  SystemTime not_after;   // The earliest of the chain.
};

// Of a PEM file with one or more certificates. kInvalidArgument: none, or one that does not parse.
Result<Certificate> parse_certificate(std::string_view pem);

// kInvalidArgument: `key` (PEM) is not the private key of the first certificate of `chain`.
Result<void> check_private_key(std::string_view chain, std::string_view key);

}  // namespace rondel::crypto
