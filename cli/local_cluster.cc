#include "cli/local_cluster.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <sstream>
#include <thread>

#include "cli/identities.h"
#include "cli/process.h"
#include "common/async/event_loop.h"
#include "common/base/encoding.h"
#include "common/crypto/digest.h"
#include "common/fs/posix_file_system.h"
#include "common/http/client.h"
#include "common/program/program.h"
#include "common/program/secrets.h"
#include "metadata/operator/audit_log.h"
#include "metadata/operator/key_check.h"
#include "metadata/postgres/migrator.h"

namespace rondel::cli {
namespace {

namespace fs = std::filesystem;
namespace json = boost::json;
using namespace std::chrono_literals;

constexpr uint64_t kFreeBytesMin = 4ull << 30;
// In the value of a setting: the name of the process that gets it ("node-1", "gateway-1").
constexpr std::string_view kNamePlace = "{name}";

struct Member {
  std::string name;     // "gateway-1"
  std::string program;  // "rondel-gateway"
  std::string config;   // YAML
  std::vector<uint16_t> ports;
  std::string operations_url;
};

void say(const std::string& line) { fmt::print(stderr, "{}\n", line); }

std::string loopback(int port) { return fmt::format("127.0.0.1:{}", port); }

bool port_is_free(uint16_t port) {
  const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const int yes = 1;
  setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_ANY);
  const bool free = bind(socket, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
  close(socket);
  return free;
}

bool is_node_setting(const std::string& key) {
  return key.starts_with("node.") || key.starts_with("engine.") || key.starts_with("repair.");
}

std::string with_name(std::string value, const std::string& name) {
  for (size_t at = 0; (at = value.find(kNamePlace, at)) != std::string::npos; at += name.size()) {
    value.replace(at, kNamePlace.size(), name);
  }
  return value;
}

// The stored settings come last on the command line, so that they win over the generated file.
std::vector<std::string> setting_flags(const ClusterPlan& plan, const Member& member) {
  const bool node = member.program == "rondel-node";
  std::vector<std::string> flags;
  for (const auto& [key, value] : plan.settings) {
    if (is_node_setting(key) == node || key.starts_with("rpc.") || key.starts_with("log.")) {
      flags.push_back("--set");
      flags.push_back(key + "=" + with_name(value, member.name));
    }
  }
  return flags;
}

std::string cluster_addresses(const ClusterPlan& plan) {
  std::string list;
  for (int k = 0; k < plan.gateways; ++k) {
    list += fmt::format("    - \"{}\"\n", loopback(plan.port + kClusterPortOffset + k));
  }
  return list;
}

// The process opens it itself, so that it opens it anew at SIGHUP. What is written before or beside
// the log (wrong settings, a sanitizer's words) goes to the same file, as standard error.
std::string log_section(const std::string& data, const std::string& name) {
  return fmt::format("log:\n  file: \"{}/log/{}.log\"\n", data, name);
}

Member gateway_member(const std::string& data, const ClusterPlan& plan, int k) {
  const int port = plan.port + k - 1;
  Member member{fmt::format("gateway-{}", k), "rondel-gateway", "", {}, ""};
  for (int p : {port, port + kOperationsPortOffset, port + kClusterPortOffset}) {
    member.ports.push_back(static_cast<uint16_t>(p));
  }
  member.operations_url = "http://" + loopback(port + kOperationsPortOffset);
  member.config = log_section(data, member.name) +
                  fmt::format(
                      "gateway:\n  listen: \"0.0.0.0:{}\"\n  operations_listen: \"127.0.0.1:{}\"\n"
                      "cluster:\n  listen: \"{}\"\n  bootstrap_disks: {}\n"
                      "metadata:\n  dsn: \"{}\"\n  master_key_file: \"{}/keys/master.key\"\n",
                      port, port + kOperationsPortOffset, loopback(port + kClusterPortOffset),
                      plan.nodes, postgres_of(data).dsn(), data);
  return member;
}

Member node_member(const std::string& data, const ClusterPlan& plan, int k) {
  const int port = plan.port + kNodePortOffset + k - 1;
  const int operations = plan.port + kNodeOperationsPortOffset + k - 1;
  Member member{fmt::format("node-{}", k), "rondel-node", "", {}, "http://" + loopback(operations)};
  member.ports = {static_cast<uint16_t>(port), static_cast<uint16_t>(operations)};
  const uint64_t capacity = fs::space(data).capacity / static_cast<uint64_t>(plan.nodes);
  member.config = log_section(data, member.name) +
                  fmt::format(
                      "node:\n  name: \"{}\"\n  listen: \"{}\"\n  operations_listen: \"{}\"\n  "
                      "zone: \"zone-{}\"\n  host: \"host-{}\"\n"
                      "  data_dir: \"{}/node-{}\"\n  disks:\n    - path: \"{}/node-{}/disk-1\"\n   "
                      "   capacity: \"{}\"\n"
                      "cluster:\n  gateways:\n{}",
                      member.name, loopback(port), loopback(operations), (k - 1) % plan.zones + 1,
                      k, data, k, data, k, capacity, cluster_addresses(plan));
  return member;
}

std::vector<Member> members_of(const std::string& data, const ClusterPlan& plan) {
  std::vector<Member> members;
  for (int k = 1; k <= plan.gateways; ++k) members.push_back(gateway_member(data, plan, k));
  for (int k = 1; k <= plan.nodes; ++k) members.push_back(node_member(data, plan, k));
  return members;
}

std::string pid_file(const std::string& data, const std::string& name) {
  return data + "/run/" + name + ".pid";
}

Result<void> check_folder(const std::string& data) {
  std::error_code error;
  TRY_VOID(postgres_of(data).check_user());
  // PostgreSQL runs as a user of its own when this is root, and must get through what is made here.
  const mode_t before = umask(geteuid() == 0 ? 022 : 077);
  fs::create_directories(data, error);
  umask(before);
  if (error) return fail(ErrorCode::kPrecondition, "cannot make " + data + ": " + error.message());
  if (!fs::exists(data + "/cluster.json") && !fs::is_empty(data)) {
    return fail(
        ErrorCode::kPrecondition,
        data + " is not empty and holds no Rondel cluster: choose another --data or empty it");
  }
  if (!fs::exists(data + "/cluster.json") && fs::space(data).available < kFreeBytesMin) {
    return fail(ErrorCode::kStorageFull,
                fmt::format("{} has {} MiB free; a new cluster needs {} MiB", data,
                            fs::space(data).available >> 20, kFreeBytesMin >> 20));
  }
  return {};
}

// A member that was killed while it flushed keeps its sockets until the flush ends.
bool becomes_free(uint16_t port, Deadline deadline) {
  while (!port_is_free(port)) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(50ms);
  }
  return true;
}

Result<void> check_ports(const std::string& data, const std::vector<Member>& members) {
  const Deadline dying_until = deadline_in(20s);
  for (const Member& member : members) {
    const std::string file = pid_file(data, member.name);
    if (running_process(file, member.program)) continue;
    const Deadline deadline = fs::exists(file) ? dying_until : deadline_in(0s);
    for (uint16_t port : member.ports) {
      if (!becomes_free(port, deadline)) {
        return fail(
            ErrorCode::kPrecondition,
            fmt::format("port {} ({}) is in use: choose another --port", port, member.name));
      }
    }
  }
  return {};
}

// For the user alone; after a crash it holds what it held before or all of `content`.
Result<void> write_private(const std::string& path, const std::string& content) {
  return rondel::fs::write_file_atomically(rondel::fs::posix_file_system(), path,
                                           as_bytes(content));
}

Result<std::string> master_key(const std::string& data) {
  const std::string path = data + "/keys/master.key";
  if (!fs::exists(path)) {
    TRY_VOID(write_private(path, to_hex(as_bytes(crypto::random_bytes(32))) + "\n"));
  }
  std::ifstream file(path);
  std::string text;
  file >> text;
  const auto key = from_hex(text);
  if (!key || key->size() != 32) {
    return fail(ErrorCode::kPrecondition, path + " does not hold 64 hexadecimal digits");
  }
  return *key;
}

// The oldest key of the account that can be used.
std::optional<metadata::AccessKey> usable_key(const metadata::Account& account,
                                              const std::vector<metadata::AccessKey>& keys) {
  const auto found = std::ranges::find(keys, true, &metadata::AccessKey::enabled);
  if (!account.enabled || found == keys.end()) return std::nullopt;
  return *found;
}

// The account that is made first, and a key of it. An operator may have taken away all its keys:
// the cluster starts without one.
struct FirstAccount {
  metadata::Account account;
  std::optional<metadata::AccessKey> key;
};

Result<FirstAccount> first_account(const std::string& data, const UpOptions& options) {
  const std::string dsn = postgres_of(data).dsn();
  TRY(const auto schema, metadata::load_schema(options.migrations_directory));
  TRY_VOID(metadata::migrate(dsn, schema));
  const bool had_key = fs::exists(data + "/keys/master.key");
  TRY(const std::string key, master_key(data));
  if (auto right = metadata::check_master_key(dsn, key); !right) {
    if (!had_key) fs::remove(data + "/keys/master.key");
    return fail(right.error().code, (had_key ? data + "/keys/master.key: "
                                             : data + "/keys/master.key is missing: a new one: ") +
                                        right.error().message);
  }
  Identities accounts(dsn, key);
  auto found = accounts.find_account("root");
  if (found) {
    TRY(const auto keys, accounts.list_keys(found->id));
    return FirstAccount{*found, usable_key(*found, keys)};
  }
  if (found.error().code != ErrorCode::kNotFound) return std::unexpected(found.error());
  metadata::CreateAccount request;
  request.name = "root";
  request.access_key = program::secret("RONDEL_ROOT_ACCESS_KEY");
  request.secret_key = program::secret("RONDEL_ROOT_SECRET_KEY");
  TRY(metadata::Credential made, accounts.create_account(request));
  return FirstAccount{std::move(made.account), std::move(made.key)};
}

// Of the first gateway.
std::string endpoint_of(const ClusterPlan& plan) {
  const auto certificate = plan.settings.find("gateway.tls_certificate_file");
  const bool tls = certificate != plan.settings.end() && !certificate->second.empty();
  return fmt::format("{}://127.0.0.1:{}", tls ? "https" : "http", plan.port);
}

// A word for the shell, whatever is in it.
std::string quoted(const std::string& text) {
  std::string out = "'";
  for (const char c : text) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return out + "'";
}

std::string key_lines(const std::optional<metadata::AccessKey>& key) {
  if (!key) return "";
  return fmt::format("AWS_ACCESS_KEY_ID={}\nAWS_SECRET_ACCESS_KEY={}\n", key->access_key,
                     key->secret_key);
}

std::string environment_lines(const ClusterPlan& plan, const std::vector<Member>& members,
                              const FirstAccount& root) {
  const auto region = plan.settings.find("s3.region");
  const std::string region_name = region == plan.settings.end() ? "us-east-1" : region->second;
  std::string metrics;
  for (const Member& member : members) {
    metrics += (metrics.empty() ? "" : ",") + member.operations_url + "/metrics";
  }
  return fmt::format(
      "AWS_ENDPOINT_URL={}\n{}AWS_REGION={}\n"
      "AWS_DEFAULT_REGION={}\nRONDEL_METRICS_URLS={}\nRONDEL_CANONICAL_ID={}\nRONDEL_DISPLAY_NAME={"
      "}\n",
      endpoint_of(plan), key_lines(root.key), region_name, region_name, metrics,
      root.account.canonical_id, quoted(root.account.display_name));
}

// For aws cli and boto3: they presign by the older signature at endpoints that are not AWS's,
// unless told. The line for `env` that names it is the answer.
Result<std::string> write_aws_config(const std::string& data, const ClusterPlan& plan) {
  const auto region = plan.settings.find("s3.region");
  TRY_VOID(
      write_private(data + "/aws-config",
                    fmt::format("[default]\nregion = {}\ns3 =\n    signature_version = s3v4\n    "
                                "addressing_style = path\n",
                                region == plan.settings.end() ? "us-east-1" : region->second)));
  return "AWS_CONFIG_FILE=" + quoted(data + "/aws-config") + "\n";
}

// The checks of /health/ready that fail, as `name: why` with ", " between; empty when all is well.
async::Task<std::string> failing_checks(std::string url) {
  auto endpoint = http::Endpoint::parse(url);
  if (!endpoint) co_return endpoint.error().message;
  auto connection = http::ClientConnection::make(*endpoint);
  http::RequestHead head;
  head.method = "GET";
  head.target = "/health/ready";
  head.fields.add("Host", "localhost");
  const std::span<const ByteView> no_body;
  const auto response = co_await connection->request(std::move(head), no_body, deadline_in(2s));
  if (!response) co_return std::string("it does not answer at " + url + " yet");
  if (response->status == 200) co_return std::string();
  std::string failing;
  std::istringstream lines(response->body);
  for (std::string line; std::getline(lines, line);) {
    if (!line.empty() && !line.ends_with(": ok")) failing += (failing.empty() ? "" : ", ") + line;
  }
  if (failing.empty()) failing = "it answers " + std::to_string(response->status);
  co_return failing;
}

// What a process said last: most often why it ended.
std::string last_words(const std::string& log) {
  std::ifstream file(log);
  std::string last;
  for (std::string line; std::getline(file, line);) {
    if (!line.empty()) last = line;
  }
  return last.substr(0, 400);
}

Result<void> wait_ready(const std::string& data, const std::vector<Member>& members,
                        std::chrono::seconds within) {
  const Deadline end = deadline_in(within);
  const Deadline patience = deadline_in(5s);
  for (const Member& member : members) {
    std::string told;
    for (std::string failing;
         !(failing = async::block_on(failing_checks(member.operations_url))).empty();) {
      const std::string log = data + "/log/" + member.name + ".log";
      if (!running_process(pid_file(data, member.name), member.program)) {
        return fail(ErrorCode::kUnavailable,
                    fmt::format("{} has ended: {} (see {})", member.name, last_words(log), log));
      }
      if (std::chrono::steady_clock::now() > end) {
        return fail(ErrorCode::kDeadlineExceeded,
                    fmt::format("{} is not ready after {} s: {} (see {})", member.name,
                                within.count(), failing, log));
      }
      if (std::chrono::steady_clock::now() > patience && told != failing) {
        say("  waiting: " + member.name + ": " + failing);
        told = failing;
      }
      std::this_thread::sleep_for(100ms);
    }
    say("  ready: " + member.name);
  }
  return {};
}

// Asks the program itself, before anything is stored or started.
Result<void> check_settings(const ClusterPlan& plan, const UpOptions& options,
                            const Member& member) {
  std::string folder = fs::temp_directory_path() / "rondel-check-XXXXXX";
  if (mkdtemp(folder.data()) == nullptr) {
    return fail(ErrorCode::kUnavailable, "cannot make a temporary folder");
  }
  const std::string config = folder + "/config.yaml";
  // A new cluster has its key later: here any will do.
  std::string text = member.config;
  const std::string own_key = "/keys/master.key\"";
  if (const size_t at = text.find(own_key);
      at != std::string::npos && !fs::exists(options.data_directory + "/keys/master.key")) {
    const size_t begin = text.rfind('"', at) + 1;
    text.replace(begin, at + own_key.size() - 1 - begin, folder + "/master.key");
    TRY_VOID(
        write_private(folder + "/master.key", to_hex(as_bytes(crypto::random_bytes(32))) + "\n"));
  }
  TRY_VOID(write_private(config, text));
  std::vector<std::string> command{options.binary_directory + "/" + member.program,
                                   "--check-settings", "--check-files", "--config", config};
  for (std::string& flag : setting_flags(plan, member)) command.push_back(std::move(flag));
  auto checked = run_program(command);
  fs::remove_all(folder);
  if (checked) return {};
  std::string_view message = checked.error().message;
  if (const size_t at = message.find(member.program + ": "); at != std::string_view::npos) {
    message.remove_prefix(at + member.program.size() + 2);
  }
  while (message.ends_with('\n')) message.remove_suffix(1);
  return fail(ErrorCode::kInvalidArgument, std::string(message));
}

// A process that runs under other settings than are wanted now ends; it is started again with the
// new ones.
Result<void> end_outdated(const std::string& data, const ClusterPlan& before,
                          const ClusterPlan& plan, const Member& member) {
  if (setting_flags(before, member) == setting_flags(plan, member)) return {};
  const auto pid = running_process(pid_file(data, member.name), member.program);
  if (pid && !stop_process(*pid, 30s)) {
    return fail(ErrorCode::kInternal, member.name + " does not end");
  }
  return {};
}

Result<void> start_member(const std::string& data, const ClusterPlan& plan,
                          const UpOptions& options, const Member& member,
                          std::vector<std::function<void()>>& undo) {
  if (running_process(pid_file(data, member.name), member.program)) return {};
  const std::string config = fmt::format("{}/config/{}.yaml", data, member.name);
  TRY_VOID(write_private(config, member.config));
  ProcessSpec spec{{options.binary_directory + "/" + member.program, "--config", config},
                   pid_file(data, member.name),
                   fmt::format("{}/log/{}.log", data, member.name)};
  for (std::string& flag : setting_flags(plan, member)) spec.command.push_back(std::move(flag));
  TRY(const pid_t pid, start_process(spec));
  undo.push_back([pid] { stop_process(pid, 5s); });
  say("  started: " + member.name);
  return {};
}

Result<void> install_cli(const std::string& data, const UpOptions& options) {
  const std::string path = data + "/bin/rondel";
  std::ofstream script(path, std::ios::trunc);
  script << "#!/bin/sh\nRONDEL_DATA=" << quoted(data) << " exec "
         << quoted(options.binary_directory + "/rondel") << " \"$@\"\n";
  script.close();
  return chmod(path.c_str(), 0700) == 0 ? Result<void>{}
                                        : fail(ErrorCode::kUnavailable, "cannot write " + path);
}

Answer summary(const std::string& data, const ClusterPlan& plan, const std::vector<Member>& members,
               const FirstAccount& root) {
  std::string text = fmt::format("\nRondel is ready.\n  endpoint    {}\n", endpoint_of(plan));
  json::array metrics;
  json::object object{{"endpoint", endpoint_of(plan)},
                      {"account", root.account.id},
                      {"environment_file", data + "/env"}};
  if (root.key) {
    text += fmt::format("  access key  {}\n  secret key  {}\n", root.key->access_key,
                        root.key->secret_key);
    object["access_key"] = root.key->access_key;
    object["secret_key"] = root.key->secret_key;
  } else {
    text +=
        "  access key  none: the account root has no enabled key; `rondel account key create root` "
        "makes one\n";
  }
  for (const Member& member : members) {
    text += "  metrics     " + member.operations_url + "/metrics\n";
    metrics.push_back(json::string(member.operations_url + "/metrics"));
  }
  if (root.key) {
    // Without the secret, which would stay in the shell's history.
    text += fmt::format(
        "\nFirst command:\n  (set -a; . {}; aws s3 --endpoint-url {} mb s3://first-bucket)\n",
        quoted(data + "/env"), endpoint_of(plan));
  }
  text += fmt::format("\nAll of it as shell lines: {}/env\n", data);
  object["metrics"] = std::move(metrics);
  return Answer{std::move(text), std::move(object)};
}

std::string settings_text(const ClusterPlan& plan) {
  json::object object;
  for (const auto& [key, value] : plan.settings) object[key] = value;
  return json::serialize(object);
}

Result<Answer> up_locked(const std::string& data, const UpOptions& options,
                         std::vector<std::function<void()>>& undo) {
  const auto stored = load_plan(data);
  if (!stored && stored.error().code != ErrorCode::kNotFound) {
    return std::unexpected(stored.error());
  }
  TRY(const ClusterPlan plan, merge_plan(stored ? std::optional(*stored) : std::nullopt, options));
  const std::vector<Member> members = members_of(data, plan);
  TRY_VOID(check_ports(data, members));
  for (const char* program : {"rondel-gateway", "rondel-node"}) {
    TRY_VOID(check_settings(plan, options, *std::ranges::find(members, program, &Member::program)));
  }
  for (const char* folder : {"config", "keys", "log", "bin"}) {
    fs::create_directories(data + "/" + folder);
    chmod((data + "/" + folder).c_str(), 0700);
  }
  fs::create_directories(data + "/run");
  // The database and its socket are below.
  for (const std::string& folder : {data, data + "/run"}) {
    TRY_VOID(postgres_of(data).let_through(folder));
  }
  TRY_VOID(store_plan(data, plan));
  // Settings under which something does not start are not kept.
  if (stored && plan != *stored) {
    undo.push_back([data, before = *stored] { (void)store_plan(data, before); });
  }

  TRY_VOID(choose_socket_directory(data));
  const PrivatePostgres postgres = postgres_of(data);
  const bool was_running = running_process(postgres.pid_file, "postgres").has_value();
  say("PostgreSQL ...");
  if (!was_running) undo.push_back([postgres] { stop_postgres(postgres); });
  TRY_VOID(start_postgres(postgres));
  TRY(const FirstAccount root, first_account(data, options));
  if (stored && plan.settings != stored->settings) {
    TRY_VOID(metadata::add_audit(postgres.dsn(), "settings", data, settings_text(*stored),
                                 settings_text(plan)));
  }

  say("Processes ...");
  for (const Member& member : members) {
    if (stored) TRY_VOID(end_outdated(data, *stored, plan, member));
    TRY_VOID(start_member(data, plan, options, member, undo));
  }
  TRY_VOID(wait_ready(data, members, std::chrono::seconds(options.ready_within)));
  TRY(const std::string aws_config, write_aws_config(data, plan));
  const std::string lines = environment_lines(plan, members, root) + aws_config;
  TRY_VOID(write_private(data + "/env", lines));
  if (!options.env_file.empty()) TRY_VOID(write_private(options.env_file, lines));
  TRY_VOID(install_cli(data, options));
  return summary(data, plan, members, root);
}

// Two commands on one folder at the same time would start everything twice.
class FolderLock {
 public:
  explicit FolderLock(const std::string& data)
      : file_(::open(data.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)) {
    held_ = file_ >= 0 && flock(file_, LOCK_EX | LOCK_NB) == 0;
  }

