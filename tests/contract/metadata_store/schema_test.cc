// The schema as migrations and files of functions make it, and who may use it.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <fstream>
#include <regex>
#include <set>
#include <sstream>

#include "metadata/connection/pg_connection.h"
#include "metadata/connection/sql_names.h"
#include "metadata/connection/version_attributes.h"
#include "metadata/postgres/migrator.h"
#include "metadata/store/commit_result.h"
#include "tests/contract/metadata_store/postgres_server.h"

namespace rondel::metadata {
namespace {

using namespace std::chrono_literals;

Schema own_schema() { return load_schema(RONDEL_MIGRATIONS).value(); }

// A connection to a database of its own, which is gone with it.
class Database {
 public:
  explicit Database(const std::string& name) : name_(name) {
    server("create database " + name_);
    connection_ = PgConnection::open(dsn(), deadline_in(60s)).value();
  }

  ~Database() {
    connection_.reset();
    server("drop database " + name_ + " with (force)");
  }

  std::string dsn() const { return postgres_dsn() + " dbname=" + name_; }

  void script(const std::string& sql) {
    const auto done = connection_->script(sql, deadline_in(60s));
    ASSERT_TRUE(done) << done.error().message;
  }

  // The first column of all rows.
  std::vector<std::string> texts(const std::string& sql) {
    const auto rows = connection_->run(sql, {}, deadline_in(60s));
    EXPECT_TRUE(rows) << rows.error().message;
    std::vector<std::string> out;
    for (size_t i = 0; rows && i < rows->rows(); ++i) out.push_back(rows->text(i, 0));
    return out;
  }

 private:
  static void server(const std::string& sql) {
    const auto connection = PgConnection::open(postgres_dsn(), deadline_in(60s)).value();
    const auto done = connection->script(sql, deadline_in(60s));
    ASSERT_TRUE(done) << done.error().message;
  }

