// ASSERT for programmer errors only, always on; never for input, disk or network.
#pragma once

namespace rondel {

[[noreturn]] void assertion_failed(const char* expression, const char* file, int line);

}  // namespace rondel

#define ASSERT(expression)                 \
  (static_cast<bool>(expression) ? void(0) \
                                 : ::rondel::assertion_failed(#expression, __FILE__, __LINE__))
