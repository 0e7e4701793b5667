#include "gateway/s3/lifecycle_document.h"

#include <gtest/gtest.h>

namespace rondel::s3 {
namespace {

std::string rule(const std::string& inside, const std::string& filter = "<Filter/>") {
  return "<LifecycleConfiguration><Rule><ID>one</ID>" + filter + "<Status>Enabled</Status>" +
         inside + "</Rule></LifecycleConfiguration>";
}

std::string error_of(const std::string& text) {
  const auto parsed = parse_lifecycle_document(text, "seed");
  return parsed ? "none" : std::string(name(parsed.error().code));
}

TEST(LifecycleDocument, EveryFilterAndActionIsReadAndWritten) {
  const std::string text =
      "<LifecycleConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">"
      "<Rule><ID>a</ID><Prefix>logs/</Prefix><Status>Enabled</Status><Expiration><Days>3</Days></"
      "Expiration></Rule>"
      "<Rule><ID>b</ID><Filter><Tag><Key>k</Key><Value>v</Value></Tag></Filter><Status>Disabled</"
      "Status>"
      "<Expiration><Date>2031-02-03T00:00:00.000Z</Date></Expiration></Rule>"
      "<Rule><ID>c</ID><Filter><And><Prefix>p</Prefix><Tag><Key>k</Key><Value>v</Value></"
      "Tag><Tag><Key>l</Key><Value/></Tag>"
      "<ObjectSizeGreaterThan>5</ObjectSizeGreaterThan><ObjectSizeLessThan>9</ObjectSizeLessThan></"
      "And></Filter><Status>Enabled</Status>"
      "<NoncurrentVersionExpiration><NoncurrentDays>2</NoncurrentDays><NewerNoncurrentVersions>4</"
      "NewerNoncurrentVersions>"
      "</NoncurrentVersionExpiration></Rule>"
      "<Rule><ID>d</ID><Filter><Prefix></Prefix></Filter><Status>Enabled</Status>"
      "<Expiration><ExpiredObjectDeleteMarker>true</ExpiredObjectDeleteMarker></Expiration>"
      "<AbortIncompleteMultipartUpload><DaysAfterInitiation>1</DaysAfterInitiation></"
      "AbortIncompleteMultipartUpload></Rule>"
      "<Rule><Filter><ObjectSizeLessThan>7</ObjectSizeLessThan></Filter><Status>Enabled</"
      "Status><Expiration><Days>1</Days></Expiration></Rule>"
      "</LifecycleConfiguration>";
  const auto parsed = parse_lifecycle_document(text, "seed");
  ASSERT_TRUE(parsed) << parsed.error().message;
  ASSERT_EQ(parsed->rules.size(), 5u);
  EXPECT_EQ(parsed->rules[0].filter.form, lifecycle::Filter::Form::kPrefixElement);
  EXPECT_EQ(parsed->rules[2].filter.tags.size(), 2u);
  EXPECT_EQ(parsed->rules[2].newer_noncurrent, 4u);
  EXPECT_TRUE(parsed->rules[3].lone_markers);
  EXPECT_EQ(parsed->rules[4].id, "seed-5");
  const auto again = parse_lifecycle_document(write_lifecycle_document(*parsed), "other");
  ASSERT_TRUE(again);
  EXPECT_EQ(*again, *parsed);
}

// Clients that write every element send the marker's with false; true asks for another action.
TEST(LifecycleDocument, AMarkerThatIsNotAskedForStandsBesideDaysAndDates) {
  const std::string days = "<Days>3</Days>", date = "<Date>2031-02-03T00:00:00Z</Date>";
  const auto marker = [](const std::string& value) {
    return "<ExpiredObjectDeleteMarker>" + value + "</ExpiredObjectDeleteMarker>";
  };
  const auto read = [](const std::string& expiration) {
    return parse_lifecycle_document(
        "<LifecycleConfiguration><Rule><Filter/><Status>Enabled</Status><Expiration>" + expiration +
            "</Expiration></Rule></LifecycleConfiguration>",
        "seed");
  };
  for (const std::string& taken :
       {days, date, marker("true"), marker("false"), days + marker("false"), marker("false") + days,
        date + marker("false")}) {
    const auto parsed = read(taken);
    ASSERT_TRUE(parsed) << taken;
    EXPECT_EQ(parsed->rules[0].keeps_lone_markers, taken.contains("false")) << taken;
    EXPECT_EQ(parsed->rules[0].days.has_value(), taken.contains("Days")) << taken;
    const std::string again = write_lifecycle_document(*parsed);
    EXPECT_EQ(again.contains(marker("false")), taken.contains("false")) << again;
    EXPECT_EQ(*parse_lifecycle_document(again, "seed"), *parsed) << taken;
  }
  for (const std::string& refused :
       {std::string(), days + marker("true"), date + marker("true"), days + date, days + days,
        days + marker("nil"), days + marker("")}) {
    const auto parsed = read(refused);
    ASSERT_FALSE(parsed) << refused;
    EXPECT_EQ(name(parsed.error().code), "MalformedXML") << refused;
  }
}

TEST(LifecycleDocument, PredicatesSideBySideMeanAnd) {
  const auto rule = [](const std::string& filter) {
    return "<LifecycleConfiguration><Rule><ID>a</ID><Filter>" + filter +
           "</Filter><Status>Enabled</Status><Expiration><Days>1</Days></Expiration></Rule></"
           "LifecycleConfiguration>";
  };
  const std::string both = "<Prefix>a</Prefix><Tag><Key>k</Key><Value>v</Value></Tag>";
  const auto beside = parse_lifecycle_document(rule(both), "seed");
  ASSERT_TRUE(beside) << beside.error().message;
  EXPECT_EQ(*beside, *parse_lifecycle_document(rule("<And>" + both + "</And>"), "seed"));
  const auto mixed =
      parse_lifecycle_document(rule("<Prefix>a/b</Prefix><And><Prefix>a</Prefix><Tag><Key>k</"
                                    "Key><Value>v</Value></Tag></And>"),
                               "seed");
  ASSERT_TRUE(mixed) << mixed.error().message;
  EXPECT_EQ(mixed->rules[0].filter.prefix, "a/b");
  EXPECT_EQ(mixed->rules[0].filter.tags.size(), 1u);
}

TEST(LifecycleDocument, RefusalsAreThoseOfTheReference) {
  const std::string days = "<Expiration><Days>1</Days></Expiration>";
  EXPECT_EQ(error_of(rule(days)), "none");
  EXPECT_EQ(error_of("<LifecycleConfiguration/>"), "MalformedXML");
  EXPECT_EQ(error_of("<Other/>"), "MalformedXML");
  EXPECT_EQ(error_of(rule("<Expiration><Days>0</Days></Expiration>")), "InvalidArgument");
  EXPECT_EQ(error_of(rule("<Expiration><Days>-1</Days></Expiration>")), "InvalidArgument");
  EXPECT_EQ(error_of(rule("<Expiration><Days>x</Days></Expiration>")), "MalformedXML");
  EXPECT_EQ(error_of(rule("<Expiration/>")), "MalformedXML");
  EXPECT_EQ(error_of(rule("<Expiration><Days>1</Days><Date>2031-02-03</Date></Expiration>")),
            "MalformedXML");
  EXPECT_EQ(error_of(rule("<Expiration><Date>2031-02-03T01:00:00Z</Date></Expiration>")),
            "InvalidArgument");
  EXPECT_EQ(error_of(rule("<Expiration><Date>20310203</Date></Expiration>")), "MalformedXML");
  EXPECT_EQ(error_of(rule(days + days)), "MalformedXML");
  EXPECT_EQ(error_of(rule("")), "InvalidRequest");
  EXPECT_EQ(error_of(rule(days, "")), "MalformedXML");
  EXPECT_EQ(error_of(rule(days, "<Prefix/><Filter/>")), "MalformedXML");
  EXPECT_EQ(
      error_of(rule(days, "<Filter><Prefix>a</Prefix><And><Prefix>b</Prefix></And></Filter>")),
      "MalformedXML");
  EXPECT_EQ(error_of(rule(days, "<Filter><Prefix>a</Prefix><Prefix>b</Prefix></Filter>")),
            "MalformedXML");
  EXPECT_EQ(error_of(rule(days,
                          "<Filter><And><Tag><Key>k</Key><Value>v</Value></Tag><Tag><Key>k</"
                          "Key><Value>w</Value></Tag></And></Filter>")),
            "InvalidRequest");
  EXPECT_EQ(error_of(rule(
                days,
                "<Filter><And><ObjectSizeGreaterThan>5</"
                "ObjectSizeGreaterThan><ObjectSizeLessThan>5</ObjectSizeLessThan></And></Filter>")),
            "InvalidRequest");
  EXPECT_EQ(
      error_of(rule(days, "<Filter><Prefix>" + std::string(1025, 'p') + "</Prefix></Filter>")),
      "InvalidRequest");
  EXPECT_EQ(error_of(rule("<NoncurrentVersionExpiration><NewerNoncurrentVersions>1</"
                          "NewerNoncurrentVersions></NoncurrentVersionExpiration>")),
            "MalformedXML");
  EXPECT_EQ(error_of(rule("<NoncurrentVersionExpiration><NoncurrentDays>0</NoncurrentDays></"
                          "NoncurrentVersionExpiration>")),
            "InvalidArgument");
  EXPECT_EQ(error_of(rule("<NoncurrentVersionExpiration><NoncurrentDays>1</"
                          "NoncurrentDays><NewerNoncurrentVersions>101</NewerNoncurrentVersions></"
                          "NoncurrentVersionExpiration>")),
            "InvalidArgument");
  const std::string tag = "<Filter><Tag><Key>k</Key><Value>v</Value></Tag></Filter>";
  EXPECT_EQ(error_of(rule("<AbortIncompleteMultipartUpload><DaysAfterInitiation>1</"
                          "DaysAfterInitiation></AbortIncompleteMultipartUpload>",
                          tag)),
            "InvalidRequest");
  EXPECT_EQ(
      error_of(rule(
          "<Expiration><ExpiredObjectDeleteMarker>true</ExpiredObjectDeleteMarker></Expiration>",
          tag)),
      "InvalidRequest");
  EXPECT_EQ(
      error_of(rule("<Transition><Days>1</Days><StorageClass>GLACIER</StorageClass></Transition>")),
      "NotImplemented");
  EXPECT_EQ(
      error_of(rule("<Transition><Days>1</Days><StorageClass>CELLAR</StorageClass></Transition>")),
      "InvalidStorageClass");
  EXPECT_EQ(error_of("<LifecycleConfiguration><Rule><ID>" + std::string(256, 'i') +
                     "</ID><Filter/><Status>Enabled</Status>" + days +
                     "</Rule></LifecycleConfiguration>"),
            "InvalidArgument");
  const std::string one = "<Rule><ID>same</ID><Filter/><Status>Enabled</Status>" + days + "</Rule>";
  EXPECT_EQ(error_of("<LifecycleConfiguration>" + one + one + "</LifecycleConfiguration>"),
            "InvalidArgument");
  EXPECT_EQ(error_of("<LifecycleConfiguration><Rule><Filter/><Status>enabled</Status>" + days +
                     "</Rule></LifecycleConfiguration>"),
            "MalformedXML");
  std::string many;
  for (int i = 0; i <= 1000; ++i) {
    many += "<Rule><Filter/><Status>Enabled</Status>" + days + "</Rule>";
  }
  EXPECT_EQ(error_of("<LifecycleConfiguration>" + many + "</LifecycleConfiguration>"),
            "InvalidRequest");
}

}  // namespace
}  // namespace rondel::s3
