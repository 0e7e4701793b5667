#include "identity/policy/action.h"

#include "common/http/message.h"

namespace rondel::policy {
namespace {

constexpr ActionRow kRows[] = {
#define RONDEL_S3_ACTION(name, target, permission) \
  {Action::k##name, "s3:" #name, Target::target, Permission::permission},
#include "identity/policy/action_list.h"
#undef RONDEL_S3_ACTION
};

}  // namespace

std::span<const ActionRow> all_actions() { return kRows; }

const ActionRow& row(Action action) { return kRows[static_cast<size_t>(action)]; }

std::optional<Action> find_action(std::string_view name) {
  for (const ActionRow& candidate : kRows) {
    if (http::iequals(candidate.name, name)) return candidate.action;
  }
  return std::nullopt;
}

Action versioned(Action action) {
  switch (action) {
    case Action::kGetObject: return Action::kGetObjectVersion;
    case Action::kGetObjectTorrent: return Action::kGetObjectVersionTorrent;
    case Action::kGetObjectAttributes: return Action::kGetObjectVersionAttributes;
    case Action::kGetObjectAcl: return Action::kGetObjectVersionAcl;
    case Action::kPutObjectAcl: return Action::kPutObjectVersionAcl;
    case Action::kGetObjectTagging: return Action::kGetObjectVersionTagging;
    case Action::kPutObjectTagging: return Action::kPutObjectVersionTagging;
    case Action::kDeleteObjectTagging: return Action::kDeleteObjectVersionTagging;
    case Action::kDeleteObject: return Action::kDeleteObjectVersion;
    default: return action;
  }
}

}  // namespace rondel::policy
