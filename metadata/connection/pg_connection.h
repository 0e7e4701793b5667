// One libpq connection: prepared statements with binary parameters and results. Blocking, with
// deadlines. One thread at a time. Internal to metadata/postgres.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "common/base/bytes.h"
#include "common/base/clock.h"
#include "common/base/result.h"
#include "metadata/store/commit_result.h"

namespace rondel::metadata {

// Parameters of one statement, in PostgreSQL's binary form. NULL where an optional is empty.
class PgParameters {
 public:
  void add(int64_t value);
  void add_small(int16_t value);
  void add_optional_small(std::optional<int16_t> value);
  void add_integer(int32_t value);
  void add_bool(bool value);
  void add_text(std::string_view text);
  void add_optional_text(const std::optional<std::string>& text);
  void add_bytes(std::string_view bytes);
  void add_optional_bytes(const std::optional<std::string>& bytes);
  void add_null();

  // A value in its binary form in place of the one that is there.
  void replace(size_t index, std::string value) { values_[index] = std::move(value); }

  size_t size() const { return values_.size(); }

  const std::optional<std::string>& value(size_t index) const { return values_[index]; }

 private:
  friend class PgArray;
  std::vector<std::optional<std::string>> values_;
};

// A one-dimensional array parameter.
class PgArray {
 public:
  enum class Element : uint32_t {
    kBool = 16,
    kBytes = 17,
    kBigint = 20,
    kSmallint = 21,
    kInteger = 23,
    kText = 25
  };
  PgArray(Element element, size_t reserve);

  // The type's name in SQL.
  static std::string_view name_of(Element element);

  std::string_view element_name() const { return name_of(static_cast<Element>(element_)); }

  // Whether an element is not NULL.
  bool any() const { return nulls_ < count_; }

  void add(int64_t value);
  void add_small(int16_t value);
  void add_optional_small(std::optional<int16_t> value);
  void add_integer(int32_t value);
  void add_bool(bool value);
  void add_bytes(std::string_view bytes);
  void add_optional_bytes(const std::optional<std::string>& bytes);
  void add_null();
  void add_optional(const std::optional<int64_t>& value);

  void move_into(PgParameters& parameters) &&;
  // NULL instead of an array of NULLs: subscripts of it are NULL too.
  void move_into_if_any(PgParameters& parameters) &&;

 private:
  void add_element(std::string_view raw);

  std::string body_;
  uint32_t element_;
  uint32_t count_ = 0;
  uint32_t nulls_ = 0;
};

// Rows of one statement, binary.
class PgResult {
 public:
  struct Impl;
  explicit PgResult(std::unique_ptr<Impl> impl);
  PgResult(PgResult&&) noexcept;
  PgResult& operator=(PgResult&&) noexcept;
  ~PgResult();

  size_t rows() const;
  bool is_null(size_t row, int column) const;
  // REQUIRES: the column has that type. NULL reads as zero or empty.
  int64_t bigint(size_t row, int column) const;
  int32_t integer(size_t row, int column) const;
  int16_t smallint(size_t row, int column) const;
  bool boolean(size_t row, int column) const;
  std::string_view bytes(size_t row, int column) const;  // bytea and text.

  std::string text(size_t row, int column) const { return std::string(bytes(row, column)); }

  // Rows changed by a statement without result.
  uint64_t affected() const;

 private:
  std::unique_ptr<Impl> impl_;
};

// What an error of PostgreSQL says about the statement and the session.
struct SqlFailure {
  CommitFailure::Kind kind = CommitFailure::Kind::kNotKnown;
  ErrorCode code = ErrorCode::kOutcomeUnknown;
  bool session_ends = false;  // The connection is of no use any more.

  bool operator==(const SqlFailure&) const = default;
};

// `state`: SQLSTATE; empty = the error is libpq's own. `severity`: not localized. `after_rows`: it
// came after a result.
SqlFailure classify(std::string_view state, std::string_view severity, bool after_rows);

// The connection string with what we rely on where it does not say otherwise:
// target_session_attrs=read-write, so that of several hosts the primary is taken and never a
// standby, and connect_timeout=5 seconds a host. A string that libpq cannot read is returned as it
// is.
std::string primary_dsn(const std::string& dsn);

// The string once for each host that it names, in their order.
std::vector<std::string> host_dsns(const std::string& dsn);

// A composite type of the database.
struct PgType {
  uint32_t id = 0;
  std::vector<std::string> fields;
};

// How long a session waits for one lock, and how long a statement of it runs, until the server
// ends it. A commit that has begun is not ended.
struct PgPatience {
  std::chrono::milliseconds lock{2'000};
  std::chrono::milliseconds statement{30'000};
};

// What becomes of a statement that has no answer at its deadline.
enum class AtDeadline : uint8_t {
  // The connection is of no use any more. The server goes on until its own patience ends: a commit
  // that was cancelled while a standby is waited for would count without it.
  kLeave,
  // For what changes nothing. The server is told, and the connection waits until it has stopped
  // (at most 1 s more), so that it is of use again and nothing goes on behind it.
  kCancel,
};

class PgConnection {
 public:
  // Tries the hosts of the string in their order, each for its share of the time.
  // kUnavailable: no server, it refuses us, or it is a standby (in recovery). The session keeps one
  // plan per prepared statement.
  static Result<std::unique_ptr<PgConnection>> open(const std::string& dsn, Deadline deadline,
                                                    PgPatience patience = {});
  ~PgConnection();

  // Prepares `sql` on first use. Nothing is sent after the deadline. A failure says whether the
  // statement may have happened; its code is kUnavailable (no server, or not now), kOutcomeUnknown
  // (it was sent and the answer was lost), kInternal (PostgreSQL refused it, with its words) or
  // kCancelled (it met a lock time-out, deadlock or serialisation failure: repeat it).
  Committed<PgResult> run(const std::string& sql, const PgParameters& parameters, Deadline deadline,
                          AtDeadline at_deadline = AtDeadline::kLeave);
  // Asks once, and again after a statement that PostgreSQL refused for what it names. A failure is
  // kDidNotHappen; kInternal: there is no such type.
  Committed<const PgType*> type(const std::string& name, Deadline deadline);
  // Several statements without parameters or results.
  Committed<void> script(const std::string& sql, Deadline deadline);

  bool broken() const;
  // Looks, without waiting, whether the server has ended a connection that nobody used meanwhile;
  // then it is broken.
  bool ended_while_idle();
  // Channel payloads that have arrived; waits at most `patience` for the first.
  Result<std::vector<std::string>> notifications(Duration patience);

 private:
  struct Impl;
  explicit PgConnection(std::unique_ptr<Impl> impl);
  static Result<std::unique_ptr<PgConnection>> open_host(const std::string& dsn, Deadline deadline,
                                                         PgPatience patience);
  Committed<void> forget_outdated(Deadline deadline);
  // The name of the prepared statement; it lives until forget_outdated().
  Committed<const std::string*> prepare(const std::string& sql, Deadline deadline);

  std::unique_ptr<Impl> impl_;
};

}  // namespace rondel::metadata
