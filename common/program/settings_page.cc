#include "common/program/settings_page.h"

#include <boost/json.hpp>

#include "common/program/version.h"

namespace rondel::program {
namespace {

namespace json = boost::json;

async::Task<Result<std::string>> document_of(std::string document) { co_return document; }

}  // namespace

OperationsPage settings_page(std::string program, const config::Settings& settings) {
  json::array rows;
  for (const auto& [name, value, source] : settings.effective()) {
    rows.push_back(json::object{{"name", name}, {"value", value}, {"source", source}});
  }
  const json::object document{{"program", program},
                              {"version", version()},
                              {"commit", commit()},
                              {"settings", std::move(rows)}};
  return {"/admin/v1/settings", "application/json",
          [text = json::serialize(document)] { return document_of(text); }};
}

}  // namespace rondel::program
