#include "jobs/lifecycle/lifecycle_runner.h"

#include <algorithm>

#include "common/async/event_loop.h"
#include "common/log/log.h"

namespace rondel::lifecycle {

using namespace std::chrono_literals;
using metadata::DeleteObject;
using metadata::LifecyclePage;
using metadata::LifecycleQuery;
using metadata::LifecycleScan;
using metadata::LifecycleVersion;

namespace {

constexpr uint32_t kAccountsPerPage = 100;
constexpr size_t kStepsBehindRules = 4;  // What is looked at again, lone markers, uploads, cursors.
constexpr Duration kPatience = 30s;

// A commit may come after others whose version clock is later: what is younger is left to the next
// run.
constexpr std::chrono::milliseconds kLagMax = 60s;

// Since when a key is due that is being looked at again: before all that changes (0) and locks
// (later) queue, so that one of these meanwhile shows.
constexpr SystemTime kBeingRechecked{-1ms};

lifecycle::Subject subject_of(const LifecycleVersion& version) {
  lifecycle::Subject subject;
  subject.key = version.key;
  subject.size = version.size;
  subject.tags = &version.tags;
  subject.created = version.created;
  subject.delete_marker = version.delete_marker;
  subject.current = version.current;
  subject.lone = version.lone;
  subject.replaced = version.replaced;
  subject.newer_noncurrent = version.newer_noncurrent;
  return subject;
}

// Where the scan of current versions is. By key: 'k', the moment it began, the key. By age: 'a',
// the version.
struct CurrentPosition {
  bool by_key = false;
  SystemTime begun;
  std::string at;
};

std::string encode(const CurrentPosition& position) {
  if (!position.by_key) return "a" + position.at;
  std::string out = "k";
  out.resize(9);
  store_be(reinterpret_cast<std::byte*>(out.data() + 1),
           static_cast<uint64_t>(position.begun.time_since_epoch().count()));
  return out + position.at;
}

CurrentPosition decode(const std::string& text, const lifecycle::Rule& rule, SystemTime until) {
  if (text.empty()) return {rule.filter.prefix && !rule.filter.prefix->empty(), until, ""};
  if (text.front() == 'a' || text.size() < 9) return {false, {}, text.substr(1)};
  const auto begun =
      static_cast<int64_t>(load_be<uint64_t>(reinterpret_cast<const std::byte*>(text.data() + 1)));
  // A pass that a clock began which was ahead of this one: what became old enough only then comes
  // by age.
  return {true, std::min(SystemTime(std::chrono::microseconds(begun)), until), text.substr(9)};
}

// Nine tenths of the time are left to requests.
async::Task<void> rest(SteadyTime begin) {
  const Duration took = std::chrono::steady_clock::now() - begin;
  return async::sleep_for(jobs::Pace::part_of_time(10).rest_after(1, took));
}

// The id above all that were made until then.
std::string version_after(SystemTime time) {
  std::string id(model::VersionId::kBytes, '\0');
  const auto milliseconds =
      std::chrono::floor<std::chrono::milliseconds>(time).time_since_epoch().count();
  store_be(reinterpret_cast<std::byte*>(id.data()),
           (static_cast<uint64_t>(std::max<int64_t>(milliseconds, -1)) + 1) << 16);
  return id;
}

}  // namespace

// One bucket in one run.
struct LifecycleRunner::Work {
  metadata::LifecycleBucket bucket;
  lifecycle::Configuration rules;
  SystemTime now;
  SteadyTime end = {};            // Of its turn.
  bool settings_changed = false;  // Decided under old rules: the rest is left to the next run.
  bool over = false;              // Its turn ended before the step was through.
  Result<void> failure = {};      // Of its last step that failed.
};

LifecycleRunner::LifecycleRunner(LifecycleStores stores, LifecycleOptions options,
                                 const Clock& clock)
    : stores_(stores), options_(options), clock_(clock) {}

LifecycleStatus LifecycleRunner::status() const {
  return {examined_.load(), expired_.load(), removed_.load(),
          aborted_.load(),  locked_.load(),  errors_.load()};
}

bool LifecycleRunner::active() const {
  return term_->is_held() && membership::age_time(options_.ages, clock_).has_value();
}

Duration LifecycleRunner::pause() const {
  // Who is not through goes on; steps leave time to requests by themselves.
  if (!places_.empty()) return 10ms;
  return std::clamp<Duration>(options_.calendar.day / 20, 250ms, 60s);
}

async::Task<Result<void>> LifecycleRunner::run_round(const jobs::Term& term) {
  term_ = &term;
  auto done = co_await run_accounts();
  term_ = nullptr;
  if (!done) errors_.fetch_add(1);
  co_return done;
}

bool LifecycleRunner::go_on(Work& work) const {
  if (!active() || work.settings_changed) return false;
  work.over = clock_.steady_now() >= work.end;
  return !work.over;
}

// What goes wrong in one account must not keep the others waiting for ever.
async::Task<Result<void>> LifecycleRunner::run_accounts() {
  Result<void> outcome;
  std::string after;
  ++round_;
  for (;;) {
    CO_TRY(std::vector<std::string> page,
           co_await stores_.lifecycle.accounts(after, kAccountsPerPage, deadline_in(kPatience)));
    for (const std::string& account : page) {
      if (!active()) co_return outcome;
      auto done = co_await run_account(account);
      if (done) continue;
      outcome = std::move(done);
      // The database is away, for the others too.
      if (outcome.error().code == ErrorCode::kUnavailable) co_return outcome;
    }
    if (page.size() < kAccountsPerPage) break;
    after = std::move(page.back());
  }
  // Those that own no rules any more.
  std::erase_if(places_, [this](const auto& place) { return place.second.round != round_; });
  co_return outcome;
}

// Its buckets in their order, from where the last turn ended: each has a slice of the turn, so that
// one that has much to do keeps the account's others waiting no longer than other accounts.
async::Task<Result<void>> LifecycleRunner::run_account(std::string account) {
  Result<void> outcome;
  AccountPlace place = std::move(places_[account]);
  places_.erase(account);
  place.round = round_;
  const SteadyTime end = clock_.steady_now() + options_.account_slice;
  bool through = false;
  do {
    CO_TRY(
        std::vector<metadata::LifecycleBucket> next,
        co_await stores_.lifecycle.buckets(account, place.after_bucket, 1, deadline_in(kPatience)));
    through = next.empty();
    if (through) break;
    metadata::LifecycleBucket& bucket = next.front();
    place.after_bucket = bucket.id;
    auto rules = lifecycle::decode(bucket.document);
    const auto now = membership::age_time(options_.ages, clock_);
    if (!now) co_return outcome;
    Result<void> done = fail(ErrorCode::kCorruption, "the rules cannot be read");
    BucketPlace inside = std::move(place.buckets[bucket.id]);
    place.buckets.erase(bucket.id);
    const int64_t id = bucket.id;
    if (rules) {
      const SteadyTime bucket_end = std::min(end, clock_.steady_now() + options_.bucket_slice);
      Work work{std::move(bucket), *std::move(rules), *now, bucket_end};
      const bool whole = co_await run_bucket(work, inside);
      if (!whole) place.buckets[id] = std::move(inside);
      done = std::move(work.failure);
    }
    if (done) continue;
    log::warn("lifecycle", "the rules of a bucket were not applied",
              {{"bucket", id}, {"error", done.error().message}});
    outcome = std::unexpected(done.error());
    if (outcome.error().code == ErrorCode::kUnavailable) co_return outcome;
  } while (active() && clock_.steady_now() < end);
  if (through) place.after_bucket = 0;
  if (!through || !place.buckets.empty()) places_[account] = std::move(place);
  co_return outcome;
}

// Its steps are its rules, then what is looked at again, lone markers, uploads and cursors. One
// that fails keeps none of the others from being taken.
async::Task<bool> LifecycleRunner::run_bucket(Work& work, BucketPlace& place) {
  if (place.settings_version != work.bucket.settings_version) {
    place = {work.bucket.settings_version, 0, ""};
  }
  const size_t steps = work.rules.rules.size() + kStepsBehindRules;
  while (place.step < steps) {
    auto done = co_await run_step(work, place.step, place.position);
    if (!done) {
      work.failure = std::move(done);
      work.over = false;
      if (work.failure.error().code == ErrorCode::kUnavailable) co_return true;
    }
    if (work.settings_changed || !active()) co_return true;
    if (work.over) co_return false;
    ++place.step;
    place.position.clear();
    if (clock_.steady_now() >= work.end && place.step < steps) co_return false;
  }
  co_return true;
}

async::Task<Result<void>> LifecycleRunner::run_step(Work& work, size_t step,
                                                    std::string& position) {
  const std::vector<lifecycle::Rule>& rules = work.rules.rules;
  if (step < rules.size()) {
    if (!rules[step].enabled) co_return Result<void>{};
    co_return co_await run_rule(work, rules[step]);
  }
  std::vector<std::string> lines;
  SystemTime uploads_until = SystemTime::min();
  bool markers = false;
  for (const lifecycle::Rule& rule : rules) {
    if (!rule.enabled) continue;
    lines.push_back(lifecycle::encode(rule));
    markers = markers || rule.lone_markers || rule.days || rule.date;
    if (rule.abort_days) {
      uploads_until = std::max(uploads_until, options_.calendar.cutoff(work.now, *rule.abort_days));
    }
  }
  switch (step - rules.size()) {
    case 0: co_return co_await recheck(work);
    case 1:
      if (markers) co_return co_await remove_lone_markers(work, position);
      co_return Result<void>{};
    case 2:
      if (uploads_until != SystemTime::min()) {
        co_return co_await abort_uploads(work, uploads_until, position);
      }
      co_return Result<void>{};
    default:
      co_return co_await stores_.cursors.keep_cursors(work.bucket.id, std::move(lines),
                                                      deadline_in(kPatience));
  }
}

async::Task<Result<void>> LifecycleRunner::run_rule(Work& work, const lifecycle::Rule& rule) {
  const SystemTime settled = work.now - std::min(kLagMax, options_.calendar.day / 4);
  if (rule.days) {
    CO_TRY_VOID(
        co_await expire_current(work, rule, options_.calendar.cutoff(work.now, *rule.days)));
  } else if (rule.date && *rule.date <= work.now) {
    CO_TRY_VOID(co_await expire_current(work, rule, settled));
  }
  if (!rule.noncurrent_days) co_return Result<void>{};
  const SystemTime until = options_.calendar.cutoff(work.now, *rule.noncurrent_days);
  CO_TRY_VOID(co_await remove_noncurrent(work, rule, LifecycleScan::kReplaced, until));
  // A newer noncurrent version may push an old one out of those that are kept.
  if (rule.newer_noncurrent) {
    CO_TRY_VOID(co_await remove_noncurrent(work, rule, LifecycleScan::kArrived, settled));
  }
  co_return Result<void>{};
}

// Calendar::cutoff is never in the future. Were a bound there all the same, its rule would reach
// what is young: nothing is read for it then.
Result<LifecycleQuery> LifecycleRunner::query_for(const Work& work, std::string position,
                                                  SystemTime until) const {
  if (until > work.now) {
    return fail(ErrorCode::kInternal,
                "a lifecycle rule reaches into the future: nothing is removed by it");
  }
  LifecycleQuery query;
  query.bucket_id = work.bucket.id;
  query.position = std::move(position);
  query.until = until;
  query.max = options_.page;
  query.deadline = deadline_in(kPatience);
  return query;
}

async::Task<Result<void>> LifecycleRunner::expire_current(Work& work, const lifecycle::Rule& rule,
                                                          SystemTime until) {
  const std::string line = lifecycle::encode(rule);
  const lifecycle::Configuration alone{{rule}};
  CO_TRY(const std::string stored,
         co_await stores_.cursors.cursor(work.bucket.id, LifecycleScan::kCurrent, line,
                                         deadline_in(kPatience)));
  CurrentPosition position = decode(stored, rule, until);
  for (uint32_t pages = 0; pages < options_.pages_per_rule && (pages == 0 || go_on(work));
       ++pages) {
    const SteadyTime begin = std::chrono::steady_clock::now();
    CO_TRY(LifecycleQuery query,
           query_for(work, position.at, position.by_key ? position.begun : until));
    auto page = position.by_key ? co_await stores_.lifecycle.current_by_key(std::move(query),
                                                                            *rule.filter.prefix)
                                : co_await stores_.lifecycle.current_by_age(std::move(query));
    if (!page) co_return std::unexpected(page.error());
    co_await rest(begin);
    CO_TRY_VOID(co_await apply(work, alone, page->versions));
    if (work.settings_changed) co_return Result<void>{};
    const std::string before = encode(position);
    position.at = std::move(page->position);
    // What was old enough when the pass by key began has been seen; the rest comes by age.
    const bool pass_over = position.by_key && !page->more;
    if (pass_over) position = {false, {}, version_after(position.begun)};
    if (encode(position) != before) {
      CO_TRY_VOID(co_await stores_.cursors.move_cursor(
          work.bucket.id, LifecycleScan::kCurrent, line, encode(position), deadline_in(kPatience)));
    }
    if (!page->more && !pass_over) break;
  }
  co_return Result<void>{};
}

async::Task<Result<void>> LifecycleRunner::remove_noncurrent(Work& work,
                                                             const lifecycle::Rule& rule,
                                                             LifecycleScan scan, SystemTime until) {
  const std::string line = lifecycle::encode(rule);
  const lifecycle::Configuration alone{{rule}};
  CO_TRY(std::string position,
         co_await stores_.cursors.cursor(work.bucket.id, scan, line, deadline_in(kPatience)));
  for (uint32_t pages = 0; pages < options_.pages_per_rule && (pages == 0 || go_on(work));
       ++pages) {
    const SteadyTime begin = std::chrono::steady_clock::now();
    CO_TRY(LifecycleQuery query, query_for(work, position, until));
    query.newer = rule.newer_noncurrent.value_or(0);
    auto page = scan == LifecycleScan::kReplaced
                    ? co_await stores_.lifecycle.replaced(std::move(query))
                    : co_await stores_.lifecycle.pushed_back(std::move(query));
    if (!page) co_return std::unexpected(page.error());
    co_await rest(begin);
    CO_TRY_VOID(co_await apply(work, alone, page->versions));
    if (work.settings_changed) co_return Result<void>{};
    if (page->position != position) {
      position = page->position;
      CO_TRY_VOID(co_await stores_.cursors.move_cursor(work.bucket.id, scan, line, position,
                                                       deadline_in(kPatience)));
    }
    if (!page->more) break;
  }
  co_return Result<void>{};
}

async::Task<Result<void>> LifecycleRunner::remove_lone_markers(Work& work, std::string& position) {
  for (uint32_t pages = 0; pages < options_.pages_per_rule && (pages == 0 || go_on(work));
       ++pages) {
    CO_TRY(LifecycleQuery query, query_for(work, position, work.now));
    CO_TRY(LifecyclePage page, co_await stores_.lifecycle.lone_markers(std::move(query)));
    CO_TRY_VOID(co_await apply(work, work.rules, page.versions));
    if (!page.more) break;
    position = std::move(page.position);
  }
  co_return Result<void>{};
}

async::Task<Result<void>> LifecycleRunner::recheck(Work& work) {
  for (uint32_t pages = 0; pages < options_.pages_per_rule && (pages == 0 || go_on(work));
       ++pages) {
    CO_TRY(std::vector<std::string> keys,
           co_await stores_.rechecks.rechecks(work.bucket.id, work.now, options_.page,
                                              deadline_in(kPatience)));
    if (keys.empty()) break;
    const size_t wanted = keys.size();
    CO_TRY_VOID(co_await recheck_keys(work, keys));
    if (wanted < options_.page && keys.size() == wanted) break;
  }
  co_return Result<void>{};
}

// Leaves in `keys` those that were looked at.
async::Task<Result<void>> LifecycleRunner::recheck_keys(Work& work,
                                                        std::vector<std::string>& keys) {
  CO_TRY_VOID(co_await stores_.rechecks.recheck_later(work.bucket.id, keys, kBeingRechecked,
                                                      deadline_in(kPatience)));
  const SteadyTime begin = std::chrono::steady_clock::now();
  CO_TRY(std::vector<LifecycleVersion> versions,
         co_await stores_.rechecks.versions_of(work.bucket.id, keys, options_.rechecked_versions,
                                               deadline_in(kPatience)));
  co_await rest(begin);
  const bool full = versions.size() == options_.rechecked_versions;
  const std::string last = full ? versions.back().key : "";
  const bool alone = full && versions.front().key == last;
  // The last key may be cut off: it waits, unless it is too much by itself. Then the others do.
  if (full && !alone) {
    std::erase_if(versions, [&](const LifecycleVersion& version) { return version.key == last; });
  }
  if (full) {
    std::erase_if(keys, [&](const std::string& key) { return alone ? key > last : key >= last; });
  }
  CO_TRY_VOID(co_await apply(work, work.rules, versions));
  if (alone) CO_TRY_VOID(co_await recheck_older(work, std::move(versions.back())));
  if (work.settings_changed || !active()) co_return Result<void>{};
  // What a lock keeps was queued anew for later, what was changed meanwhile for now: neither is
  // forgotten.
  co_return co_await stores_.rechecks.forget_rechecks(work.bucket.id, keys, kBeingRechecked,
                                                      deadline_in(kPatience));
}

// The versions of one key behind this one, page by page.
async::Task<Result<void>> LifecycleRunner::recheck_older(Work& work, LifecycleVersion last) {
  const uint32_t max = options_.rechecked_versions;
  while (!work.settings_changed && active()) {
    const SteadyTime begin = std::chrono::steady_clock::now();
    const uint32_t newer = last.current ? 0 : last.newer_noncurrent + 1;
    CO_TRY(std::vector<LifecycleVersion> older,
           co_await stores_.rechecks.older_versions(work.bucket.id, last.key, last.version, newer,
                                                    max, deadline_in(kPatience)));
    co_await rest(begin);
    CO_TRY_VOID(co_await apply(work, work.rules, older));
    if (older.size() < max) break;
    last = std::move(older.back());
  }
  co_return Result<void>{};
}

async::Task<Result<void>> LifecycleRunner::abort_uploads(Work& work, SystemTime until,
                                                         std::string& position) {
  for (uint32_t pages = 0; pages < options_.pages_per_rule && (pages == 0 || go_on(work));
       ++pages) {
    CO_TRY(LifecycleQuery query, query_for(work, position, until));
    CO_TRY(const std::vector<metadata::LifecycleUpload> page,
           co_await stores_.lifecycle.uploads(std::move(query)));
    for (const metadata::LifecycleUpload& upload : page) {
      position = upload.position;
      if (!lifecycle::aborts(work.rules, upload.key, upload.initiated, work.now,
                             options_.calendar)) {
        continue;
      }
      const metadata::CommitContext context{work.bucket.id, work.bucket.settings_version, 0,
                                            deadline_in(kPatience)};
      CO_TRY(const metadata::CommitStatus status,
             co_await stores_.uploads.abort_upload(context, upload.id, upload.key));
      if (status == metadata::CommitStatus::kCommitted) aborted_.fetch_add(1);
      if (status == metadata::CommitStatus::kSettingsChanged) work.settings_changed = true;
      if (!go_on(work)) co_return Result<void>{};  // It may have had thousands of parts.
    }
    if (page.size() < options_.page) break;
  }
  co_return Result<void>{};
}

async::Task<Result<void>> LifecycleRunner::apply(Work& work, const lifecycle::Configuration& rules,
                                                 const std::vector<LifecycleVersion>& versions) {
  examined_.fetch_add(versions.size());
  std::vector<DeleteObject> requests;
  for (const LifecycleVersion& version : versions) {
    const lifecycle::Action action =
        lifecycle::decide(rules, subject_of(version), work.now, options_.calendar);
    if (action == lifecycle::Action::kKeep) continue;
    DeleteObject request;
    request.context = {work.bucket.id, work.bucket.settings_version, 0, deadline_in(kPatience)};
    request.key = version.key;
    request.version = version.version;
    request.versioning = work.bucket.versioning;
    request.owner_account = work.bucket.owner_account;
    request.guard = action == lifecycle::Action::kExpire ? DeleteObject::Guard::kCurrent
                    : version.current                    ? DeleteObject::Guard::kLoneMarker
                                                         : DeleteObject::Guard::kNoncurrent;
    requests.push_back(std::move(request));
    if (requests.size() < options_.batch) continue;
    CO_TRY_VOID(co_await remove(work, std::exchange(requests, {})));
    if (work.settings_changed) co_return Result<void>{};
  }
  if (requests.empty()) co_return Result<void>{};
  co_return co_await remove(work, std::move(requests));
}

async::Task<Result<void>> LifecycleRunner::remove(Work& work, std::vector<DeleteObject> requests) {
  using Status = metadata::CommitStatus;
  const SteadyTime begin = std::chrono::steady_clock::now();
  CO_TRY(const std::vector<metadata::CommitOutcome> outcomes,
         co_await stores_.objects.delete_objects(requests));
  std::vector<std::string> locked;
  for (size_t i = 0; i < outcomes.size(); ++i) {
    const Status status = outcomes[i].status;
    if (status == Status::kCommitted) {
      (requests[i].guard == DeleteObject::Guard::kCurrent ? expired_ : removed_).fetch_add(1);
    }
    if (status == Status::kObjectLocked) locked.push_back(requests[i].key);
    if (status == Status::kSettingsChanged || status == Status::kNoSuchBucket) {
      work.settings_changed = true;
    }
  }
  if (!locked.empty()) {
    locked_.fetch_add(locked.size());
    CO_TRY_VOID(co_await stores_.rechecks.recheck_later(work.bucket.id, std::move(locked),
                                                        work.now + options_.calendar.day,
                                                        deadline_in(kPatience)));
  }
  co_await rest(begin);
  co_return Result<void>{};
}

}  // namespace rondel::lifecycle
