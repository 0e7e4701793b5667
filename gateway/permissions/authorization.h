// Who may do what, where requests meet identity/access: one decision before the handler, one with
// the row it looked up.
//
// authorize() runs before every handler. Where it leaves the decision to the object,
// look_up_object(), update_version() and their like finish it; an answer that nobody decided about
// is never sent (s3_service.cc).
#pragma once

#include "gateway/permissions/object_lookup.h"
#include "gateway/permissions/version_update.h"
#include "gateway/request/answers.h"
#include "gateway/request/context.h"
#include "gateway/s3/error.h"
#include "gateway/signature/authenticator.h"
#include "identity/policy/action.h"
#include "identity/policy/principal.h"
#include "metadata/model/bucket.h"
#include "metadata/model/object.h"
#include "metadata/store/commit_context.h"
#include "metadata/store/object_store.h"

namespace rondel::permissions {

// Who asks. Views into the identity.
policy::Caller caller_of(const signature::Identity& identity);

// The decision before the handler. REQUIRES: context.bucket, where the operation has one.
// kAccessDenied.
s3::S3Result<void> authorize(request::Context& context);
// After the bucket was read again: everything that was decided is decided anew.
s3::S3Result<void> authorize_again(request::Context& context);
// With the version that was found; also what else the request does to it.
s3::S3Result<void> authorize_object(request::Context& context,
                                    const metadata::ObjectVersion& object);
// With the body of a change of attributes; looks the object up where it decides, and pins the
// change to that version then.
request::Answer<void> authorize_change(request::Context& context, metadata::UpdateVersion& change);
// ListParts, AbortMultipartUpload: who began the upload may.
s3::S3Result<void> authorize_upload(request::Context& context,
                                    const std::string& initiator_account);

// The entries of one DeleteObjects: what the bucket's policy asks of the request, and not of a key,
// is evaluated once.
class EntryPermissions {
 public:
  // `context` outlives it, with the bucket's settings as they are now.
  explicit EntryPermissions(const request::Context& context);
  ~EntryPermissions();

  bool may_delete(const std::string& key, const std::optional<std::string>& version_id);
  // An action beside it on the same key.
  bool may_also(policy::Action action, const std::string& key);

 private:
  struct State;
  bool decide(policy::Action action, const std::string& key);

  const request::Context& context_;
  std::unique_ptr<State> state_;
};

// Whether an action beside the request's own is allowed on a key of its bucket.
bool may_also(const request::Context& context, policy::Action action, std::string_view key);

// A version that decided.
struct DecidingVersion {
  std::string etag;
  metadata::ObjectAccess access;
};

// Whether the caller may read what lies under a key of the request's bucket, for requests that
// compare it with what a client says or move it to another key. Looked up only where its owner, ACL
// or tags decide. What was found then, otherwise nothing.
request::Answer<std::optional<DecidingVersion>> authorize_reading(
    request::Context& context, const std::string& key, const request::VersionName& version = {});
// The same for the conditions of a write or a delete: who compares an ETag, a size or a time must
// be allowed to read them. Source: "How to prevent object overwrites with conditional writes",
// "Enforce conditional deletes", S3 user guide.
request::Answer<void> authorize_conditions(request::Context& context,
                                           const metadata::Conditions& conditions,
                                           const std::string& key,
                                           const request::VersionName& version = {});

// Before a client is told that conditions were refused: what refused them is not what was decided
// about, so he must be allowed to read that.
request::Answer<void> authorize_refusal(request::Context& context, const s3::Error& refusal,
                                        const metadata::Conditions& conditions,
                                        const std::string& key,
                                        const request::VersionName& version = {});

// `error` (there is no such key, version, ...) for who may list the key, kAccessDenied for others.
// The decision is made by it.
s3::Error absent(request::Context& context, s3::Error error);

// What is read by a copy. `object`: null when nothing is there; then `error` is turned into what
// the caller may learn.
struct SourceQuestion {
  const metadata::Bucket& bucket;
  const std::string& key;
  std::optional<std::string> version_id;  // As the request names it.
};

s3::S3Result<void> authorize_source(request::Context& context, const SourceQuestion& source,
                                    const metadata::ObjectVersion& object, bool with_tags);
s3::Error absent_source(request::Context& context, const SourceQuestion& source, s3::Error error);

}  // namespace rondel::permissions
