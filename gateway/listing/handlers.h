// Handlers of listings of objects. gateway/api/dispatch.cc ties them to their operations.
#pragma once

#include "gateway/request/answers.h"

namespace rondel::listing {

request::Answer<request::Response> list_objects(request::Context& context);
request::Answer<request::Response> list_objects_v2(request::Context& context);
request::Answer<request::Response> list_object_versions(request::Context& context);

}  // namespace rondel::listing
