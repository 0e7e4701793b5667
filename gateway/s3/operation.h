// The one table of S3 operations: method, sub-resource, IAM action, and what is done with it.
//
// Every operation of the S3 API is a row, also those we refuse: what is not in the table cannot be
// routed, and a row without handler answers 501 NotImplemented. docs/s3-compatibility.md is checked
// against it.
#pragma once

#include <span>
#include <string_view>

namespace rondel::s3 {

enum class Level { kService, kBucket, kObject };

// One constant per operation of the API, kPutObject ... Names as AWS names them.
enum class Operation {
#define RONDEL_S3_OPERATION(name, method, level, sub_resource, action) k##name,
#include "gateway/s3/operation_list.h"
#undef RONDEL_S3_OPERATION
};

struct OperationRow {
  Operation operation;
  std::string_view name;    // "PutObject"
  std::string_view method;  // "PUT"
  Level level;
  // Query parameter (or header, for copies) that selects it; empty = none.
  std::string_view sub_resource;
  std::string_view action;  // IAM action: "s3:PutObject"
};

inline constexpr OperationRow kOperationRows[] = {
#define RONDEL_S3_OPERATION(name, method, level, sub_resource, action) \
  {Operation::k##name, #name, method, Level::level, sub_resource, action},
#include "gateway/s3/operation_list.h"
#undef RONDEL_S3_OPERATION
};

const OperationRow& row(Operation operation);
std::span<const OperationRow> all_operations();

}  // namespace rondel::s3
