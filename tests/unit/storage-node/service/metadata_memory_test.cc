// What a node remembers of the database, against every state that a database may answer with.
#include "storage-node/service/metadata_memory.h"

#include <gtest/gtest.h>

#include <fstream>
#include <future>

#include "tests/fakes/faulty_file_system.h"
#include "tests/fakes/manual_clock.h"
#include "tests/unit/storage-node/engine/engine_fixture.h"

namespace rondel::node {
namespace {

using namespace std::chrono_literals;
using model::MetadataGeneration;
using model::MetadataMark;
using model::Recognition;

constexpr uint64_t kSystem = 7;
constexpr MetadataMark kMark{10, 1010};
constexpr MetadataMark kNewer{11, 1111};
constexpr MetadataMark kForged{10, 99};  // The same counter in another branch.
// A database that was set back and has run alone since.
constexpr MetadataMark kFarAhead{5000, 42};
constexpr MetadataGeneration kSeen{2, kSystem, kMark, 40};
const model::DiskId kDisk = model::DiskId::random();

class MetadataMemoryTest : public ::testing::Test {
 protected:
  std::unique_ptr<MetadataMemory> open() {
    auto memory = std::make_unique<MetadataMemory>(file_, clock_);
    EXPECT_TRUE(memory->load());
    return memory;
  }

  std::unique_ptr<MetadataMemory> with(const MetadataGeneration& seen) {
    auto memory = open();
    memory->hear({{}, Recognition::kHeld, seen, 5, "", {{kDisk, true}}});
    EXPECT_EQ(memory->seen(), seen);
    return memory;
  }

  void forget() { std::remove(file_.c_str()); }

