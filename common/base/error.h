// The one error value of Rondel: a code with the meaning of the gRPC code of the same name, and a
// message for our log.
//
// What others see is chosen at the edges: transfer/grpc/wire.h (frames between processes) and
// gateway/s3/error.h (S3).
#pragma once

#include <string>
#include <string_view>

namespace rondel {

// Values are sent between processes: never renumber.
enum class ErrorCode : int {
  kInvalidArgument = 1,    // The caller's input is wrong; repeating it does not help.
  kUnauthenticated = 2,    // No or wrong credentials.
  kPermissionDenied = 3,   // Known caller, not allowed.
  kNotFound = 4,           // The thing named does not exist.
  kAlreadyExists = 5,      // The thing to be made exists.
  kPrecondition = 6,       // A stated condition does not hold.
  kOutOfRange = 7,         // Offset or number outside what exists.
  kResourceExhausted = 8,  // A bound was reached (queue, buffer): later is better.
  kUnavailable = 9,        // A dependency cannot be reached or is starting: later is better.
  kDeadlineExceeded = 10,  // The wait ended before the answer: the outcome is not known.
  kCancelled = 11,         // The other side went away.
  kCorruption = 12,        // Bytes do not match their digest.
  kUnimplemented = 13,     // Known, not supported.
  kInternal = 14,          // A bug or an error that fits nothing above.
  kOutcomeUnknown = 15,    // A commit was sent and its answer lost.
  kStorageFull = 16,       // A disk has no space: until something is deleted, later is no better.
};

std::string_view to_string(ErrorCode code);

struct Error {
  ErrorCode code = ErrorCode::kInternal;
  std::string message;

  bool operator==(const Error&) const = default;
};

// "unavailable: connection refused", for logs.
std::string to_string(const Error& error);

}  // namespace rondel
