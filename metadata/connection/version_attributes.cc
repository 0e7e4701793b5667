#include "metadata/connection/version_attributes.h"

#include <fmt/format.h>

#include "metadata/connection/pg_codec.h"

namespace rondel::metadata {
namespace {

using Element = PgArray::Element;
using Packed = std::optional<std::string>;

constexpr AttributeField kFields[] = {
    {"acl", Element::kBytes, [](const Attributes& from) { return bytes_or_null(from.acl); },
     [](const PgResult& result, size_t row, int column, Attributes& to) {
       to.acl = result.text(row, column);
     }},
    {"tags", Element::kBytes, [](const Attributes& from) { return pack_tags(from.tags); },
     [](const PgResult& result, size_t row, int column, Attributes& to) {
       to.tags = unpack_tags(result.bytes(row, column));
     }},
    {"retain_mode", Element::kSmallint,
     [](const Attributes& from) {
       const auto mode = retain_mode(from.retention);
       return mode ? Packed(binary(*mode)) : std::nullopt;
     },
     [](const PgResult& result, size_t row, int column, Attributes& to) {
       to.retention.mode = static_cast<Retention::Mode>(result.smallint(row, column));
     }},
    {"retain_until", Element::kBigint,
     [](const Attributes& from) {
       const auto until = retain_until(from.retention);
       return until ? Packed(binary(*until)) : std::nullopt;
     },
     [](const PgResult& result, size_t row, int column, Attributes& to) {
       to.retention.until = SystemTime(std::chrono::milliseconds(result.bigint(row, column)));
     }},
    {"legal_hold", Element::kBool,
     [](const Attributes& from) {
       return from.legal_hold ? Packed(std::string(1, *from.legal_hold ? '\1' : '\0'))
                              : std::nullopt;
     },
     [](const PgResult& result, size_t row, int column, Attributes& to) {
       to.legal_hold = result.boolean(row, column);
     }},
    {"encryption", Element::kBytes,
     [](const Attributes& from) { return bytes_or_null(from.encryption); },
     [](const PgResult& result, size_t row, int column, Attributes& to) {
       to.encryption = result.text(row, column);
     }},
};

}  // namespace

std::span<const AttributeField> attribute_fields() { return kFields; }

std::string attributes_function() { return fmt::format("attributes_{}", std::size(kFields)); }

std::string attribute_columns(std::string_view of) {
  std::string out;
  for (const AttributeField& field : kFields) {
    out += fmt::format("{}({}.attributes).{}", out.empty() ? "" : ", ", of, field.name);
  }
  return out;
}

void read_attributes(const PgResult& result, size_t row, int column, Attributes& out) {
  for (const AttributeField& field : kFields) {
    if (!result.is_null(row, column)) field.unpack(result, row, column, out);
    ++column;
  }
}

}  // namespace rondel::metadata