  FolderLock(const FolderLock&) = delete;
  FolderLock& operator=(const FolderLock&) = delete;

  ~FolderLock() {
    if (file_ >= 0) close(file_);
  }

  bool held() const { return held_; }

 private:
  int file_;
  bool held_;
};

}  // namespace

PrivatePostgres postgres_of(const std::string& data_directory) {
  return {data_directory + "/postgresql", socket_directory_of(data_directory),
          data_directory + "/run/postgresql.pid", data_directory + "/log/postgresql.log",
          "postgres"};
}

Result<Answer> up(const UpOptions& options) {
  const std::string data = fs::absolute(options.data_directory).lexically_normal().string();
  TRY_VOID(check_folder(data));
  const FolderLock lock(data);
  if (!lock.held()) {
    return fail(ErrorCode::kAlreadyExists, "another rondel command works on " + data);
  }
  program::schedule_as_batch();  // PostgreSQL inherits it.
  std::vector<std::function<void()>> undo;
  auto result = up_locked(data, options, undo);
  if (!result) {
    while (!undo.empty()) {
      undo.back()();
      undo.pop_back();
    }
  }
  return result;
}

Result<void> down(const std::string& data_directory, bool wipe) {
  const std::string data = fs::absolute(data_directory).lexically_normal().string();
  TRY(const ClusterPlan plan, load_plan(data));
  const FolderLock lock(data);
  if (!lock.held()) {
    return fail(ErrorCode::kAlreadyExists, "another rondel command works on " + data);
  }
  for (const Member& member : members_of(data, plan)) {
    const auto pid = running_process(pid_file(data, member.name), member.program);
    if (pid && !stop_process(*pid, 30s)) {
      return fail(ErrorCode::kInternal, member.name + " does not end");
    }
    if (pid) say("  stopped: " + member.name);
  }
  if (!stop_postgres(postgres_of(data))) {
    return fail(ErrorCode::kInternal, "PostgreSQL does not end");
  }
  say("  stopped: postgresql");
  if (wipe) {
    remove_socket_directory(data);
    fs::remove_all(data);
    say("  removed: " + data);
  }
  return {};
}

