#include "gateway/s3/operation.h"

namespace rondel::s3 {

const OperationRow& row(Operation operation) {
  return kOperationRows[static_cast<size_t>(operation)];
}

std::span<const OperationRow> all_operations() { return kOperationRows; }

}  // namespace rondel::s3
