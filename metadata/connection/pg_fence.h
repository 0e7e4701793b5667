// The fence of a coordinator's statements. Internal to metadata/postgres.
#pragma once

namespace rondel::metadata {

// Commands of a coordinator change nothing unless its token is the highest; $1 is the token
// everywhere.
inline constexpr const char* kFence = "(select token from coordinator) = $1";

}  // namespace rondel::metadata