  std::string name_;
  std::unique_ptr<PgConnection> connection_;
};

void expect_refused(const Result<void>& answer, const std::string& words) {
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, ErrorCode::kPrecondition);
  EXPECT_TRUE(answer.error().message.contains(words)) << answer.error().message;
  EXPECT_FALSE(answer.error().message.contains('\n'));
}

TEST(Migrator, AppliesOnceAndRefusesNewerSchemas) {
  const Schema schema = own_schema();
  EXPECT_EQ(*migrate(postgres_dsn(), schema), static_cast<int>(schema.migrations.size()));
  EXPECT_EQ(migrate(postgres_dsn(), {}).error().code, ErrorCode::kPrecondition);
  EXPECT_TRUE(check_server(postgres_dsn()));
  EXPECT_EQ(schema_number(), static_cast<int>(schema.migrations.size()));
}

// A file that was edited in place, or made by a build that kept no digests, is another schema
// under the same number.
TEST(Migrator, RefusesADatabaseThatAnotherTextOfAMigrationMade) {
  Database database("edited");
  const Schema schema = own_schema();
  ASSERT_TRUE(migrate(database.dsn(), schema));
  const auto refused = [&](const Schema& own, const std::string& named) {
    const auto version = migrate(database.dsn(), own);
    const std::string begin =
        "the database was made by another build of Rondel whose formats are not those of this"
        " one: ";
    expect_refused(version ? Result<void>() : std::unexpected(version.error()), begin);
    EXPECT_TRUE(version.error().message.contains(named)) << version.error().message;
  };
  for (size_t i = 0; i < schema.migrations.size(); ++i) {
    Schema edited = schema;
    edited.migrations[i].sql += "\n";
    refused(edited, fmt::format("{:04}_{}", i + 1, edited.migrations[i].name));
    Schema renamed = schema;
    renamed.migrations[i].name += "_again";
    refused(renamed, fmt::format("{:04}", i + 1));
  }
  database.script("update schema_migrations set digest = null where number = 1");
  refused(schema, "0001_" + schema.migrations[0].name);
}

TEST(Migrator, AppliesAFileOfFunctionsWhenItsTextIsAnother) {
  Database database("functions");
  Schema schema = own_schema();
  ASSERT_TRUE(migrate(database.dsn(), schema));
  EXPECT_EQ(database.texts("select file from schema_functions order by file").size(),
            schema.functions.size());
  database.script("update schema_functions set applied_at = 'epoch'");
  const std::string again = "select file from schema_functions where applied_at > 'epoch'";

  ASSERT_TRUE(migrate(database.dsn(), schema));
  EXPECT_EQ(database.texts(again), std::vector<std::string>{});

  for (FunctionFile& file : schema.functions) {
    if (file.name == "clock") {
      file.sql +=
          "create or replace function added() returns text"
          " language sql as $$ select ':' || 'x'::text $$;";
    }
  }
  ASSERT_TRUE(migrate(database.dsn(), schema));
  EXPECT_EQ(database.texts(again), std::vector<std::string>{"clock"});
  EXPECT_EQ(database.texts("select added()"), std::vector<std::string>{":x"});
}

// Whatever is wrong in one file, nothing of any of them is there afterwards.
TEST(Migrator, AppliesAllFunctionsOrNone) {
  Database database("broken");
  for (const char* wrong : {"select :CommitStatus.kNoSuchName;", "this is no SQL;",
                            "create function wrong() returns void language plpgsql as"
                            " $$ begin if; end $$;",
                            "create function wrong() returns int language sql as"
                            " $$ select missing from nowhere $$;",
                            "select ':columns(no_such_table)';"}) {
    Schema schema = own_schema();
    schema.functions.back().sql += wrong;
    EXPECT_FALSE(migrate(database.dsn(), schema)) << wrong;
    EXPECT_EQ(database
                  .texts("select proname::text from pg_proc"
                         " where pronamespace = current_schema()::regnamespace")
                  .size(),
              0u)
        << wrong;
  }
}

TEST(Migrator, AFolderWithoutFunctionsIsNone) {
  const auto loaded = load_schema(std::string(RONDEL_MIGRATIONS) + "/functions");
  ASSERT_FALSE(loaded);
  EXPECT_EQ(loaded.error().code, ErrorCode::kInvalidArgument);
}

TEST(CheckSchema, ComparesWhatIsThereWithWhatTheProgramWasMadeFor) {
  Database database("checked");
  const int own = schema_number();
  expect_refused(check_schema(database.dsn()), "run `rondel migrate`");
  ASSERT_TRUE(migrate(database.dsn(), own_schema()));
  EXPECT_TRUE(check_schema(database.dsn()));
  database.script("update cluster set min_binary = 1");
  // A rolling upgrade: the database is ahead of this program, and still serves it.
  EXPECT_TRUE(check_schema(database.dsn(), own - 1));
  expect_refused(check_schema(database.dsn(), own + 1), "run `rondel migrate`");
  database.script(fmt::format("update cluster set min_binary = {}", own));
  EXPECT_TRUE(check_schema(database.dsn()));
  expect_refused(check_schema(database.dsn(), own - 1), "use a newer one");
}

TEST(SqlNames, AreThoseOfTheEnums) {
  EXPECT_EQ(named_sql("return :CommitStatus.kEncrypted;"),
            fmt::format("return {};", static_cast<int>(CommitStatus::kEncrypted)));
  EXPECT_EQ(named_sql(":Guard.kLoneMarker :Versioning.kNever :Limit.kPartBytesMin"), "3 0 5242880");
  // What only looks like a name.
  for (const char* text : {"a::text", "a::Type.kind", "x[i:j]", "x[:Column]", "':'", ":name.kIs"}) {
    EXPECT_EQ(named_sql(text), text);
  }
  EXPECT_FALSE(with_names(":CommitStatus.kNoSuchName"));
  EXPECT_FALSE(with_names(":NoSuchEnum.kName"));
}

// No status, mode or kind is a bare number in what is applied.
TEST(SqlNames, NoBareNumberStandsForOne) {
  const std::regex bare(R"((refusal\(\d)|(return \d+;)|(\bstatus *(:=|<>|=) *\d))"
                        R"(|(\b(versionings?(\[i\])?|wanted|current|context|modes?(\[i\])?)"
                        R"(|guards?(\[i\])?|choice|kind|retain_mode|recognition|r|mask))"
                        R"( *(<>|=|&|<=|>) *\d))");
  const auto expect_none = [&](const std::string& name, const std::string& sql) {
    std::istringstream lines(sql);
    for (std::string line; std::getline(lines, line);) {
      EXPECT_FALSE(std::regex_search(line, bare)) << name << ": " << line;
    }
  };
  const Schema schema = own_schema();
  for (const Migration& file : schema.migrations) expect_none(file.name, file.sql);
  for (const FunctionFile& file : schema.functions) expect_none(file.name, file.sql);
}

// The rows of one go into the other as they are.
TEST(Tables, ObjectsAndVersionsHaveTheSameColumns) {
  Database database("columns");
  ASSERT_TRUE(migrate(database.dsn(), own_schema()));
  const auto columns = [&](const std::string& table) {
    return database.texts(
        "select attname || ' ' || format_type(atttypid, atttypmod) from"
        " pg_attribute where attrelid = '" +
        table +
        "'::regclass and attnum > 0"
        " and not attisdropped order by attnum");
  };
  EXPECT_EQ(columns("objects"), columns("versions"));
  // And the program knows the fields of the attributes, in their order.
  std::vector<std::string> known;
  for (const AttributeField& field : attribute_fields()) {
    known.push_back(fmt::format("{} {}", field.name, PgArray::name_of(field.type)));
  }
  EXPECT_EQ(columns("attributes"), known);
}

// A gateway of the last release calls functions as it knows them while a new one has made the
// database its own. `migrations/signatures` is the list of what was ever called; only when
// `min_binary` is past the last program that called a function is its line taken out.
TEST(Functions, KeepTheirSignaturesAndAreNeverOverloaded) {
  Database database("signatures");
  ASSERT_TRUE(migrate(database.dsn(), own_schema()));
  const auto there = database.texts(
      "select p.proname || '(' || pg_get_function_arguments(p.oid) || ') returns '"
      " || pg_get_function_result(p.oid) from pg_proc p"
      " where pronamespace = current_schema()::regnamespace"
      " and proname !~ '^attributes_[0-9]+$'");
  std::vector<std::string> listed;
  std::ifstream file(std::string(RONDEL_MIGRATIONS) + "/signatures");
  for (std::string line; std::getline(file, line);) listed.push_back(line);
  const std::set<std::string> made(there.begin(), there.end()), kept(listed.begin(), listed.end());
  for (const std::string& line : listed) {
    EXPECT_TRUE(made.contains(line))
        << "gone or changed, though a running gateway may call it: " << line
        << "\n  Give what is new a new name, and keep this one until min_binary passes.";
  }
  for (const std::string& line : there) {
    EXPECT_TRUE(kept.contains(line)) << "add to migrations/signatures: " << line;
  }
  EXPECT_EQ(database.texts("select proname::text from pg_proc where pronamespace ="
                           " current_schema()::regnamespace group by 1 having count(*) > 1"),
            std::vector<std::string>{});
}

// What is made of the fields of a type follows it, and what an older program calls stays.
TEST(Functions, OneMoreAttributeLeavesWhatIsCalledToday) {
  Database database("attribute");
  Schema schema = own_schema();
  ASSERT_TRUE(migrate(database.dsn(), schema));
  const std::string own = attributes_function();
  const std::string made =
      "select proname::text from pg_proc where proname ~ '^attributes_'"
      " order by length(proname) desc, proname desc";
  ASSERT_EQ(database.texts(made).front(), own);
  const std::string put =
      "select status::text from put_objects(array[row({}, 0, 0, null, 'k{}', '0123456789abcde{}', "
      "0, 1,"
      " 'e', 'o', null, null, null, null, 0, null, null, null, null)::put_row], array[" +
      own + "({})])";
  database.script(
      "insert into accounts (id, canonical_id, name, display_name)"
      " values ('000000000001', 'c', 'n', 'd');"
      "insert into buckets (id, name, owner_account, region)"
      " values (1, 'b', '000000000001', '')");
  std::string values;
  for (const AttributeField& field : attribute_fields()) {
    if (!values.empty()) values += ", ";
    values += fmt::format("a_{} => {}", field.name, field.name == "acl" ? "'a'" : "null");
  }
  EXPECT_EQ(database.texts(fmt::format(fmt::runtime(put), 1, 1, 1, values)),
            std::vector<std::string>{"1"});

  schema.migrations.push_back({static_cast<int>(schema.migrations.size()) + 1, "one_more",
                               "alter type attributes add attribute one_more bytea;"});
  ASSERT_TRUE(migrate(database.dsn(), schema));
  const auto now = database.texts(made);
  EXPECT_EQ(now.front(), fmt::format("attributes_{}", attribute_fields().size() + 1));
  EXPECT_EQ(now.at(1), own);
  // As a program of before says it, then as one that knows the new field.
  EXPECT_EQ(database.texts(fmt::format(fmt::runtime(put), 1, 2, 2, values)),
            std::vector<std::string>{"1"});
  EXPECT_EQ(database.texts("select count(*)::text from objects where (attributes).acl = 'a'"
                           " and (attributes).one_more is null"),
            std::vector<std::string>{"2"});
  EXPECT_EQ(database.texts(fmt::format(
                "select encode((change_attributes((select attributes from objects limit 1),"
                " {}({}, a_one_more => 'new'), array['one_more'])).one_more, 'escape')",
                now.front(), values)),
            std::vector<std::string>{"new"});
}

}  // namespace
}  // namespace rondel::metadata