std::vector<PlannedProcess> planned_processes(const ClusterPlan& plan) {
  std::vector<PlannedProcess> all;
  const auto add = [&all](const char* kind, int k, int port) {
    all.push_back({fmt::format("{}-{}", kind, k), "http://" + loopback(port)});
  };
  for (int k = 1; k <= plan.gateways; ++k) {
    add("gateway", k, plan.port + kOperationsPortOffset + k - 1);
  }
  for (int k = 1; k <= plan.nodes; ++k) {
    add("node", k, plan.port + kNodeOperationsPortOffset + k - 1);
  }
  return all;
}

Result<void> rewrite_environment(const std::string& data_directory, Identities& identities) {
  const std::string path = data_directory + "/env";
  std::ifstream file(path);
  if (!file) return {};
  std::string others, named, line;
  while (std::getline(file, line)) {
    const bool of_key =
        line.starts_with("AWS_ACCESS_KEY_ID=") || line.starts_with("AWS_SECRET_ACCESS_KEY=");
    if (line.starts_with("AWS_ACCESS_KEY_ID=")) named = line.substr(line.find('=') + 1);
    if (!of_key) others += line + "\n";
  }
  const auto account = identities.find_account("root");
  if (!account) {
    return account.error().code == ErrorCode::kNotFound ? Result<void>{}
                                                        : std::unexpected(account.error());
  }
  TRY(const auto keys, identities.list_keys(account->id));
  const bool good = std::ranges::any_of(
      keys, [&](const metadata::AccessKey& key) { return key.access_key == named && key.enabled; });
  if (good) return {};
  return write_private(path, others + key_lines(usable_key(*account, keys)));
}

std::string default_data_directory() {
  const char* bound = std::getenv("RONDEL_DATA");
  return bound != nullptr && *bound != '\0' ? bound : "/var/lib/rondel";
}

}  // namespace rondel::cli
