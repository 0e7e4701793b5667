#include "metadata/connection/pg_connection.h"

#include <libpq-fe.h>
#include <poll.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>
#include <future>
#include <ranges>
#include <thread>
#include <unordered_map>

namespace rondel::metadata {
namespace {

template <class T>
std::string big_endian(T value) {
  std::string out(sizeof value, '\0');
  store_be(reinterpret_cast<std::byte*>(out.data()), static_cast<std::make_unsigned_t<T>>(value));
  return out;
}

template <class T>
T read_big_endian(const char* from) {
  return static_cast<T>(load_be<std::make_unsigned_t<T>>(reinterpret_cast<const std::byte*>(from)));
}

std::string message_of(const char* text) {
  std::string out = text == nullptr ? "" : text;
  while (!out.empty() && (out.back() == '\n' || out.back() == ' ')) out.pop_back();
  return out;
}

int wait_for(PGconn* connection, short events, Deadline deadline) {
  const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
                        deadline - std::chrono::steady_clock::now())
                        .count();
  pollfd descriptor{PQsocket(connection), events, 0};
  return poll(&descriptor, 1, static_cast<int>(std::clamp<int64_t>(left, 0, 60'000)));
}

}  // namespace

void PgParameters::add(int64_t value) { values_.emplace_back(big_endian(value)); }

void PgParameters::add_small(int16_t value) { values_.emplace_back(big_endian(value)); }

void PgParameters::add_optional_small(std::optional<int16_t> value) {
  value ? add_small(*value) : add_null();
}

void PgParameters::add_integer(int32_t value) { values_.emplace_back(big_endian(value)); }

void PgParameters::add_bool(bool value) {
  values_.emplace_back(std::string(1, value ? '\1' : '\0'));
}

void PgParameters::add_text(std::string_view text) { values_.emplace_back(std::string(text)); }

void PgParameters::add_optional_text(const std::optional<std::string>& text) {
  values_.push_back(text);
}

void PgParameters::add_bytes(std::string_view bytes) { values_.emplace_back(std::string(bytes)); }

void PgParameters::add_optional_bytes(const std::optional<std::string>& bytes) {
  values_.push_back(bytes);
}

void PgParameters::add_null() { values_.emplace_back(std::nullopt); }

PgArray::PgArray(Element element, size_t reserve) : element_(static_cast<uint32_t>(element)) {
  body_.reserve(reserve * 24);
}

std::string_view PgArray::name_of(Element element) {
  switch (element) {
    case Element::kBool: return "boolean";
    case Element::kBytes: return "bytea";
    case Element::kBigint: return "bigint";
    case Element::kSmallint: return "smallint";
    case Element::kInteger: return "integer";
    case Element::kText: return "text";
  }
  return "";
}

void PgArray::add_element(std::string_view raw) {
  body_ += big_endian(static_cast<int32_t>(raw.size()));
  body_ += raw;
  ++count_;
}

void PgArray::add(int64_t value) { add_element(big_endian(value)); }

void PgArray::add_small(int16_t value) { add_element(big_endian(value)); }

void PgArray::add_optional_small(std::optional<int16_t> value) {
  value ? add_small(*value) : add_null();
}

void PgArray::add_integer(int32_t value) { add_element(big_endian(value)); }

void PgArray::add_bool(bool value) { add_element(std::string_view(value ? "\1" : "\0", 1)); }

void PgArray::add_bytes(std::string_view bytes) { add_element(bytes); }

void PgArray::add_optional_bytes(const std::optional<std::string>& bytes) {
  bytes ? add_element(*bytes) : add_null();
}

void PgArray::add_optional(const std::optional<int64_t>& value) {
  value ? add(*value) : add_null();
}

void PgArray::add_null() {
  body_ += big_endian(int32_t{-1});
  ++count_;
  ++nulls_;
}

// Source: array_recv in PostgreSQL's arrayfuncs.c: dimensions, null flag, element type, then length
// and lower bound.
void PgArray::move_into(PgParameters& parameters) && {
  std::string out = big_endian(int32_t{count_ == 0 ? 0 : 1});
  out += big_endian(int32_t{nulls_ > 0 ? 1 : 0});
  out += big_endian(static_cast<int32_t>(element_));
  if (count_ > 0) {
    out += big_endian(static_cast<int32_t>(count_));
    out += big_endian(int32_t{1});
    out += body_;
  }
  parameters.values_.emplace_back(std::move(out));
}

void PgArray::move_into_if_any(PgParameters& parameters) && {
  if (nulls_ == count_) {
    parameters.add_null();
  } else {
    std::move(*this).move_into(parameters);
  }
}

struct PgResult::Impl {
  PGresult* result = nullptr;

  ~Impl() { PQclear(result); }
};

namespace {

struct ClearResult {
  void operator()(PGresult* result) const { PQclear(result); }
};

using ResultPointer = std::unique_ptr<PGresult, ClearResult>;

struct Received {
  ResultPointer result;
  bool after_rows = false;
};

}  // namespace

PgResult::PgResult(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

PgResult::PgResult(PgResult&&) noexcept = default;
PgResult& PgResult::operator=(PgResult&&) noexcept = default;
PgResult::~PgResult() = default;

size_t PgResult::rows() const { return static_cast<size_t>(PQntuples(impl_->result)); }

bool PgResult::is_null(size_t row, int column) const {
  return PQgetisnull(impl_->result, static_cast<int>(row), column) != 0;
}

std::string_view PgResult::bytes(size_t row, int column) const {
  const int r = static_cast<int>(row);
  return {PQgetvalue(impl_->result, r, column),
          static_cast<size_t>(PQgetlength(impl_->result, r, column))};
}

int64_t PgResult::bigint(size_t row, int column) const {
  return is_null(row, column) ? 0 : read_big_endian<int64_t>(bytes(row, column).data());
}

int32_t PgResult::integer(size_t row, int column) const {
  return is_null(row, column) ? 0 : read_big_endian<int32_t>(bytes(row, column).data());
}

int16_t PgResult::smallint(size_t row, int column) const {
  return is_null(row, column) ? int16_t{0} : read_big_endian<int16_t>(bytes(row, column).data());
}

bool PgResult::boolean(size_t row, int column) const {
  return !is_null(row, column) && bytes(row, column)[0] != '\0';
}

uint64_t PgResult::affected() const {
  const std::string text = PQcmdTuples(impl_->result);
  return text.empty() ? 0 : std::stoull(text);
}

namespace {

// What a statement is told that names, by numbers or in a plan, what is not there any more: errors
// of syntax and names, a plan that no longer fits, a number that is not found.
bool is_of_schema(std::string_view state) {
  return state.starts_with("42") || state == "0A000" || state == "XX000";
}

constexpr auto kCancelPatience = std::chrono::seconds(1);
constexpr int kCancelsMax = 32;  // At a time; more would only wait for the same server.

// Tells the server to stop what runs on the connection. Then (true) it has been told: a later
// statement does not meet the word of this one. PQcancel() waits for the server without a bound of
// ours, so that a thread of its own does it, which nobody waits for any longer than this.
bool cancel_running(PGconn* connection, Deadline until) {
  static std::atomic<int> running{0};

  struct Order {
    std::unique_ptr<PGcancel, decltype(&PQfreeCancel)> cancel;
    std::promise<bool> told;
  };

  if (running.fetch_add(1) >= kCancelsMax) {
    running.fetch_sub(1);
    return false;
  }
  const auto order = std::make_shared<Order>(Order{{PQgetCancel(connection), &PQfreeCancel}, {}});
  std::future<bool> told = order->told.get_future();
  const auto tell = [order] {
    std::array<char, 256> why{};
    const bool done = order->cancel && PQcancel(order->cancel.get(), why.data(), why.size()) == 1;
    running.fetch_sub(1);
    order->told.set_value(done);
  };
  try {
    std::thread(tell).detach();
  } catch (const std::system_error&) {
    running.fetch_sub(1);
    return false;
  }
  return told.wait_until(until) == std::future_status::ready && told.get();
}

}  // namespace

struct PgConnection::Impl {
  PGconn* connection = nullptr;
  std::unordered_map<std::string, std::string> prepared;
  std::unordered_map<std::string, PgType> types;
  bool lost = false;
  bool outdated = false;  // Statements and types may be those of things that are gone.
  bool late = false;      // The last statement had no answer at its deadline.

  ~Impl() { PQfinish(connection); }

  Committed<void> flush(Deadline deadline) {
    for (;;) {
      const int state = PQflush(connection);
      if (state == 0) return {};
      if (state < 0) return std::unexpected(lost_connection());
      if (wait_for(connection, POLLIN | POLLOUT, deadline) <= 0) {
        return std::unexpected(timed_out());
      }
      if (PQconsumeInput(connection) == 0) return std::unexpected(lost_connection());
    }
  }

  CommitFailure lost_connection() {
    lost = true;
    return CommitFailure::not_known(
        {ErrorCode::kOutcomeUnknown, "PostgreSQL: " + message_of(PQerrorMessage(connection))});
  }

  CommitFailure timed_out() {
    late = true;
    // The answer would come to the next statement: the connection is of no use any more.
    lost = true;
    return CommitFailure::not_known(
        {ErrorCode::kOutcomeUnknown, "PostgreSQL did not answer before the deadline"});
  }

  // As receive(). Without an answer at the deadline the server is told to stop, and its last word
  // on the statement is waited for: then the connection is as it was.
  Committed<Received> receive_or_cancel(Deadline deadline) {
    auto received = receive(deadline);
    if (received || !late) return received;
    const Deadline end = deadline_in(kCancelPatience);
    if (!cancel_running(connection, end)) return received;
    lost = late = false;
    auto last_word = receive(end);
    if (last_word && PQresultStatus(last_word->result.get()) != PGRES_FATAL_ERROR) return received;
    return last_word;
  }

  // The last result; an error wins over rows that came before it. `after_rows`: it did come after
  // rows.
  Committed<Received> receive(Deadline deadline) {
    Received received;
    for (;;) {
      while (PQisBusy(connection)) {
        if (wait_for(connection, POLLIN, deadline) <= 0) return std::unexpected(timed_out());
        if (PQconsumeInput(connection) == 0) return std::unexpected(lost_connection());
      }
      ResultPointer next(PQgetResult(connection));
      if (!next) break;
      if (received.result && PQresultStatus(received.result.get()) == PGRES_FATAL_ERROR) continue;
      received.after_rows = received.result != nullptr;
      received.result = std::move(next);
    }
    if (!received.result || PQstatus(connection) == CONNECTION_BAD) {
      return std::unexpected(lost_connection());
    }
    return received;
  }

  Committed<std::unique_ptr<PgResult::Impl>> checked(Committed<Received> received) {
    if (!received) return std::unexpected(received.error());
    const ExecStatusType status = PQresultStatus(received->result.get());
    if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK) {
      return std::unexpected(failure_of(*received));
    }
    auto holder = std::make_unique<PgResult::Impl>();
    holder->result = received->result.release();
    return holder;
  }

  CommitFailure failure_of(const Received& received) {
    const auto field = [&](int code) {
      const char* text = PQresultErrorField(received.result.get(), code);
      return std::string_view(text == nullptr ? "" : text);
    };
    const SqlFailure failure = classify(field(PG_DIAG_SQLSTATE),
                                        field(PG_DIAG_SEVERITY_NONLOCALIZED), received.after_rows);
    if (failure.session_ends) lost = true;
    if (is_of_schema(field(PG_DIAG_SQLSTATE))) outdated = true;
    const std::string text =
        "PostgreSQL: " + message_of(PQresultErrorMessage(received.result.get())) + " (" +
        std::string(field(PG_DIAG_SQLSTATE)) + ")";
    Error error{failure.code, text};
    return failure.kind == CommitFailure::Kind::kDidNotHappen
               ? CommitFailure::did_not_happen(std::move(error))
               : CommitFailure::not_known(std::move(error));
  }
};

// An error of severity ERROR rolled its transaction back, and so did FATAL, unless rows came before
// it: then the commit may be behind it. PANIC may strike in the middle of a commit, whose record
// then counts after recovery. What has no SQLSTATE comes from libpq itself (no memory for the
// result), which knows nothing of the server's side.
SqlFailure classify(std::string_view state, std::string_view severity, bool after_rows) {
  using Kind = CommitFailure::Kind;
  const bool ends = severity == "FATAL" || severity == "PANIC";
  if (state.empty() || severity == "PANIC" || (ends && after_rows)) {
    return {Kind::kNotKnown, ErrorCode::kOutcomeUnknown, true};
  }
  // statement_completion_unknown
  if (state == "40003") return {Kind::kNotKnown, ErrorCode::kOutcomeUnknown, true};
  if (state == "55P03" || state.starts_with("40")) {
    return {Kind::kDidNotHappen, ErrorCode::kCancelled, ends};
  }
  // confirm_credentials
  if (state == "RC001") return {Kind::kDidNotHappen, ErrorCode::kPermissionDenied, ends};
  // Administrator shutdown, crash, cannot connect now; a server that became a standby: another
  // connection leads to the primary.
  const bool elsewhere = state.starts_with("57P") || state.starts_with("08") || state == "25006";
  // Insufficient resources; the statement took too long.
  const bool later = state.starts_with("53") || state == "57014";
  return {Kind::kDidNotHappen, elsewhere || later ? ErrorCode::kUnavailable : ErrorCode::kInternal,
          ends || elsewhere};
}

namespace {

// What a connection string says, in libpq's order of keywords; nullopt when libpq cannot read it.
using DsnOptions = std::vector<std::pair<std::string, std::string>>;

std::optional<DsnOptions> parse_dsn(const std::string& dsn) {
  char* message = nullptr;
  const std::unique_ptr<PQconninfoOption, decltype(&PQconninfoFree)> options(
      PQconninfoParse(dsn.c_str(), &message), &PQconninfoFree);
  PQfreemem(message);
  if (!options) return std::nullopt;
  DsnOptions out;
  for (const PQconninfoOption* option = options.get(); option->keyword != nullptr; ++option) {
    if (option->val != nullptr) out.emplace_back(option->keyword, option->val);
  }
  return out;
}

std::string write_dsn(const DsnOptions& options) {
  std::string out;
  for (const auto& [keyword, value] : options) {
    out += keyword + "='";
    for (const char c : value) {
      if (c == '\'' || c == '\\') out += '\\';
      out += c;
    }
    out += "' ";
  }
  return out;
}

std::vector<std::string> split(std::string_view list) {
  std::vector<std::string> out;
  for (const auto part : std::views::split(list, ',')) out.emplace_back(std::string_view(part));
  return out;
}

}  // namespace

std::string primary_dsn(const std::string& dsn) {
  auto options = parse_dsn(dsn);
  if (!options) return dsn;
  for (const auto& [keyword, value] :
       {std::pair("target_session_attrs", "read-write"), {"connect_timeout", "5"}}) {
    if (std::ranges::find(*options, keyword, &DsnOptions::value_type::first) == options->end()) {
      options->emplace_back(keyword, value);
    }
  }
  return write_dsn(*options);
}

std::vector<std::string> host_dsns(const std::string& dsn) {
  const auto options = parse_dsn(dsn);
  size_t hosts = 1;
  for (const auto& [keyword, value] : options.value_or(DsnOptions())) {
    if (keyword == "host" || keyword == "hostaddr") hosts = std::max(hosts, split(value).size());
  }
  if (hosts == 1) return {dsn};
  std::vector<std::string> out;
  for (size_t i = 0; i < hosts; ++i) {
    DsnOptions one = *options;
    for (auto& [keyword, value] : one) {
      if (keyword != "host" && keyword != "hostaddr" && keyword != "port") continue;
      const std::vector<std::string> list = split(value);
      if (i < list.size() || list.size() == 1) value = list[std::min(i, list.size() - 1)];
    }
    out.push_back(write_dsn(one));
  }
  return out;
}

namespace {

// A host that vanished without a word is noticed within 25 s, on both sides: its locks, the
// coordinator's among them, are free then. What the connection string says of it counts more here.
PGconn* start_connection(const std::string& dsn) {
  const char* const names[] = {"target_session_attrs",
                               "keepalives_idle",
                               "keepalives_interval",
                               "keepalives_count",
                               "tcp_user_timeout",
                               "dbname",
                               nullptr};
  const char* const values[] = {"read-write", "10", "5", "3", "25000", dsn.c_str(), nullptr};
  return PQconnectStartParams(names, values, 1);
}

}  // namespace

PgConnection::PgConnection(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

PgConnection::~PgConnection() = default;

bool PgConnection::broken() const { return impl_->lost; }

// To who asks nothing a server says only that it ends, or a notice.
bool PgConnection::ended_while_idle() {
  while (!impl_->lost &&
         wait_for(impl_->connection, POLLIN, std::chrono::steady_clock::now()) > 0) {
    impl_->lost =
        PQconsumeInput(impl_->connection) == 0 || PQstatus(impl_->connection) == CONNECTION_BAD;
    while (PGnotify* notification = PQnotifies(impl_->connection)) PQfreemem(notification);
  }
  return impl_->lost;
}

// One that hears nothing from a host would wait for it until the deadline: each of several has its
// share of the time.
Result<std::unique_ptr<PgConnection>> PgConnection::open(const std::string& dsn, Deadline deadline,
                                                         PgPatience patience) {
  const std::vector<std::string> hosts = host_dsns(dsn);
  Result<std::unique_ptr<PgConnection>> opened;
  for (size_t i = 0; i < hosts.size(); ++i) {
    const auto now = std::chrono::steady_clock::now();
    opened = open_host(hosts[i], now + (deadline - now) / static_cast<int64_t>(hosts.size() - i),
                       patience);
    if (opened) break;
  }
  return opened;
}

Result<std::unique_ptr<PgConnection>> PgConnection::open_host(const std::string& dsn,
                                                              Deadline deadline,
                                                              PgPatience patience) {
  auto impl = std::make_unique<Impl>();
  impl->connection = start_connection(dsn);
  if (impl->connection == nullptr) {
    return fail(ErrorCode::kUnavailable, "PostgreSQL: out of memory");
  }
  PostgresPollingStatusType state = PGRES_POLLING_WRITING;
  while (state != PGRES_POLLING_OK) {
    if (PQstatus(impl->connection) == CONNECTION_BAD || state == PGRES_POLLING_FAILED) {
      return fail(ErrorCode::kUnavailable,
                  "PostgreSQL: " + message_of(PQerrorMessage(impl->connection)));
    }
    if (wait_for(impl->connection, state == PGRES_POLLING_READING ? POLLIN : POLLOUT, deadline) <=
        0) {
      return fail(ErrorCode::kUnavailable, "PostgreSQL does not accept the connection in time");
    }
    state = PQconnectPoll(impl->connection);
  }
  // Also one that the connection string allows: nothing can be committed on it.
  if (const char* standby = PQparameterStatus(impl->connection, "in_hot_standby");
      standby != nullptr && std::string_view(standby) == "on") {
    return fail(ErrorCode::kUnavailable, "PostgreSQL: the server is a standby (in recovery)");
  }
  PQsetnonblocking(impl->connection, 1);
  auto connection = std::unique_ptr<PgConnection>(new PgConnection(std::move(impl)));
  const auto set_up = connection->script(
      "set client_min_messages = error; set lock_timeout = " +
          std::to_string(patience.lock.count()) +
          "; set statement_timeout = " + std::to_string(patience.statement.count()) +
          ";"
          "set tcp_keepalives_idle = 10; set tcp_keepalives_interval = 5; set tcp_keepalives_count "
          "= 3; set tcp_user_timeout = 25000;"
          "set plan_cache_mode = force_generic_plan; set enable_seqscan = off; set enable_hashjoin "
          "= off; set enable_mergejoin = off;"
          "set enable_bitmapscan = off; set jit = off; set timezone = 'UTC'",
      deadline);
  if (!set_up) return fail(ErrorCode::kUnavailable, set_up.error().message);
  return connection;
}

Committed<void> PgConnection::script(const std::string& sql, Deadline deadline) {
  if (PQsendQuery(impl_->connection, sql.c_str()) == 0) {
    return std::unexpected(impl_->lost_connection());
  }
  TRY_VOID(impl_->flush(deadline));
  TRY_VOID(impl_->checked(impl_->receive(deadline)));
  return {};
}

// A dump that is restored into the database makes types and functions anew, under the names that
// were looked up.
Committed<void> PgConnection::forget_outdated(Deadline deadline) {
  if (!impl_->outdated) return {};
  if (const auto done = script("deallocate all", deadline); !done) {
    return std::unexpected(
        CommitFailure::did_not_happen({ErrorCode::kUnavailable, done.error().message}));
  }
  impl_->outdated = false;
  impl_->prepared.clear();
  impl_->types.clear();
  return {};
}

// What goes wrong before the statement itself is sent keeps it from happening.
Committed<const std::string*> PgConnection::prepare(const std::string& sql, Deadline deadline) {
  const auto found = impl_->prepared.find(sql);
  if (found != impl_->prepared.end()) return &found->second;
  const std::string name = "s" + std::to_string(impl_->prepared.size());
  const auto send = [&]() -> Committed<void> {
    if (PQsendPrepare(impl_->connection, name.c_str(), sql.c_str(), 0, nullptr) == 0) {
      return std::unexpected(impl_->lost_connection());
    }
    TRY_VOID(impl_->flush(deadline));
    TRY_VOID(impl_->checked(impl_->receive(deadline)));
    return {};
  };
  if (const auto sent = send(); !sent) {
    Error cause = sent.error();
    if (cause.code == ErrorCode::kOutcomeUnknown) cause.code = ErrorCode::kUnavailable;
    return std::unexpected(CommitFailure::did_not_happen(std::move(cause)));
  }
  return &impl_->prepared.emplace(sql, name).first->second;
}

Committed<const PgType*> PgConnection::type(const std::string& name, Deadline deadline) {
  static const std::string sql =
      "select t.oid::bigint, a.attname::text from pg_type t join pg_attribute a on a.attrelid = "
      "t.typrelid and a.attnum > 0"
      " and not a.attisdropped where t.oid = to_regtype($1::text) order by a.attnum";
  TRY_VOID(forget_outdated(deadline));
  const auto found = impl_->types.find(name);
  if (found != impl_->types.end()) return &found->second;
  PgParameters parameters;
  parameters.add_text(name);
  const auto rows = run(sql, parameters, deadline);
  if (!rows) {
    Error cause = rows.error();
    if (cause.code == ErrorCode::kOutcomeUnknown) cause.code = ErrorCode::kUnavailable;
    return std::unexpected(CommitFailure::did_not_happen(std::move(cause)));
  }
  if (rows->rows() == 0) {
    return std::unexpected(CommitFailure::did_not_happen(
        {ErrorCode::kInternal, "the database has no type " + name + ": run `rondel migrate`"}));
  }
  PgType type{static_cast<uint32_t>(rows->bigint(0, 0)), {}};
  for (size_t i = 0; i < rows->rows(); ++i) type.fields.push_back(rows->text(i, 1));
  return &impl_->types.emplace(name, std::move(type)).first->second;
}

Committed<PgResult> PgConnection::run(const std::string& sql, const PgParameters& parameters,
                                      Deadline deadline, AtDeadline at_deadline) {
  TRY_VOID(forget_outdated(deadline));
  TRY(const std::string* const name, prepare(sql, deadline));
  // Whoever waited for it has given up: sent now, it would happen behind what they do next.
  if (std::chrono::steady_clock::now() >= deadline) {
    return std::unexpected(CommitFailure::did_not_happen(
        {ErrorCode::kUnavailable, "PostgreSQL: no time was left to send the statement"}));
  }
  std::vector<const char*> values;
  std::vector<int> lengths;
  const std::vector<int> formats(parameters.size(), 1);
  for (size_t i = 0; i < parameters.size(); ++i) {
    const auto& value = parameters.value(i);
    values.push_back(value ? value->data() : nullptr);
    lengths.push_back(value ? static_cast<int>(value->size()) : 0);
  }
  if (PQsendQueryPrepared(impl_->connection, name->c_str(), static_cast<int>(parameters.size()),
                          values.data(), lengths.data(), formats.data(), 1) == 0) {
    return std::unexpected(impl_->lost_connection());
  }
  TRY_VOID(impl_->flush(deadline));
  auto done = impl_->checked(at_deadline == AtDeadline::kCancel ? impl_->receive_or_cancel(deadline)
                                                                : impl_->receive(deadline));
  if (!done) return std::unexpected(done.error());
  return PgResult(std::move(*done));
}

Result<std::vector<std::string>> PgConnection::notifications(Duration patience) {
  wait_for(impl_->connection, POLLIN, deadline_in(patience));
  if (PQconsumeInput(impl_->connection) == 0) return std::unexpected(impl_->lost_connection());
  std::vector<std::string> payloads;
  while (PGnotify* notify = PQnotifies(impl_->connection)) {
    payloads.emplace_back(notify->extra);
    PQfreemem(notify);
  }
  return payloads;
}

}  // namespace rondel::metadata
