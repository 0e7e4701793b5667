#include "gateway/permissions/owners.h"

#include "gateway/permissions/requested_acl.h"
#include "gateway/request/answers.h"
#include "gateway/request/context.h"
#include "identity/policy/principal.h"
#include "metadata/model/account.h"

namespace rondel::permissions {

request::Answer<Person> person_of(request::Context& context, const std::string& account_id) {
  if (account_id == context.bucket->owner_account) {
    co_return Person{context.bucket->owner_canonical_id, context.bucket->owner_display_name};
  }
  if (account_id == policy::kAnonymousAccount) {
    co_return Person{std::string(policy::kAnonymousCanonicalId), {}};
  }
  CO_S3(const auto account,
        co_await find_account(context, {metadata::AccountName::Kind::kId, account_id}));
  if (!account) co_return Person{account_id, {}};
  co_return Person{account->canonical_id, account->display_name};
}

request::Answer<Person> owner_of_object(request::Context& context,
                                        const std::string& owner_account) {
  co_return co_await person_of(context, context.access.bucket->acls_enabled()
                                            ? owner_account
                                            : context.bucket->owner_account);
}

request::Answer<Owners> Owners::of_objects(request::Context& context,
                                           const std::vector<std::string_view>& owner_accounts) {
  Owners owners;
  for (const std::string_view account : owner_accounts) {
    if (owners.people_.contains(account)) continue;
    CO_S3(Person person, co_await owner_of_object(context, std::string(account)));
    owners.people_.emplace(account, std::move(person));
  }
  co_return owners;
}

request::Answer<Owners> Owners::of_people(request::Context& context,
                                          const std::vector<std::string_view>& accounts) {
  Owners owners;
  for (const std::string_view account : accounts) {
    if (owners.people_.contains(account)) continue;
    CO_S3(Person person, co_await person_of(context, std::string(account)));
    owners.people_.emplace(account, std::move(person));
  }
  co_return owners;
}

}  // namespace rondel::permissions
