#include "gateway/s3/operation.h"

namespace rondel::s3 {
namespace {

constexpr OperationRow kRows[] = {
#define RONDEL_S3_OPERATION(name, method, level, sub_resource, action) \
  {Operation::k##name, #name, method, Level::level, sub_resource, action},
#include "gateway/s3/operation_list.h"
#undef RONDEL_S3_OPERATION
};

}  // namespace

const OperationRow& row(Operation operation) { return kRows[static_cast<size_t>(operation)]; }

std::span<const OperationRow> all_operations() { return kRows; }

}  // namespace rondel::s3
