#include "metadata/connection/pg_function.h"

#include <algorithm>

#include "metadata/connection/pg_codec.h"
#include "metadata/connection/version_attributes.h"

namespace rondel::metadata {

PgFunction::PgFunction(std::string_view columns, std::string_view name)
    : columns_(columns), sql_(" from " + std::string(name) + "(") {}

PgFunction& PgFunction::under(int64_t credential_epoch) {
  credential_epoch_ = credential_epoch;
  return *this;
}

std::string PgFunction::begin(std::string_view name) {
  if (!first_) sql_ += ", ";
  first_ = false;
  sql_.append(name) += " => ";
  return next_parameter();
}

PgFunction& PgFunction::end(std::string_view parameter, std::string_view type) {
  sql_.append(parameter).append("::").append(type);
  return *this;
}

PgFunction& PgFunction::bigint(std::string_view name, std::optional<int64_t> value) {
  const std::string parameter = begin(name);
  value ? parameters_.add(*value) : parameters_.add_null();
  return end(parameter, "bigint");
}

PgFunction& PgFunction::integer(std::string_view name, int32_t value) {
  const std::string parameter = begin(name);
  parameters_.add_integer(value);
  return end(parameter, "integer");
}

PgFunction& PgFunction::smallint(std::string_view name, std::optional<int16_t> value) {
  const std::string parameter = begin(name);
  parameters_.add_optional_small(value);
  return end(parameter, "smallint");
}

PgFunction& PgFunction::boolean(std::string_view name, bool value) {
  const std::string parameter = begin(name);
  parameters_.add_bool(value);
  return end(parameter, "boolean");
}

PgFunction& PgFunction::text(std::string_view name, std::string_view value) {
  const std::string parameter = begin(name);
  parameters_.add_text(value);
  return end(parameter, "text");
}

PgFunction& PgFunction::bytes(std::string_view name, std::string_view value) {
  const std::string parameter = begin(name);
  parameters_.add_bytes(value);
  return end(parameter, "bytea");
}

PgFunction& PgFunction::optional_text(std::string_view name,
                                      const std::optional<std::string>& value) {
  const std::string parameter = begin(name);
  parameters_.add_optional_text(value);
  return end(parameter, "text");
}

PgFunction& PgFunction::optional_bytes(std::string_view name,
                                       const std::optional<std::string>& value) {
  const std::string parameter = begin(name);
  parameters_.add_optional_bytes(value);
  return end(parameter, "bytea");
}

PgFunction& PgFunction::array(std::string_view name, PgArray&& value) {
  const std::string parameter = begin(name);
  const std::string type = std::string(value.element_name()) + "[]";
  std::move(value).move_into(parameters_);
  return end(parameter, type);
}

PgFunction& PgFunction::rows(std::string_view name, std::string type, PgRows&& value) {
  const std::string parameter = begin(name);
  rows_.push_back({parameters_.size(), type, std::move(value)});
  parameters_.add_null();
  return end(parameter, type + "[]");
}

PgFunction& PgFunction::conditions(std::string_view name, const Conditions& value) {
  begin(name);
  sql_ += conditions_expression(static_cast<int>(parameters_.size()) + 1);
  add_conditions(parameters_, value);
  return *this;
}

PgFunction& PgFunction::copy_source(std::string_view name, const CopySource& value) {
  begin(name);
  std::string fields;
  const auto field = [&](std::string_view type) {
    fields += (fields.empty() ? "" : ", ") + next_parameter() + "::" + std::string(type);
  };
  field("bigint");
  parameters_.add(value.bucket_id);
  field("bigint");
  parameters_.add(value.settings_version);
  field("bytea");
  parameters_.add_bytes(value.key);
  field("bytea");
  parameters_.add_bytes(raw(value.version.view()));
  field("text");
  parameters_.add_text(value.etag);
  field("bytea");
  parameters_.add_optional_bytes(pack_access(value.access));
  sql_ += "row(" + fields + ")::copy_source";
  return *this;
}

PgFunction& PgFunction::attributes(std::string_view name, const Attributes& value) {
  begin(name);
  std::string arguments;
  for (const AttributeField& field : attribute_fields()) {
    if (!arguments.empty()) arguments += ", ";
    arguments += "a_" + std::string(field.name) + " => " + next_parameter() +
                 "::" + std::string(PgArray::name_of(field.type));
    parameters_.add_optional_bytes(field.pack(value));
  }
  sql_ += attributes_function() + "(" + arguments + ")";
  return *this;
}

PgFunction& PgFunction::attribute_sets(std::string_view name,
                                       const std::vector<const Attributes*>& rows) {
  std::vector<PgArray> arrays;
  bool any = false;
  for (const AttributeField& field : attribute_fields()) {
    PgArray& array = arrays.emplace_back(field.type, rows.size());
    for (const Attributes* row : rows) array.add_optional_bytes(field.pack(*row));
    any = any || array.any();
  }
  if (!any) return *this;
  begin(name);
  std::string arguments, columns, values;
  for (size_t i = 0; i < arrays.size(); ++i) {
    const std::string field(attribute_fields()[i].name);
    const char* const comma = i == 0 ? "" : ", ";
    arguments += comma + ("a_" + field) + " => u." + field;
    columns += comma + field;
    values += comma + next_parameter() + "::" + std::string(arrays[i].element_name()) + "[]";
    std::move(arrays[i]).move_into_if_any(parameters_);
  }
  sql_ += "array(select " + attributes_function() + "(" + arguments + ") from unnest(" + values +
          ") as u(" + columns + "))";
  return *this;
}

Committed<PgResult> PgFunction::run(PgConnection& connection, Deadline until,
                                    AtDeadline at_deadline) {
  for (const Rows& rows : rows_) {
    TRY(const PgType* const type, connection.type(rows.type, until));
    if (!std::ranges::equal(rows.value.names(), type->fields)) {
      return std::unexpected(CommitFailure::did_not_happen(
          {ErrorCode::kInternal, "the database's type " + rows.type + " has other fields"}));
    }
    parameters_.replace(rows.parameter, rows.value.binary(type->id));
  }
  std::string sql = "select " + columns_;
  // A sub-select of its own is run once, with the first row that is answered: a function in `from`
  // has done all of its work by then.
  if (credential_epoch_ != 0) {
    sql += ", (select confirm_credentials(" + next_parameter() + "::bigint))";
    parameters_.add(credential_epoch_);
  }
  return connection.run(sql + sql_ + ")", parameters_, until, at_deadline);
}

}  // namespace rondel::metadata
