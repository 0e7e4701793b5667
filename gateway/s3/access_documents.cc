#include "gateway/s3/access_documents.h"

#include <algorithm>
#include <array>

#include "gateway/s3/xml_reader.h"
#include "gateway/s3/xml_writer.h"

namespace rondel::s3 {
namespace {

constexpr size_t kGrantsMax = 100;
constexpr std::array<std::string_view, 5> kPermissions{"READ", "WRITE", "READ_ACP", "WRITE_ACP",
                                                       "FULL_CONTROL"};

std::unexpected<Error> malformed_acl() { return fail(ErrorCode::kMalformedACLError); }

// Which of the three ways a grantee goes by its type, or by what it has when the type is not said.
std::optional<AclGrant> grantee_of(const XmlElement& element) {
  const std::string type = element.attribute("type").value_or("");
  AclGrant grant;
  const auto take = [&](std::string_view wanted_type, std::string_view child, AclGrant::By by) {
    if (!type.empty() && type != wanted_type) return false;
    const auto value = element.child(child);
    if (!value || value->trimmed_text().empty()) return false;
    grant.by = by;
    grant.grantee = value->trimmed_text();
    return true;
  };
  const bool found = take("CanonicalUser", "ID", AclGrant::By::kId) ||
                     take("Group", "URI", AclGrant::By::kUri) ||
                     take("AmazonCustomerByEmail", "EmailAddress", AclGrant::By::kEmail);
  if (!found) return std::nullopt;
  return grant;
}

std::optional<bool> truth_of(const XmlElement& element) {
  const std::string text = element.trimmed_text();
  if (text == "true" || text == "TRUE" || text == "True") return true;
  if (text == "false" || text == "FALSE" || text == "False") return false;
  return std::nullopt;
}

}  // namespace

S3Result<AclDocument> parse_acl_document(std::string_view text) {
  const auto document = XmlDocument::parse(text, "AccessControlPolicy");
  if (!document) return malformed_acl();
  AclDocument out;
  const auto owner = document->root().child("Owner");
  const auto id = owner ? owner->child("ID") : std::nullopt;
  const auto list = document->root().child("AccessControlList");
  if (!id || id->trimmed_text().empty() || !list) return malformed_acl();
  out.owner_id = id->trimmed_text();
  for (const XmlElement& element : list->children()) {
    if (element.name() != "Grant") return malformed_acl();
    const auto grantee = element.child("Grantee");
    const auto permission = element.child("Permission");
    if (!grantee || !permission) return malformed_acl();
    auto grant = grantee_of(*grantee);
    if (!grant) return malformed_acl();
    grant->permission = permission->trimmed_text();
    if (std::ranges::find(kPermissions, grant->permission) == kPermissions.end()) {
      return malformed_acl();
    }
    out.grants.push_back(*std::move(grant));
    if (out.grants.size() > kGrantsMax) return malformed_acl();
  }
  return out;
}

S3Result<std::string> parse_ownership_document(std::string_view text) {
  const auto document = XmlDocument::parse(text, "OwnershipControls");
  if (!document) return std::unexpected(document.error());
  const auto rules = document->root().children("Rule");
  if (rules.size() != 1 || document->root().children().size() != 1) {
    return fail(ErrorCode::kMalformedXML);
  }
  const auto ownership = rules.front().child("ObjectOwnership");
  if (!ownership) return fail(ErrorCode::kMalformedXML);
  return ownership->trimmed_text();
}

std::string write_ownership_document(std::string_view ownership) {
  XmlWriter xml("OwnershipControls");
  xml.open("Rule");
  xml.text("ObjectOwnership", ownership);
  return std::move(xml).finish();
}

S3Result<PublicAccessBlockDocument> parse_public_access_block_document(std::string_view text) {
  const auto document = XmlDocument::parse(text, "PublicAccessBlockConfiguration");
  if (!document) return std::unexpected(document.error());
  PublicAccessBlockDocument out;
  for (const XmlElement& element : document->root().children()) {
    const auto value = truth_of(element);
    if (!value) return fail(ErrorCode::kMalformedXML);
    if (element.name() == "BlockPublicAcls")
      out.block_public_acls = *value;
    else if (element.name() == "IgnorePublicAcls")
      out.ignore_public_acls = *value;
    else if (element.name() == "BlockPublicPolicy")
      out.block_public_policy = *value;
    else if (element.name() == "RestrictPublicBuckets")
      out.restrict_public_buckets = *value;
    else
      return fail(ErrorCode::kMalformedXML);
  }
  return out;
}

std::string write_public_access_block_document(const PublicAccessBlockDocument& document) {
  XmlWriter xml("PublicAccessBlockConfiguration");
  xml.boolean("BlockPublicAcls", document.block_public_acls);
  xml.boolean("IgnorePublicAcls", document.ignore_public_acls);
  xml.boolean("BlockPublicPolicy", document.block_public_policy);
  xml.boolean("RestrictPublicBuckets", document.restrict_public_buckets);
  return std::move(xml).finish();
}

}  // namespace rondel::s3
