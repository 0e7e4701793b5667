#include "metadata/connection/pg_rows.h"

#include <cstring>

#include "metadata/connection/pg_codec.h"

namespace rondel::metadata {

// Source: array_recv in PostgreSQL's arrayfuncs.c and record_recv in rowtypes.c: a row is its
// length, how many fields it has, and for each its type, length (-1 = NULL) and value.
PgRows& PgRows::begin() {
  row_at_ = body_.size();
  body_.append(8, '\0');
  fields_ = 0;
  return *this;
}

PgRows& PgRows::add(const char* name, PgArray::Element type, std::optional<std::string_view> raw) {
  if (rows_ == 0) names_.emplace_back(name);
  body_ += metadata::binary(static_cast<uint32_t>(type));
  body_ += metadata::binary(raw ? static_cast<int32_t>(raw->size()) : int32_t{-1});
  if (raw) body_ += *raw;
  ++fields_;
  return *this;
}

PgRows& PgRows::bigint(const char* name, std::optional<int64_t> value) {
  const std::string raw = metadata::binary(value.value_or(0));
  return add(name, PgArray::Element::kBigint,
             value ? std::optional(std::string_view(raw)) : std::nullopt);
}

PgRows& PgRows::smallint(const char* name, std::optional<int16_t> value) {
  const std::string raw = metadata::binary(value.value_or(0));
  return add(name, PgArray::Element::kSmallint,
             value ? std::optional(std::string_view(raw)) : std::nullopt);
}

PgRows& PgRows::boolean(const char* name, bool value) {
  return add(name, PgArray::Element::kBool, std::string_view(value ? "\1" : "\0", 1));
}

PgRows& PgRows::text(const char* name, std::string_view value) {
  return add(name, PgArray::Element::kText, value);
}

PgRows& PgRows::bytes(const char* name, std::string_view value) {
  return add(name, PgArray::Element::kBytes, value);
}

PgRows& PgRows::optional_bytes(const char* name, const std::optional<std::string>& value) {
  return add(name, PgArray::Element::kBytes,
             value ? std::optional(std::string_view(*value)) : std::nullopt);
}

void PgRows::end() {
  auto* const at = reinterpret_cast<std::byte*>(body_.data() + row_at_);
  store_be(at, static_cast<uint32_t>(body_.size() - row_at_ - 4));
  store_be(at + 4, fields_);
  ++rows_;
}

std::string PgRows::binary(uint32_t type) const {
  std::string out = metadata::binary(uint32_t{rows_ == 0 ? 0u : 1u});  // Dimensions.
  out += metadata::binary(uint32_t{0});                                // No NULLs.
  out += metadata::binary(type);
  if (rows_ == 0) return out;
  out += metadata::binary(rows_);
  out += metadata::binary(uint32_t{1});
  return out += body_;
}

}  // namespace rondel::metadata
