// Every number and date of the S3 API, through router and handlers: the range it takes, and the
// error on both sides of it.
#include "tests/unit/gateway/api/access_fixture.h"

#include "tests/unit/gateway/number_field.h"

namespace rondel::api {
namespace {

using tests::NumberField;

constexpr uint64_t kInt32Max = INT32_MAX;
constexpr uint64_t kInt64Max = INT64_MAX;
constexpr uint64_t kObjectBytes = 1000;
const std::string kUploadQuery = "uploadId=" + std::string(32, 'a');

// What was asked of the store counts as taken: the store refuses every change by itself.
std::string ask(std::string_view method, const Asked& asked) {
  AccessFixture fixture;
  fixture.box.object_lock = true;
  fixture.box.versioning = asked.target.contains("retention") ? metadata::Versioning::kEnabled
                                                              : metadata::Versioning::kNever;
  fixture.store.object.size = kObjectBytes;
  metadata::Part part;
  part.number = 1;
  part.etag = "e";
  part.size = kObjectBytes;
  fixture.uploads.parts = {part};
  const Told told = fixture.ask(Who::kOwner, method, asked);
  return told.changes > 0 ? "OK" : told.code;
}

using Outcome = std::function<std::string(const std::string&)>;

Outcome document(std::string method, std::string target, std::string before, std::string after) {
  return [=](const std::string& text) { return ask(method, {target, {}, before + text + after}); };
}

Outcome parameter(std::string method, std::string target,
                  std::vector<std::pair<std::string, std::string>> headers = {},
                  std::string body = {}) {
  return [=](const std::string& text) {
    return ask(method, {target + percent_encode(text, false), headers, body});
  };
}

Outcome header(std::string method, std::string target, std::string name,
               std::vector<std::pair<std::string, std::string>> more = {}, std::string body = {}) {
  return [=](const std::string& text) {
    auto headers = more;
    headers.emplace_back(name, text);
    return ask(method, {target, headers, body});
  };
}

Outcome lifecycle(const std::string& before, const std::string& after) {
  return document("PUT", "/box?lifecycle",
                  "<LifecycleConfiguration><Rule><Status>Enabled</Status>" + before,
                  after + "</Rule></LifecycleConfiguration>");
}

const std::string kFiltered = "<Filter/>";

Outcome lock(const std::string& unit) {
  return document("PUT", "/box?object-lock",
                  "<ObjectLockConfiguration><ObjectLockEnabled>Enabled</"
                  "ObjectLockEnabled><Rule><DefaultRetention><Mode>GOVERNANCE</Mode><" +
                      unit + ">",
                  "</" + unit + "></DefaultRetention></Rule></ObjectLockConfiguration>");
}

const std::string kComplete =
    "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>e</ETag></Part></"
    "CompleteMultipartUpload>";

// A part that is not there was understood.
Outcome any_part(Outcome outcome) {
  return [=](const std::string& text) {
    const std::string code = outcome(text);
    return code == "InvalidPartNumber" || code == "InvalidPart" ? "OK" : code;
  };
}

std::vector<NumberField> number_fields() {
  const std::string xml = "MalformedXML", argument = "InvalidArgument", request = "InvalidRequest",
                    period = "InvalidRetentionPeriod", offset = "InvalidWriteOffset";
  const auto days = [&](std::string name, Outcome outcome) {
    return NumberField{name, outcome, 1, kInt32Max, argument, xml, argument, xml, xml, true};
  };
  const auto listed = [&](std::string name, Outcome outcome) {
    return NumberField{name, outcome, 0, kInt32Max, argument, argument, argument, argument, "OK"};
  };
  const auto part = [&](std::string name, Outcome outcome) {
    return NumberField{name,     any_part(outcome), 1,        10'000,  argument,
                       argument, argument,          argument, argument};
  };
  const std::string kAttributes = "/box/k?attributes";
  const std::pair<std::string, std::string> kWanted{"x-amz-object-attributes", "ObjectParts"};
  return {
      days("lifecycle Expiration Days",
           lifecycle(kFiltered + "<Expiration><Days>", "</Days></Expiration>")),
      days("lifecycle NoncurrentDays",
           lifecycle(kFiltered + "<NoncurrentVersionExpiration><NoncurrentDays>",
                     "</NoncurrentDays></NoncurrentVersionExpiration>")),
      days("lifecycle DaysAfterInitiation",
           lifecycle(kFiltered + "<AbortIncompleteMultipartUpload><DaysAfterInitiation>",
                     "</DaysAfterInitiation></AbortIncompleteMultipartUpload>")),
      {"lifecycle NewerNoncurrentVersions",
       lifecycle(kFiltered + "<NoncurrentVersionExpiration><NoncurrentDays>1</"
                             "NoncurrentDays><NewerNoncurrentVersions>",
                 "</NewerNoncurrentVersions></NoncurrentVersionExpiration>"),
       1, 100, argument, argument, argument, xml, xml, true, xml, kInt32Max},
      {"lifecycle ObjectSizeGreaterThan",
       lifecycle("<Filter><ObjectSizeGreaterThan>",
                 "</ObjectSizeGreaterThan></Filter><Expiration><Days>1</Days></Expiration>"),
       0, kInt64Max, xml, xml, xml, xml, xml, true},
      {"lifecycle ObjectSizeLessThan",
       lifecycle("<Filter><ObjectSizeLessThan>",
                 "</ObjectSizeLessThan></Filter><Expiration><Days>1</Days></Expiration>"),
       0, kInt64Max, xml, xml, xml, xml, xml, true},
      {"object lock Days", lock("Days"), 1, 36'500, period, period, period, xml, xml, true},
      {"object lock Years", lock("Years"), 1, 100, period, period, period, xml, xml, true},
      {"CORS MaxAgeSeconds",
       document("PUT", "/box?cors",
                "<CORSConfiguration><CORSRule><AllowedOrigin>*</AllowedOrigin><AllowedMethod>GET</"
                "AllowedMethod><MaxAgeSeconds>",
                "</MaxAgeSeconds></CORSRule></CORSConfiguration>"),
       0, kInt32Max, xml, xml, xml, xml, xml, true},
      {"complete PartNumber",
       any_part(document("POST", "/box/k?" + kUploadQuery,
                         "<CompleteMultipartUpload><Part><PartNumber>",
                         "</PartNumber><ETag>e</ETag></Part></CompleteMultipartUpload>")),
       1, 10'000, argument, argument, argument, argument, argument, true},
      {"delete Size",
       document("POST", "/box?delete", "<Delete><Object><Key>k</Key><Size>",
                "</Size></Object></Delete>"),
       0, kInt64Max, xml, xml, xml, xml, xml, true},
      listed("max-keys", parameter("GET", "/box?max-keys=")),
      listed("max-keys of version 2", parameter("GET", "/box?list-type=2&max-keys=")),
      listed("max-keys of versions", parameter("GET", "/box?versions&max-keys=")),
      listed("max-uploads", parameter("GET", "/box?uploads&max-uploads=")),
      listed("max-parts", parameter("GET", "/box/k?" + kUploadQuery + "&max-parts=")),
      listed("part-number-marker",
             parameter("GET", "/box/k?" + kUploadQuery + "&part-number-marker=")),
      listed("x-amz-max-parts", header("GET", kAttributes, "x-amz-max-parts", {kWanted})),
      listed("x-amz-part-number-marker",
             header("GET", kAttributes, "x-amz-part-number-marker", {kWanted})),
      {"max-buckets", parameter("GET", "/?max-buckets="), 1, 10'000, argument, argument, argument,
       argument, "OK"},
      part("partNumber of GET", parameter("GET", "/box/k?partNumber=")),
      part("partNumber of HEAD", parameter("HEAD", "/box/k?partNumber=")),
      part("partNumber of a part", parameter("PUT", "/box/k?" + kUploadQuery + "&partNumber=")),
      part("partNumber of a copied part",
           parameter("PUT", "/box/k?" + kUploadQuery + "&partNumber=",
                     {{"x-amz-copy-source", "/open/k"}})),
      {"x-amz-write-offset-bytes", header("PUT", "/box/k", "x-amz-write-offset-bytes"),
       kObjectBytes, kObjectBytes, offset, offset, argument, argument, argument},
      {"x-amz-mp-object-size",
       header("POST", "/box/k?" + kUploadQuery, "x-amz-mp-object-size", {}, kComplete),
       kObjectBytes, kObjectBytes, request, request, request, request, request},
      {"x-amz-if-match-size", header("DELETE", "/box/k", "x-amz-if-match-size"), 0, kInt64Max,
       argument, argument, argument, argument, argument},
  };
}

TEST(NumberFields, EveryOneTakesItsRangeAndRefusesTheRest) {
  for (const NumberField& field : number_fields()) {
    SCOPED_TRACE(field.name);
    tests::check(field);
  }
}

// A range that is none is no range; what begins behind the object cannot be had.
TEST(NumberFields, RangesEndAtTheObject) {
  struct Row {
    std::string range;
    std::string code;
  };

  const std::string huge = "9223372036854775808", past = "18446744073709551616",
                    far = "999999999999999999999999999999";
  std::vector<Row> rows{
      {"bytes=0-0", "OK"},          {"bytes=999-", "OK"}, {"bytes=1000-", "InvalidRange"},
      {"bytes=-0", "InvalidRange"}, {"bytes=-1", "OK"},   {"bytes=1.5-2", "OK"},
      {"bytes=0x1-2", "OK"},        {"bytes=1e3-", "OK"}, {"bytes=+1000-", "OK"},
      {"bytes=5-4", "OK"},          {"bytes=", "OK"},     {"", "OK"}};
  for (const std::string& end :
       {huge, past, far, std::to_string(UINT64_MAX), std::to_string(kInt64Max)}) {
    rows.push_back({"bytes=0-" + end, "OK"});
    rows.push_back({"bytes=-" + end, "OK"});
    rows.push_back({"bytes=" + end + "-", "InvalidRange"});
    rows.push_back({"bytes=" + end + "-" + end, "InvalidRange"});
  }
  const auto get = header("HEAD", "/box/k", "Range");
  for (const Row& row : rows) EXPECT_EQ(get(row.range), row.code) << row.range;

  const auto copy = header("PUT", "/box/k?partNumber=1&" + kUploadQuery, "x-amz-copy-source-range",
                           {{"x-amz-copy-source", "/box/k"}});
  for (const std::string& end : {huge, past, far, std::to_string(UINT64_MAX),
                                 std::to_string(kInt64Max), std::string("1000")}) {
    EXPECT_EQ(copy("bytes=0-" + end), "InvalidRange") << end;
    EXPECT_EQ(copy("bytes=" + end + "-" + end), "InvalidRequest") << end;
    EXPECT_EQ(copy("bytes=-" + end), "InvalidArgument") << end;
    EXPECT_EQ(copy("bytes=" + end + "-"), "InvalidArgument") << end;
    EXPECT_EQ(copy("bytes=" + end + "-0"), "InvalidArgument") << end;
  }
}

struct CountField {
  std::string name;
  std::function<std::string(size_t)> outcome;  // Of so many of them.
  size_t min = 0;
  size_t max = 0;
  std::string below;
  std::string above;
};

Outcome whole(std::string method, std::string target) {
  return [=](const std::string& body) { return ask(method, {target, {}, body}); };
}

// So many times the same element, "#" being its number.
std::string repeated(size_t count, const std::string& element) {
  std::string out;
  for (size_t i = 1; i <= count; ++i) {
    for (const char c : element) out += c == '#' ? std::to_string(i) : std::string(1, c);
  }
  return out;
}

CountField counted(std::string name, const Outcome& outcome, std::string root, std::string element,
                   size_t min, size_t max, std::string below, std::string above) {
  const auto made = [=](size_t count) {
    const std::string end = root.substr(0, root.find(' '));
    return outcome("<" + root + ">" + repeated(count, element) + "</" + end + ">");
  };
  return {std::move(name), made, min, max, std::move(below), std::move(above)};
}

TEST(CountFields, EveryListEndsWhereItSays) {
  const std::string xml = "MalformedXML", request = "InvalidRequest", tag = "InvalidTag";
  const std::string one_tag = "<Tag><Key>k#</Key><Value>v</Value></Tag>";
  const std::string cors_rule =
      "<CORSRule><AllowedOrigin>*</AllowedOrigin>"
      "<AllowedMethod>GET</AllowedMethod></CORSRule>";
  const std::string rule =
      "<Rule><ID>#</ID><Filter/><Status>Enabled</Status>"
      "<Expiration><Days>1</Days></Expiration></Rule>";
  const auto tags = [](const std::string& target) {
    return [=](const std::string& set) {
      return ask("PUT", {target, {}, "<Tagging>" + set + "</Tagging>"});
    };
  };
  const auto header_tags = [](size_t count) {
    return ask("PUT", {"/box/k", {{"x-amz-tagging", repeated(count, "k#=v&")}}});
  };
  const auto parts = any_part(whole("POST", "/box/k?" + kUploadQuery));
  const CountField fields[] = {
      counted("entries of a batch delete", whole("POST", "/box?delete"), "Delete",
              "<Object><Key>k#</Key></Object>", 1, 1000, xml, xml),
      counted("parts of a Complete", parts, "CompleteMultipartUpload",
              "<Part><PartNumber>#</PartNumber><ETag>x</ETag></Part>", 1, 10'000, xml,
              "InvalidArgument"),
      counted("rules of CORS", whole("PUT", "/box?cors"), "CORSConfiguration", cors_rule, 1, 100,
              xml, request),
      counted("rules of a lifecycle", whole("PUT", "/box?lifecycle"), "LifecycleConfiguration",
              rule, 1, 1000, xml, request),
      counted(
          "tags of a lifecycle filter",
          [](const std::string& list) {
            return ask("PUT", {"/box?lifecycle",
                               {},
                               "<LifecycleConfiguration><Rule><Filter>" + list +
                                   "</Filter><Status>Enabled</Status><Expiration><Days>1</Days></"
                                   "Expiration></Rule></LifecycleConfiguration>"});
          },
          "And", one_tag, 1, 10, xml, tag),
      counted("tags of an object", tags("/box/k?tagging"), "TagSet", one_tag, 0, 10, "", tag),
      counted("tags of a bucket", tags("/box?tagging"), "TagSet", one_tag, 0, 50, "", "BadRequest"),
      {"x-amz-tagging", header_tags, 0, 10, "", "BadRequest"},
  };
  for (const CountField& field : fields) {
    SCOPED_TRACE(field.name);
    if (field.min > 0) EXPECT_EQ(field.outcome(field.min - 1), field.below);
    EXPECT_EQ(field.outcome(field.min), "OK");
    EXPECT_EQ(field.outcome(field.max), "OK");
    EXPECT_EQ(field.outcome(field.max + 1), field.above);
  }
}

struct DateField {
  std::string name;
  Outcome outcome;
  std::string past;       // Of a time that is over; the clock is in 2023.
  std::string other;      // No date, or none of the years 1 to 9999.
  bool midnight = false;  // Days alone.
};

TEST(DateFields, EveryOneEndsWithTheCalendar) {
  const std::string xml = "MalformedXML", argument = "InvalidArgument";
  const DateField fields[] = {
      {"lifecycle Expiration Date",
       lifecycle(kFiltered + "<Expiration><Date>", "</Date></Expiration>"), "OK", xml, true},
      {"RetainUntilDate",
       document("PUT", "/box/k?retention", "<Retention><Mode>GOVERNANCE</Mode><RetainUntilDate>",
                "</RetainUntilDate></Retention>"),
       argument, xml},
      {"x-amz-object-lock-retain-until-date",
       header("PUT", "/box/k", "x-amz-object-lock-retain-until-date",
              {{"x-amz-object-lock-mode", "GOVERNANCE"}}),
       argument, argument},
      {"x-amz-if-match-last-modified-time",
       header("DELETE", "/box/k", "x-amz-if-match-last-modified-time"), "OK", argument},
      {"delete LastModifiedTime",
       document("POST", "/box?delete", "<Delete><Object><Key>k</Key><LastModifiedTime>",
                "</LastModifiedTime></Object></Delete>"),
       "OK", xml},
      {"If-Modified-Since", header("HEAD", "/box/k", "If-Modified-Since"), "OK", "OK"},
      {"If-Unmodified-Since", header("HEAD", "/box/k", "If-Unmodified-Since"), "OK", "OK"},
      {"x-amz-copy-source-if-modified-since",
       header("PUT", "/box/k", "x-amz-copy-source-if-unmodified-since",
              {{"x-amz-copy-source", "/open/k"}}),
       "OK", "OK"},
  };
  for (const DateField& field : fields) {
    SCOPED_TRACE(field.name);
    EXPECT_EQ(field.outcome("2030-01-01T00:00:00Z"), "OK");
    EXPECT_EQ(field.outcome("9999-12-31T00:00:00Z"), "OK");
    EXPECT_EQ(field.outcome("9999-12-31T00:00:00.000Z"), "OK");
    if (!field.midnight) EXPECT_EQ(field.outcome("9999-12-31T23:59:59Z"), "OK");
    if (field.past != "OK" || field.other != "OK") {
      EXPECT_EQ(field.outcome("1970-01-02T00:00:00Z"), field.past);
    }
    for (const char* text : {"",
                             " ",
                             "0000-01-01T00:00:00Z",
                             "9999-12-31T23:59:60Z",
                             "10000-01-01T00:00:00Z",
                             "99999-01-01T00:00:00Z",
                             "292277-01-10T00:00:00Z",
                             "-001-01-01T00:00:00Z",
                             "+2030-01-01T00:00:00Z",
                             "2030-13-01T00:00:00Z",
                             "2030-00-01T00:00:00Z",
                             "2030-02-30T00:00:00Z",
                             "2030-01-32T00:00:00Z",
                             "2030-01-01T24:00:00Z",
                             "2030-01-01T00:60:00Z",
                             "0x7ee-01-01T00:00:00Z",
                             "1e3",
                             "1893456000",
                             "9223372036854775807",
                             "18446744073709551616",
                             "999999999999999999999999999999",
                             "2030-01-01T00:00:00Z!",
                             "Tue, 01 Jan 12030 00:00:00 GMT"}) {
      EXPECT_EQ(field.outcome(text), field.other) << text;
    }
  }
}

}  // namespace
}  // namespace rondel::api
