// The one table of S3 operations: what selects one, what may be decided about it when, what it
// does, and what answers it.
//
// Every operation of the S3 API is a row, also those we refuse: what is not in the table cannot be
// routed, and a row without handler answers 501 NotImplemented. docs/s3-compatibility.md is checked
// against it.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace rondel::s3 {

enum class Level { kService, kBucket, kObject };

// What a decision about a request may have to wait for, when its head does not settle it.
enum class Decision : uint8_t {
  kHead,      // Nothing: what the head does not allow is denied.
  kObject,    // The object: its owner, ACL and tags.
  kUpload,    // The multipart upload: who began it.
  kDocument,  // The document in the body.
  kEntries,   // Each entry of the document is decided by itself.
};

enum class Effect : uint8_t { kReads, kCreates, kChanges };  // kCreates: an object.

enum class Body : uint8_t { kNone, kDocument, kObject, kForm };

// Whether the answer goes by the bucket's settings as they are in the database now, or by what the
// gateway last heard of them: a look-up or commit notices when those are old.
enum class BucketSettings : uint8_t { kCached, kFresh };

// One constant per operation of the API, kPutObject ... Names as AWS names them.
enum class Operation {
#define RONDEL_S3_OPERATION(name, ...) k##name,
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
  Decision decision;
  Effect effect;
  Body body;
  BucketSettings settings;
};

inline constexpr OperationRow kOperationRows[] = {
#define RONDEL_S3_OPERATION(name, method, level, sub_resource, action, decision, effect, body, \
                            settings, handler)                                                 \
  {Operation::k##name,                                                                         \
   #name,                                                                                      \
   method,                                                                                     \
   Level::level,                                                                               \
   sub_resource,                                                                               \
   action,                                                                                     \
   Decision::decision,                                                                         \
   Effect::effect,                                                                             \
   Body::body,                                                                                 \
   BucketSettings::settings},
#include "gateway/s3/operation_list.h"
#undef RONDEL_S3_OPERATION
};

const OperationRow& row(Operation operation);
std::span<const OperationRow> all_operations();

}  // namespace rondel::s3
