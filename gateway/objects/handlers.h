// Handlers of objects. gateway/api/dispatch.cc ties them to their operations.
#pragma once

#include "gateway/request/answers.h"

namespace rondel::objects {

request::Answer<request::Response> put_object(request::Context& context);
request::Answer<request::Response> rename_object(request::Context& context);
request::Answer<request::Response> get_object(request::Context& context);
request::Answer<request::Response> head_object(request::Context& context);
request::Answer<request::Response> get_object_attributes(request::Context& context);
request::Answer<request::Response> delete_object(request::Context& context);
request::Answer<request::Response> delete_objects(request::Context& context);
request::Answer<request::Response> copy_object(request::Context& context);
request::Answer<request::Response> get_object_tagging(request::Context& context);
request::Answer<request::Response> put_object_tagging(request::Context& context);
request::Answer<request::Response> delete_object_tagging(request::Context& context);
request::Answer<request::Response> get_object_retention(request::Context& context);
request::Answer<request::Response> put_object_retention(request::Context& context);
request::Answer<request::Response> get_object_legal_hold(request::Context& context);
request::Answer<request::Response> put_object_legal_hold(request::Context& context);
request::Answer<request::Response> update_object_encryption(request::Context& context);

}  // namespace rondel::objects
