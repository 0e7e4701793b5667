// XML documents about access: ACLs, ownership controls, the block on public access. What they name
// is not looked up here.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "gateway/s3/error.h"

namespace rondel::s3 {

struct AclGrant {
  enum class By { kId, kEmail, kUri } by = By::kId;
  std::string grantee;
  std::string permission;  // "READ", ...: one of the five.
};

struct AclDocument {
  std::string owner_id;
  std::vector<AclGrant> grants;  // At most 100.
};

// kMalformedACLError: not well-formed, no owner, a grant without grantee or permission, or too many
// of them.
S3Result<AclDocument> parse_acl_document(std::string_view text);

// The one rule's ObjectOwnership, as sent. kMalformedXML.
S3Result<std::string> parse_ownership_document(std::string_view text);
std::string write_ownership_document(std::string_view ownership);

struct PublicAccessBlockDocument {
  bool block_public_acls = false;
  bool ignore_public_acls = false;
  bool block_public_policy = false;
  bool restrict_public_buckets = false;
};

// What is not named is false. kMalformedXML.
S3Result<PublicAccessBlockDocument> parse_public_access_block_document(std::string_view text);
std::string write_public_access_block_document(const PublicAccessBlockDocument& document);

}  // namespace rondel::s3
