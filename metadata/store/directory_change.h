// DirectoryChange: what is told of buckets and identities to who caches them.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

namespace rondel::metadata {

struct DirectoryChange {
  enum class Kind : uint8_t {
    kBucket,     // `name`: its settings, or whether it is there.
    kAccessKey,  // `name`: the key, or whether it is there.
    kAccount,    // Any of it: its keys, its names, and what its buckets show of it.
    kHeard,      // From here on every change is told. What changed before may not have been.
    kNotHeard,   // Changes are not told until the next kHeard.
  };
  Kind kind = Kind::kAccount;
  std::string name = {};
};

// Called on the thread that hears of it, one at a time; it must not wait.
using DirectoryListener = std::function<void(const DirectoryChange&)>;

}  // namespace rondel::metadata