  engine::TemporaryFolder folder_;
  const std::string file_ = folder_.path() + "/metadata.seen";
  fakes::ManualClock clock_{std::chrono::sys_days(std::chrono::year(2024) / 1 / 1)};
};

TEST_F(MetadataMemoryTest, WhatADatabaseIsToANode) {
  const struct {
    const char* name;
    MetadataGeneration seen, database;
    bool holds_mark;
    uint64_t beats;
    Recognition expected;
  } cases[] = {
      {"first contact", {}, {0, kSystem, kMark, 1}, false, 0, Recognition::kHeld},
      {"the same, a mark further", kSeen, {2, kSystem, kNewer, 41}, true, 40, Recognition::kHeld},
      {"a standby that lost nothing", kSeen, {2, kSystem, kMark, 40}, true, 40, Recognition::kHeld},
      {"a heartbeat recorded whose answer was lost",
       kSeen,
       {2, kSystem, kMark, 42},
       true,
       42,
       Recognition::kHeld},
      {"restored, the mark lost",
       kSeen,
       {2, kSystem, {9, 909}, 0},
       false,
       40,
       Recognition::kMarkMissing},
      {"restored, and run alone far beyond",
       kSeen,
       {2, kSystem, kFarAhead, 0},
       false,
       40,
       Recognition::kMarkMissing},
      {"restored, and come to the same counter",
       kSeen,
       {2, kSystem, kForged, 0},
       false,
       40,
       Recognition::kMarkMissing},
      {"a standby that lost the last seconds",
       kSeen,
       {2, kSystem, kNewer, 0},
       true,
       39,
       Recognition::kBeatMissing},
      {"a database from before the node joined",
       kSeen,
       {2, kSystem, kNewer, 0},
       true,
       0,
       Recognition::kBeatMissing},
      {"another server, with everything",
       kSeen,
       {2, kSystem + 1, kMark, 40},
       true,
       40,
       Recognition::kOtherSystem},
      {"from before a confirmation",
       kSeen,
       {1, kSystem, kMark, 40},
       true,
       40,
       Recognition::kBeforeConfirmation},
      {"confirmed", kSeen, {3, kSystem, {9, 909}, 0}, false, 0, Recognition::kConfirmed},
      {"another server, confirmed",
       kSeen,
       {3, kSystem + 1, {1, 1}, 0},
       false,
       0,
       Recognition::kConfirmed},
  };

  for (const auto& c : cases) {
    SCOPED_TRACE(c.name);
    EXPECT_EQ(model::recognize(c.seen, c.database, c.holds_mark, c.beats), c.expected);
    forget();
    auto memory = open();
    if (c.seen != MetadataGeneration{}) {
      memory->hear({{}, Recognition::kHeld, c.seen, 5, "", {{kDisk, true}}});
    }
    memory->hear({c.seen, c.expected, c.database, 1, "", {{kDisk, true}}});
    const bool taken = model::is_recognized(c.expected);
    EXPECT_EQ(memory->seen(), taken ? c.database : c.seen);
    EXPECT_EQ(memory->may_purge(kDisk), taken);
    MetadataGeneration stored = open()->seen();
    EXPECT_LE(stored.beat, memory->seen().beat) << "the beat alone may fall back";
    stored.beat = memory->seen().beat;
    EXPECT_EQ(stored, memory->seen()) << "after a restart";
  }
}

TEST_F(MetadataMemoryTest, PurgingWaitsForAGatewayThatAnsweredSinceTheStartAndOfLate) {
  EXPECT_FALSE(open()->may_purge(kDisk));
  auto memory = with(kSeen);
  EXPECT_TRUE(memory->may_purge(kDisk));
  EXPECT_FALSE(open()->may_purge(kDisk)) << "after a restart nothing is confirmed";
  clock_.advance(5s);
  EXPECT_TRUE(memory->may_purge(kDisk));
  clock_.advance(1s);
  EXPECT_FALSE(memory->may_purge(kDisk)) << "the database may be another one by now";
  MetadataGeneration asked = kSeen;
  memory->hear({asked, Recognition::kUnknown, {}, 0, "", {{kDisk, true}}});
  EXPECT_FALSE(memory->may_purge(kDisk)) << "the gateway could not ask";
  memory->hear(
      {asked, Recognition::kHeld, kSeen, 0, "garbage collection is halted", {{kDisk, true}}});
  EXPECT_EQ(memory->why_not_purging(kDisk), "garbage collection is halted");
  memory->hear({asked, Recognition::kHeld, kSeen, 0, "", {{kDisk, true}}});
  EXPECT_TRUE(memory->may_purge(kDisk));
  memory->hear(
      {asked, Recognition::kMarkMissing, {2, kSystem, kFarAhead, 0}, 0, "", {{kDisk, true}}});
  EXPECT_FALSE(memory->may_purge(kDisk));
  EXPECT_EQ(memory->seen(), kSeen);
}

// A disk that never opens, or is yet to be looked through, costs no other.
TEST_F(MetadataMemoryTest, EachDiskPurgesOnceItWasLookedThrough) {
  const model::DiskId waits = model::DiskId::random(), late = model::DiskId::random();
  auto memory = open();
  const auto hear = [&](const std::string& stopped, std::map<model::DiskId, bool> disks) {
    memory->hear({memory->seen(), Recognition::kHeld, kSeen, 5, stopped, std::move(disks)});
  };
  hear("", {{kDisk, true}, {waits, false}});
  EXPECT_TRUE(memory->may_purge(kDisk));
  EXPECT_FALSE(memory->may_purge(waits));
  EXPECT_FALSE(memory->may_purge(late)) << "nobody was asked about it";
  EXPECT_FALSE(memory->may_purge({}));

  hear("", {{kDisk, true}, {waits, false}, {late, false}});
  EXPECT_TRUE(memory->may_purge(kDisk));
  EXPECT_FALSE(memory->may_purge(late)) << "it joined and is yet to be looked through";

  hear("garbage collection is halted", {{kDisk, true}, {waits, true}, {late, true}});
  for (const auto& disk : {kDisk, waits, late}) EXPECT_FALSE(memory->may_purge(disk));

  hear("", {{kDisk, false}, {waits, true}, {late, true}});
  EXPECT_FALSE(memory->may_purge(kDisk)) << "looked through for an older order only";
  EXPECT_TRUE(memory->may_purge(waits));
  EXPECT_TRUE(memory->may_purge(late));

  hear("", {{kDisk, true}});
  EXPECT_FALSE(memory->may_purge(waits)) << "an answer holds for the disks it is about";
}

TEST_F(MetadataMemoryTest, AnAnswerAboutWhatIsNotRememberedAnyMoreSaysNothing) {
  auto memory = with(kSeen);
  memory->hear({kSeen, Recognition::kHeld, {2, kSystem, kNewer, 40}, 5, "", {{kDisk, true}}});
  memory->hear(
      {kSeen, Recognition::kMarkMissing, {2, kSystem, kForged, 0}, 0, "", {{kDisk, true}}});
  EXPECT_TRUE(memory->may_purge(kDisk));
  EXPECT_EQ(memory->seen().mark, kNewer);
}

// What an order says of the database is compared with what gateways have told. Nothing of it is
// remembered, however high it is.
TEST_F(MetadataMemoryTest, OrdersShowTheNodesLastMarkAndNothingUnheard) {
  constexpr uint64_t kHuge = uint64_t{1} << 62;

  const struct {
    const char* name;
    MetadataGeneration seen;
    OrderOrigin order;
    OrderRefusal expected;
  } cases[] = {
      {"shown, with the same", kSeen, {5, {2, kSystem, kMark, 0}, kMark, 70}, OrderRefusal::kNone},
      {"shown, by a look that is older",
       kSeen,
       {5, {2, kSystem, {9, 909}, 0}, kMark, 1},
       OrderRefusal::kNone},
      {"shown, with a newer mark",
       kSeen,
       {5, {2, kSystem, kNewer, 0}, kMark},
       OrderRefusal::kUnheard},
      {"a later number", kSeen, {5, {2, kSystem, kMark, 0}, kMark, 71}, OrderRefusal::kUnheard},
      {"a higher token", kSeen, {6, {2, kSystem, kMark, 0}, kMark}, OrderRefusal::kUnheard},
      {"a later confirmation", kSeen, {1, {3, kSystem, {9, 909}, 0}, {}}, OrderRefusal::kUnheard},
      {"first contact", {}, {1, {0, kSystem, kMark, 0}, {}}, OrderRefusal::kUnheard},
      {"a number that leaps",
       kSeen,
       {5, {2, kSystem, kMark, 0}, kMark, kHuge},
       OrderRefusal::kUnheard},
      {"a token that leaps", kSeen, {kHuge, {2, kSystem, kMark, 0}, kMark}, OrderRefusal::kUnheard},
      {"a mark that leaps", kSeen, {5, {2, kSystem, {kHuge, 1}, 0}, kMark}, OrderRefusal::kUnheard},
      {"a confirmation that leaps",
       kSeen,
       {5, {kHuge, kSystem, kMark, 0}, kMark},
       OrderRefusal::kUnheard},
      {"all of it, before the first contact",
       {},
       {kHuge, {kHuge, kHuge, {kHuge, 1}, kHuge}, {}, kHuge},
       OrderRefusal::kUnheard},
      {"its newest mark is the node's",
       kSeen,
       {5, {2, kSystem, kMark, 0}, {}},
       OrderRefusal::kNone},
      {"nothing shown", kSeen, {5, {2, kSystem, {9, 909}, 0}, {}}, OrderRefusal::kDatabase},
      {"an older mark shown",
       kSeen,
       {5, {2, kSystem, {9, 909}, 0}, {9, 909}},
       OrderRefusal::kDatabase},
      {"another branch", kSeen, {5, {2, kSystem, kForged, 0}, kForged}, OrderRefusal::kDatabase},
      {"another branch, far ahead: a gateway tells which",
       kSeen,
       {5, {2, kSystem, kFarAhead, 0}, kForged},
       OrderRefusal::kUnheard},
      {"another system", kSeen, {5, {2, kSystem + 1, kNewer, 0}, kMark}, OrderRefusal::kDatabase},
      {"from before a confirmation",
       kSeen,
       {9, {1, kSystem, kMark, 0}, kMark},
       OrderRefusal::kDatabase},
      {"a lower token", kSeen, {4, {2, kSystem, kMark, 0}, kMark}, OrderRefusal::kCoordinator},
  };

  for (const auto& c : cases) {
    SCOPED_TRACE(c.name);
    forget();
    auto memory = open();
    if (c.seen != MetadataGeneration{}) {
      memory->hear({{}, Recognition::kHeld, c.seen, 5, "", {{kDisk, true}}, 70});
    }
    int asked = 0;
    memory->on_unheard([&] { ++asked; });
    EXPECT_EQ(memory->accept(c.order), c.expected);
    EXPECT_EQ(asked, c.expected == OrderRefusal::kUnheard ? 1 : 0) << "a gateway is asked then";
    EXPECT_EQ(memory->seen(), c.seen);
    EXPECT_EQ(open()->seen(), c.seen);
    const OrderOrigin right{5, {2, kSystem, kMark, 0}, kMark, 70};
    const bool known = c.seen != MetadataGeneration{};
    EXPECT_EQ(memory->accept(right), known ? OrderRefusal::kNone : OrderRefusal::kUnheard)
        << "it obeys as before";
  }
}

TEST_F(MetadataMemoryTest, WhatAGatewayTellsMakesAnOrderHeard) {
  auto memory = with(kSeen);
  const OrderOrigin order{6, {2, kSystem, kNewer, 0}, {}, 9};
  EXPECT_EQ(memory->accept(order), OrderRefusal::kUnheard);
  memory->hear({kSeen, Recognition::kHeld, {2, kSystem, kNewer, 41}, 6, "", {}, 9});
  EXPECT_EQ(memory->accept(order), OrderRefusal::kNone);
  EXPECT_EQ(open()->seen().mark, kNewer) << "it is on the disk before an order is carried out";
  EXPECT_TRUE(memory->heard_of(9));
  EXPECT_FALSE(memory->heard_of(10));
  EXPECT_TRUE(open()->heard_of(9)) << "after a restart too";

  memory->hear(
      {memory->seen(), Recognition::kMarkMissing, {2, kSystem, kFarAhead, 0}, 99, "", {}, 1000});
  EXPECT_TRUE(memory->heard_of(1000)) << "a restore is taken from any state of the database";
  EXPECT_FALSE(memory->heard_of(1001));

  memory->hear({memory->seen(), Recognition::kConfirmed, {3, kSystem, {1, 1}, 0}, 2, "", {}, 5});
  EXPECT_EQ(memory->accept({2, {3, kSystem, {1, 1}, 0}, {1, 1}, 5}), OrderRefusal::kNone)
      << "tokens begin again under a later confirmation";
  EXPECT_TRUE(memory->heard_of(9)) << "orders do not";
}

// A coordinator that read its order from the database before is refused as soon as one gateway has
// told that another one is there.
TEST_F(MetadataMemoryTest, NoOrderIsTakenWhileTheDatabaseIsAnotherOne) {
  for (const Recognition heard : {Recognition::kBeforeConfirmation, Recognition::kOtherSystem,
                                  Recognition::kMarkMissing, Recognition::kBeatMissing}) {
    SCOPED_TRACE(model::describe(heard));
    forget();
    auto memory = with(kSeen);
    const OrderOrigin order{5, {2, kSystem, kMark, 0}, kMark};
    memory->hear({kSeen, heard, {2, kSystem, kFarAhead, 0}, 0, "", {{kDisk, true}}});
    EXPECT_EQ(memory->accept(order), OrderRefusal::kDatabase);
    EXPECT_EQ(memory->seen(), kSeen);
    memory->hear({kSeen, Recognition::kUnknown, {}, 0, "", {{kDisk, true}}});
    EXPECT_EQ(memory->accept(order), OrderRefusal::kDatabase) << "nothing new was heard";
    memory->hear({kSeen, Recognition::kHeld, kSeen, 0, "", {{kDisk, true}}});
    EXPECT_EQ(memory->accept(order), OrderRefusal::kNone);

    memory->hear({memory->seen(), heard, {2, kSystem, kFarAhead, 0}, 0, "", {{kDisk, true}}});
    memory->hear({memory->seen(), Recognition::kConfirmed, {3, kSystem, {9, 909}, 0}, 1, "", {}});
    EXPECT_EQ(memory->accept({1, {3, kSystem, {9, 909}, 0}, {9, 909}}), OrderRefusal::kNone)
        << "a later confirmation";
  }
}

TEST_F(MetadataMemoryTest, WhatCannotBeWrittenIsNeitherObeyedNorBelieved) {
  MetadataMemory memory(folder_.path() + "/gone/metadata.seen", clock_);
  ASSERT_TRUE(memory.load());
  memory.hear({{}, Recognition::kHeld, kSeen, 5, "", {{kDisk, true}}, 9});
  EXPECT_EQ(memory.accept({5, kSeen, kMark, 9}), OrderRefusal::kUnheard);
  EXPECT_FALSE(memory.may_purge(kDisk));
  EXPECT_EQ(memory.seen(), MetadataGeneration{});
}

// Orders come on threads that others need too.
TEST_F(MetadataMemoryTest, AFileWhoseWritingHangsHoldsUpNoOrder) {
  fakes::FaultyFileSystem files(fs::posix_file_system());
  MetadataMemory memory(file_, clock_, files, 1ms);
  ASSERT_TRUE(memory.load());
  memory.hear({{}, Recognition::kHeld, kSeen, 5, "", {{kDisk, true}}});
  files.set({fakes::Operation::kOpen, fakes::Fault::kHang, "metadata.seen"});
  const MetadataMemory::Answer answer{kSeen, Recognition::kHeld, {2, kSystem, kNewer, 41}, 5,
                                      "",    {{kDisk, true}}};
  auto hangs = std::async(std::launch::async, [&] { memory.hear(answer); });
  files.await_hit();
  EXPECT_EQ(memory.accept({5, {2, kSystem, kMark, 0}, kMark}), OrderRefusal::kNone);
  EXPECT_EQ(memory.accept({5, {2, kSystem, kNewer, 0}, kMark}), OrderRefusal::kUnheard);
  EXPECT_TRUE(memory.may_purge(kDisk));
  memory.hear(answer);
  EXPECT_EQ(memory.seen(), kSeen);
  EXPECT_FALSE(memory.may_purge(kDisk)) << "what was heard cannot be kept";
  files.clear();
  hangs.get();
  EXPECT_EQ(memory.accept({5, {2, kSystem, kNewer, 0}, {}}), OrderRefusal::kNone);
}

TEST_F(MetadataMemoryTest, ADamagedFileIsNoEmptyMemory) {
  for (const char* text : {"", "2 1 7\n", "1 1 1 1 1 1\n", "3 1 1 1 1 1\n", "words\n"}) {
    std::ofstream(file_, std::ios::trunc) << text;
    MetadataMemory memory(file_, clock_);
    EXPECT_EQ(memory.load().error().code, ErrorCode::kCorruption) << text;
  }
}

}  // namespace
}  // namespace rondel::node
