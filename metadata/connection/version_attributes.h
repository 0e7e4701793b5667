// What a version carries beside its bytes and headers: the C++ side of SQL's type `attributes`.
// Internal.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "metadata/connection/pg_connection.h"
#include "metadata/model/object.h"

namespace rondel::metadata {

// A field of the type. A new one is a line of the list in version_attributes.cc, a member of
// Attributes and a migration; statements and functions follow by themselves.
struct AttributeField {
  std::string_view name;
  PgArray::Element type;
  // Its binary form; nullopt = NULL.
  std::optional<std::string> (*pack)(const Attributes& attributes);
  // Of a column that is not NULL.
  void (*unpack)(const PgResult& result, size_t row, int column, Attributes& attributes);
};

// In the order of the type.
std::span<const AttributeField> attribute_fields();

// The SQL function that makes a value of as many fields.
std::string attributes_function();

// "(o.attributes).acl, ..." for `of` = "o": one column a field.
std::string attribute_columns(std::string_view of);
// Reads those, from `column` on.
void read_attributes(const PgResult& result, size_t row, int column, Attributes& out);

}  // namespace rondel::metadata
