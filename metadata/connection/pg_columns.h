// The columns of a statement's rows, each with its name: the statement's text and the numbers that
// its reader uses come of one list.
#pragma once

#include <array>
#include <cstddef>
#include <string>
#include <utility>

namespace rondel::metadata {

// `Column`: an enum whose values count from 0 in the order of the list. One that is not in its
// place does not compile.
template <class Column, size_t N>
class PgColumns {
 public:
  consteval PgColumns(const std::pair<Column, const char*> (&list)[N]) {
    for (size_t i = 0; i < N; ++i) {
      if (static_cast<size_t>(list[i].first) != i) throw "a column is not in its place";
      expressions_[i] = list[i].second;
    }
  }

  // "a, b, c", to stand behind `select`.
  std::string text() const {
    std::string out;
    for (const char* expression : expressions_) {
      if (!out.empty()) out += ", ";
      out += expression;
    }
    return out;
  }

  static constexpr int count() { return static_cast<int>(N); }

 private:
  std::array<const char*, N> expressions_{};
};

}  // namespace rondel::metadata
