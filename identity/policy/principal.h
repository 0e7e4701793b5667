// Who asks, and whom a statement means.
#pragma once

#include <expected>
#include <string>
#include <string_view>
#include <vector>

namespace rondel::policy {

// The canonical id under which objects of unsigned requests are owned, as on AWS.
inline constexpr std::string_view kAnonymousCanonicalId = "65a011a29cdf8ec533ec3d1ccaae921c";
// Stands where an account id would.
inline constexpr std::string_view kAnonymousAccount = "anonymous";

// The account behind a request; views into what outlives the decision.
struct Caller {
  std::string_view account_id = kAnonymousAccount;
  std::string_view canonical_id = kAnonymousCanonicalId;
  bool anonymous = true;
};

// The principals of one statement.
class PrincipalSet {
 public:
  // As the JSON has it: {"AWS": [...]} is add("AWS", ...) for each. kinds: AWS, CanonicalUser,
  // Service. An account is named by its id or by arn:aws:iam::ID:root. False: no such principal can
  // exist.
  [[nodiscard]] bool add(std::string_view kind, std::string_view value);
  // Whether it has the form of an account's ARN with a name in place of its id: nobody.
  static bool is_nobody(std::string_view kind, std::string_view value);

  void add_everybody() { everybody_ = true; }

  // Before the first match.
  void seal();

  bool matches(const Caller& caller) const;

  bool everybody() const { return everybody_; }

  // Accounts by 12-digit id and canonical ids that must exist for the policy to be accepted.
  const std::vector<std::string>& accounts() const { return accounts_; }

  const std::vector<std::string>& canonical_ids() const { return canonical_ids_; }

 private:
  bool everybody_ = false;
  std::vector<std::string> accounts_;  // Ids.
  std::vector<std::string> canonical_ids_;
};

bool is_account_id(std::string_view text);

}  // namespace rondel::policy
