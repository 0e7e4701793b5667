// TLS contexts of servers. Internal to common/http.
#pragma once

#include <memory>

#include "common/base/result.h"
#include "common/http/server.h"

namespace boost::asio::ssl {
class context;
}

namespace rondel::http {

// TLS 1.2 and 1.3; HTTP/1.1 by ALPN, a client that offers other protocols alone is refused;
// certificates by SNI. kInvalidArgument: files do not fit together or cannot be read.
Result<std::shared_ptr<boost::asio::ssl::context>> make_server_context(const TlsOptions& options);

// Changes when a file was written anew; 0 when one cannot be read.
int64_t tls_files_version(const TlsOptions& options);

}  // namespace rondel::http
