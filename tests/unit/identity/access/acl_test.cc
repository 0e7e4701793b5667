#include "identity/access/acl.h"

#include <gtest/gtest.h>

#include "identity/access/access_settings.h"
#include "identity/access/grant_header.h"

namespace rondel::access {
namespace {

const policy::Caller owner{"1", "own", false};
const policy::Caller other{"2", "oth", false};
const policy::Caller anonymous;

TEST(Acl, CannedOnesGiveWhatTheirNamesSay) {
  struct Row {
    CannedAcl canned;
    policy::Permission permission;
    bool other, anonymous;
  };

  for (const Row& row :
       {Row{CannedAcl::kPrivate, policy::Permission::kRead, false, false},
        Row{CannedAcl::kPublicRead, policy::Permission::kRead, true, true},
        Row{CannedAcl::kPublicRead, policy::Permission::kWrite, false, false},
        Row{CannedAcl::kPublicReadWrite, policy::Permission::kWrite, true, true},
        Row{CannedAcl::kAuthenticatedRead, policy::Permission::kRead, true, false},
        Row{CannedAcl::kAwsExecRead, policy::Permission::kRead, false, false},
        Row{CannedAcl::kLogDeliveryWrite, policy::Permission::kWrite, false, false},
        Row{CannedAcl::kPublicRead, policy::Permission::kReadAcp, false, false}}) {
    const Acl acl = expand_canned(row.canned, "own", "own");
    EXPECT_EQ(acl.allows(row.permission, other, false), row.other);
    EXPECT_EQ(acl.allows(row.permission, anonymous, false), row.anonymous);
    EXPECT_FALSE(acl.allows(row.permission, other, true)) << "public grants were to be ignored";
    EXPECT_TRUE(acl.allows(policy::Permission::kFullControl, owner, false));
  }
}

TEST(Acl, BucketOwnersGetTheirShareOfForeignObjects) {
  const policy::Caller& bucket_owner = other;
  EXPECT_TRUE(expand_canned(CannedAcl::kBucketOwnerRead, "own", "oth")
                  .allows(policy::Permission::kRead, bucket_owner, true));
  EXPECT_FALSE(expand_canned(CannedAcl::kBucketOwnerRead, "own", "oth")
                   .allows(policy::Permission::kReadAcp, bucket_owner, true));
  EXPECT_TRUE(expand_canned(CannedAcl::kBucketOwnerFullControl, "own", "oth")
                  .allows(policy::Permission::kWriteAcp, bucket_owner, true));
  EXPECT_EQ(expand_canned(CannedAcl::kBucketOwnerFullControl, "own", "own"), private_acl("own"));
}

TEST(Acl, EncodingComesBackEqual) {
  EXPECT_EQ(encode_acl(private_acl("own"), "own"), "");
  EXPECT_EQ(decode_acl("", "own"), private_acl("own"));
  for (const Acl& acl :
       {Acl{}, private_acl("someone else"),
        expand_canned(CannedAcl::kPublicReadWrite, "own", "own"),
        Acl{{{Grantee::kCanonicalUser, std::string(300, 'x'), policy::Permission::kReadAcp},
             {Grantee::kLogDelivery, "", policy::Permission::kWrite}}}}) {
    const std::string encoded = encode_acl(acl, "own");
    EXPECT_FALSE(encoded.empty());
    EXPECT_EQ(decode_acl(encoded, "own"), acl);
  }
}

TEST(Acl, BrokenEncodingsGrantNothing) {
  const std::string encoded =
      encode_acl(expand_canned(CannedAcl::kPublicRead, "own", "own"), "own");
  for (size_t cut = 1; cut < encoded.size(); ++cut) {
    const Acl acl = decode_acl(encoded.substr(0, cut), "own");
    EXPECT_FALSE(acl.allows(policy::Permission::kWrite, anonymous, false));
  }
  EXPECT_EQ(decode_acl("\x02", "own"), Acl{});
  EXPECT_EQ(decode_acl(std::string("\x01\x07\x01\x00\x00", 5), "own"), Acl{});
  EXPECT_EQ(decode_acl(std::string("\x01\x02\x03\x00\x00", 5), "own"), Acl{});
}

TEST(Acl, PublicMeansAGroupOfEverybody) {
  EXPECT_FALSE(private_acl("own").is_public());
  EXPECT_TRUE(expand_canned(CannedAcl::kAuthenticatedRead, "own", "own").is_public());
  EXPECT_FALSE(expand_canned(CannedAcl::kLogDeliveryWrite, "own", "own").is_public());
}

TEST(Acl, AGrantToTheAnonymousUserIsAGrantToEverybody) {
  const Acl acl{{{Grantee::kCanonicalUser, std::string(policy::kAnonymousCanonicalId),
                  policy::Permission::kRead}}};
  EXPECT_TRUE(acl.is_public());
  EXPECT_TRUE(acl.allows(policy::Permission::kRead, policy::Caller(), false));
  EXPECT_FALSE(acl.allows(policy::Permission::kRead, policy::Caller(), true));
}

TEST(GrantHeader, ReadsListsWithAndWithoutQuotes) {
  const auto grants = parse_grant_header(
      "id=\"a,b\", emailAddress=x@y.z ,URI='http://acs.amazonaws.com/groups/global/AllUsers'",
      policy::Permission::kRead);
  ASSERT_TRUE(grants);
  ASSERT_EQ(grants->size(), 3u);
  EXPECT_EQ((*grants)[0].value, "a,b");
  EXPECT_EQ((*grants)[1].by, NamedGrantee::By::kEmail);
  EXPECT_EQ((*grants)[1].value, "x@y.z");
  EXPECT_EQ((*grants)[2].by, NamedGrantee::By::kUri);
  for (const char* bad : {"", "a", "name=\"x\"", "id=", "id=\"x\",y"}) {
    EXPECT_FALSE(parse_grant_header(bad, policy::Permission::kRead)) << bad;
  }
  EXPECT_EQ(grant_header_permission("X-Amz-Grant-Write-Acp"), policy::Permission::kWriteAcp);
  EXPECT_FALSE(grant_header_permission("x-amz-grant-everything"));
}

TEST(AccessSettings, ComeBackEqualAndFailClosed) {
  for (uint8_t bits = 0; bits < 16; ++bits) {
    EXPECT_EQ(decode_block(encode_block(PublicAccessBlock::of(bits))).bits(), bits);
  }
  EXPECT_EQ(decode_block("").bits(), 15);
  EXPECT_EQ(decode_block("zz").bits(), 15);
  for (const auto ownership : {Ownership::kObjectWriter, Ownership::kBucketOwnerPreferred,
                               Ownership::kBucketOwnerEnforced}) {
    EXPECT_EQ(find_ownership(ownership_name(ownership)), ownership);
  }
  EXPECT_FALSE(find_ownership("Nobody"));
}

}  // namespace
}  // namespace rondel::access
