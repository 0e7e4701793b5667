#include "metadata/postgres/postgres_directory.h"

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <unordered_map>

#include "metadata/postgres/pg_connection.h"

namespace rondel::metadata {
namespace {

using namespace std::chrono_literals;

constexpr size_t kEntriesMax = 20'000;
constexpr auto kUncertainLife = 1s;    // While no notification channel is up.
constexpr auto kCertainLife = 60s;
constexpr auto kUndoubted = 1ms;

// Values by name, null for names that do not exist. Safe for concurrent use.
template <class Value>
class Cache {
 public:
  using Pointer = std::shared_ptr<const Value>;

  struct Lookup {
    bool found = false;
    Pointer value;
    uint64_t generation = 0;
  };

  Lookup find(const std::string& name, SteadyTime now, Duration life) const {
    std::lock_guard lock(mutex_);
    const auto entry = entries_.find(name);
    if (entry == entries_.end() || now - entry->second.stored_at > life) return {false, nullptr, generation_};
    return {true, entry->second.value, generation_};
  }

  // Dropped when anything was forgotten since `generation`: the value may be older than that change.
  void store(const std::string& name, Pointer value, SteadyTime now, uint64_t generation) {
    std::lock_guard lock(mutex_);
    if (generation != generation_) return;
    if (entries_.size() >= kEntriesMax) entries_.erase(entries_.begin());
    entries_[name] = {std::move(value), now};
  }

  void forget(const std::string& name) {
    std::lock_guard lock(mutex_);
    ++generation_;
    entries_.erase(name);
  }

  // True: forgotten.
  bool forget_older(const std::string& name, SteadyTime than) {
    std::lock_guard lock(mutex_);
    const auto entry = entries_.find(name);
    if (entry == entries_.end() || entry->second.stored_at >= than) return false;
    ++generation_;
    entries_.erase(entry);
    return true;
  }

  void clear() {
    std::lock_guard lock(mutex_);
    ++generation_;
    entries_.clear();
  }

 private:
  struct Entry {
    Pointer value;
    SteadyTime stored_at;
  };

  mutable std::mutex mutex_;
  std::unordered_map<std::string, Entry> entries_;
  uint64_t generation_ = 0;
};

class PostgresDirectory final : public Directory {
 public:
  PostgresDirectory(MetadataStore& store, std::string dsn, const Clock& clock)
      : store_(store), dsn_(std::move(dsn)), clock_(clock), listener_([this] { listen(); }) {}

  ~PostgresDirectory() override {
    {
      std::lock_guard lock(stop_mutex_);
      stopping_ = true;
    }
    stop_.notify_all();
    listener_.join();
  }

  async::Task<Result<std::shared_ptr<const Bucket>>> find_bucket(std::string name, Deadline deadline) override {
    auto known = buckets_.find(name, clock_.steady_now(), life());
    if (known.found) co_return known.value;
    CO_TRY(BucketOutcome outcome, co_await store_.find_bucket(name, deadline));
    std::shared_ptr<const Bucket> value;
    if (outcome.status == BucketStatus::kOk) value = std::make_shared<const Bucket>(std::move(outcome.bucket));
    buckets_.store(name, value, clock_.steady_now(), known.generation);
    co_return value;
  }

  async::Task<Result<std::shared_ptr<const Credential>>> find_credential(std::string access_key, Deadline deadline) override {
    auto known = credentials_.find(access_key, clock_.steady_now(), life());
    if (known.found) co_return known.value;
    CO_TRY(std::optional<Credential> credential, co_await store_.find_credential(access_key, deadline));
    std::shared_ptr<const Credential> value;
    if (credential) value = std::make_shared<const Credential>(*std::move(credential));
    credentials_.store(access_key, value, clock_.steady_now(), known.generation);
    co_return value;
  }

  async::Task<Result<std::shared_ptr<const Account>>> find_account(AccountName name, Deadline deadline) override {
    const std::string key = static_cast<char>(name.kind) + name.value;
    auto known = accounts_.find(key, clock_.steady_now(), life());
    if (known.found) co_return known.value;
    CO_TRY(std::optional<Account> account, co_await store_.find_account(std::move(name), deadline));
    std::shared_ptr<const Account> value;
    if (account) value = std::make_shared<const Account>(*std::move(account));
    accounts_.store(key, value, clock_.steady_now(), known.generation);
    co_return value;
  }

  void forget_bucket(const std::string& name) override { buckets_.forget(name); }
  bool doubt_bucket(const std::string& name) override { return buckets_.forget_older(name, clock_.steady_now() - kUndoubted); }

 private:
  Duration life() const { return listening_.load() ? Duration(kCertainLife) : Duration(kUncertainLife); }

  bool pause(Duration duration) {
    std::unique_lock lock(stop_mutex_);
    return stop_.wait_for(lock, duration, [this] { return stopping_; });
  }

  void listen() {
    while (!pause(0ms)) {
      follow();
      listening_ = false;
      if (pause(500ms)) return;
    }
  }

  // Until the connection breaks. Whatever changed before LISTEN is not told: everything cached until then goes.
  void follow() {
    auto connection = PgConnection::open(dsn_, deadline_in(3s));
    if (!connection || !(*connection)->script("listen rondel_directory", deadline_in(3s))) return;
    clear();
    listening_ = true;
    while (!pause(0ms)) {
      const auto payloads = (*connection)->notifications(500ms);
      if (!payloads) break;
      for (const std::string& payload : *payloads) apply(payload);
      if (!payloads->empty()) continue;
      // A silent peer that is gone: found out within a few seconds.
      if (clock_.steady_now() - checked_at_ > 1s) {
        if (!(*connection)->script("select 1", deadline_in(1s))) break;
        checked_at_ = clock_.steady_now();
      }
    }
    clear();
  }

  void apply(const std::string& payload) {
    if (payload.empty()) return;
    const std::string name = payload.substr(1);
    switch (payload.front()) {
      case 'b': return buckets_.forget(name);
      case 'k': return credentials_.forget(name);
      default: return clear();  // An account: its keys and the names its buckets carry.
    }
  }

  void clear() {
    buckets_.clear();
    credentials_.clear();
    accounts_.clear();
  }

  MetadataStore& store_;
  const std::string dsn_;
  const Clock& clock_;
  Cache<Bucket> buckets_;
  Cache<Credential> credentials_;
  Cache<Account> accounts_;
  std::atomic<bool> listening_{false};
  SteadyTime checked_at_{};
  std::mutex stop_mutex_;
  std::condition_variable stop_;
  bool stopping_ = false;
  std::thread listener_;  // Last: it uses the rest.
};

}  // namespace

std::unique_ptr<Directory> make_postgres_directory(MetadataStore& store, std::string dsn, const Clock& clock) {
  return std::make_unique<PostgresDirectory>(store, std::move(dsn), clock);
}

}  // namespace rondel::metadata
