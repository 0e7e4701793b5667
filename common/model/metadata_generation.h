// MetadataGeneration: which database this is and how far it has come, in terms that a node can
// remember and a database can be asked for. A database that was restored from a backup, by files or
// by dump, and a standby that lagged behind when it was promoted are seen by it: what they do not
// know must not be taken for garbage.
#pragma once

#include <cstdint>
#include <string_view>

namespace rondel::model {

// Numbers that nodes tell of and the database follows (confirmations, orders of removals) rise by
// one at a time: what is so far above the database's own was never given by it.
inline constexpr uint64_t kLeapMax = uint64_t{1} << 32;

// A row of table cluster_marks. The value is random: a database holds a mark exactly when it was
// written in its own past, however far its counter has come by itself since.
struct MetadataMark {
  uint64_t counter = 0;  // Rises within one database.
  uint64_t value = 0;

  bool operator==(const MetadataMark&) const = default;
};

// Of a database: `mark` is its newest. Of a node: what it remembers, all zero before it has heard
// of a database.
struct MetadataGeneration {
  uint64_t accepted = 0;  // Rises when an operator confirms that what the database holds is right.
  uint64_t system = 0;    // PostgreSQL's system identifier.
  MetadataMark mark;
  uint64_t beat = 0;  // Heartbeats of one node that the database has recorded.

  bool operator==(const MetadataGeneration&) const = default;
};

// What a database is to a node, decided by recognize_memory() in SQL. Stored: never renumber.
enum class Recognition : uint8_t {
  kUnknown = 0,  // It was not asked.
  // It is the one the node remembers, and as far; or the node remembers none.
  kHeld = 1,
  kConfirmed = 2,           // An operator has confirmed it since.
  kBeforeConfirmation = 3,  // The node has seen a confirmation that it does not know of.
  kOtherSystem = 4,         // Another PostgreSQL.
  // It does not hold the node's mark: it was set back, or is another branch.
  kMarkMissing = 5,
  // It lacks heartbeats of the node that were acknowledged: commits were lost.
  kBeatMissing = 6,
};

constexpr bool is_recognized(Recognition recognition) {
  return recognition == Recognition::kHeld || recognition == Recognition::kConfirmed;
}

constexpr std::string_view describe(Recognition recognition) {
  switch (recognition) {
    case Recognition::kUnknown: return "the database was not asked";
    case Recognition::kHeld: return "the database is as far as seen";
    case Recognition::kConfirmed: return "an operator confirmed the database";
    case Recognition::kBeforeConfirmation:
      return "the database is older than a confirmation that was seen";
    case Recognition::kOtherSystem: return "it is the database of another PostgreSQL";
    case Recognition::kMarkMissing:
      return "the database does not hold the last mark that was seen: it was set back";
    case Recognition::kBeatMissing:
      return "the database has lost heartbeats that it had acknowledged";
  }
  return "unknown";
}

// What `database` is to a node that remembers `seen`, given whether it holds the node's mark and
// how many of the node's heartbeats it has recorded.
constexpr Recognition recognize(const MetadataGeneration& seen, const MetadataGeneration& database,
                                bool holds_mark, uint64_t beats) {
  if (seen == MetadataGeneration{}) return Recognition::kHeld;
  if (database.accepted > seen.accepted) return Recognition::kConfirmed;
  if (database.accepted < seen.accepted) return Recognition::kBeforeConfirmation;
  if (database.system != seen.system) return Recognition::kOtherSystem;
  if (!holds_mark) return Recognition::kMarkMissing;
  if (beats < seen.beat) return Recognition::kBeatMissing;
  return Recognition::kHeld;
}

}  // namespace rondel::model
