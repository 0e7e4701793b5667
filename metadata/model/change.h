// What a row of the table `changes` says happened to a version.
#pragma once

#include <cstdint>

namespace rondel::metadata {

// One for each place that changes a version. Values are stored: never renumber.
enum class Change : uint8_t {
  kPut = 1,
  kCopy = 2,
  kAppend = 3,
  kRename = 4,         // The row has both keys.
  kUpdate = 5,         // Attributes, in place.
  kComplete = 6,       // Of a multipart upload.
  kDelete = 7,         // The current version of a bucket that never had versions.
  kDeleteMarker = 8,   // A marker was made, which the row names.
  kDeleteVersion = 9,  // A version, or a marker, was removed.
};

}  // namespace rondel::metadata
