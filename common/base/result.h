// Result<T>: a value or an Error. TRY and CO_TRY unwrap or hand the error on.
#pragma once

#include <expected>
#include <utility>

#include "common/base/error.h"

namespace rondel {

template <class T>
using Result = std::expected<T, Error>;

inline std::unexpected<Error> fail(ErrorCode code, std::string message) {
  return std::unexpected<Error>(Error{code, std::move(message)});
}

}  // namespace rondel

#define RONDEL_CONCAT_(a, b) a##b
#define RONDEL_CONCAT(a, b) RONDEL_CONCAT_(a, b)

// TRY(auto x, f()); declares x with f's value or returns f's error. TRY_VOID(f()); for
// Result<void>.
#define TRY(declaration, expression) \
  TRY_(declaration, expression, return, RONDEL_CONCAT(result_, __LINE__))
#define TRY_VOID(expression) TRY_VOID_(expression, return)
// The same in a coroutine; `expression` usually begins with co_await.
#define CO_TRY(declaration, expression) \
  TRY_(declaration, expression, co_return, RONDEL_CONCAT(result_, __LINE__))
#define CO_TRY_VOID(expression) TRY_VOID_(expression, co_return)

#define TRY_(declaration, expression, leave, result)             \
  auto result = (expression);                                    \
  if (!result) leave std::unexpected(std::move(result).error()); \
  declaration = std::move(*result)
#define TRY_VOID_(expression, leave) \
  if (auto result_ = (expression); !result_) leave std::unexpected(std::move(result_).error())
