#include "common/program/listen_address.h"

#include "common/base/numbers.h"

namespace rondel::program {

Result<ListenAddress> listen_address(const config::Settings& settings, std::string_view key) {
  const std::string& text = settings.text(key);
  const size_t colon = text.rfind(':');
  const auto port = parse_port(text);
  if (!port || colon == 0) {
    return fail(ErrorCode::kInvalidArgument,
                std::string(key) + ": expected host:port, not '" + text + "'");
  }
  return ListenAddress{text.substr(0, colon), *port};
}

}  // namespace rondel::program
