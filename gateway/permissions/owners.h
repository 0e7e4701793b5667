// Owners and initiators as answers show them.
#pragma once

#include <map>
#include <string>

#include "gateway/request/answers.h"
#include "gateway/request/context.h"

namespace rondel::permissions {

struct Person {
  std::string canonical_id;
  std::string display_name;
};

// The account as it is shown; unsigned requests have one of their own. An account that is gone goes
// by its id.
request::Answer<Person> person_of(request::Context& context, const std::string& account_id);
// The owner of an object of the context's bucket: the bucket's, where that owns everything.
request::Answer<Person> owner_of_object(request::Context& context,
                                        const std::string& owner_account);

// Many at once, each looked up once (in the cache of identities).
class Owners {
 public:
  // Of the objects of a page.
  static request::Answer<Owners> of_objects(request::Context& context,
                                            const std::vector<std::string_view>& owner_accounts);
  static request::Answer<Owners> of_people(request::Context& context,
                                           const std::vector<std::string_view>& accounts);

  // REQUIRES: named when this was made.
  const Person& find(std::string_view account_id) const { return people_.find(account_id)->second; }

 private:
  std::map<std::string, Person, std::less<>> people_;
};

}  // namespace rondel::permissions
