// SPDX-License-Identifier: Apache-2.0
// The bundled programs as the daemon meets them: processes, a handshake line, gRPC on a Unix
// socket.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <google/protobuf/util/json_util.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <nlohmann/json.hpp>
#include <thread>

#include "talon/sdk/protocol.h"
#include "talon/v1/plugin.grpc.pb.h"
#include "tests/unit/plugins_bundled/fake_http_server.h"
#include "tests/unit/plugins_bundled/scratch.h"

namespace talon {
namespace {

using nlohmann::json;
using testing::HasSubstr;

std::string Program(const std::string& name) {
  return std::string(TALON_PLUGINS_FOLDER) + "/" + name + "/" + name;
}

bool WaitForEnd(pid_t pid) {
  const int fd = static_cast<int>(syscall(SYS_pidfd_open, pid, 0U));
  if (fd < 0) return errno == ESRCH;
  pollfd wait = {fd, POLLIN, 0};
  const int result = poll(&wait, 1, 20'000);
  close(fd);
  return result == 1;
}

// A started program with its stdout on a pipe.
struct Process {
  Process(const std::string& program, std::vector<std::string> environment,
          std::vector<std::string> arguments = {}) {
    int fds[2];
    EXPECT_EQ(pipe2(fds, O_CLOEXEC), 0);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, fds[1], 1);
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    arguments.insert(arguments.begin(), program);
    EXPECT_EQ(posix_spawn(&pid, program.c_str(), &actions, nullptr, Pointers(arguments).data(),
                          Pointers(environment).data()),
              0);
    posix_spawn_file_actions_destroy(&actions);
    close(fds[1]);
    out = fds[0];
  }
  ~Process() {
    if (pid > 0) {
      kill(pid, SIGKILL);
      waitpid(pid, nullptr, 0);
    }
    close(out);
  }
  static std::vector<char*> Pointers(std::vector<std::string>& strings) {
    std::vector<char*> pointers;
    for (std::string& item : strings) pointers.push_back(item.data());
    pointers.push_back(nullptr);
    return pointers;
  }
  std::string Line() {
    std::string line;
    char c = 0;
    while (read(out, &c, 1) == 1 && c != '\n') line += c;
    return line;
  }
  // Exit code; 256 + signal when it was killed.
  int Wait() {
    EXPECT_TRUE(WaitForEnd(pid));
    int status = 0;
    waitpid(std::exchange(pid, -1), &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 256 + WTERMSIG(status);
  }

  pid_t pid = -1;
  int out = -1;
};

class ProcessTest : public testing::Test {
 protected:
  std::vector<std::string> Environment() const {
    return {std::string(sdk::kCookieName) + "=" + sdk::kCookieValue,
            std::string(sdk::kSocketDirName) + "=" + scratch_.path(), "PATH=/usr/bin:/bin"};
  }

  void Start(const std::string& name) {
    std::filesystem::create_directories(scratch_.At("ws"));
    process_ = std::make_unique<Process>(Program(name), Environment());
    const std::string line = process_->Line();
    ASSERT_TRUE(line.starts_with("1|1|unix|" + scratch_.path() + "/")) << line;
    ASSERT_TRUE(line.ends_with("|grpc")) << line;
    socket_ = line.substr(9, line.size() - 9 - 5);
    struct stat info = {};
    ASSERT_EQ(stat(socket_.c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 077, 0u);
    stub_ = v1::Plugin::NewStub(
        grpc::CreateChannel("unix:" + socket_, grpc::InsecureChannelCredentials()));
  }

  grpc::Status Configure(const std::string& config) {
    grpc::ClientContext context;
    v1::ConfigureRequest request;
    request.set_config_json(config);
    request.set_workspace(scratch_.At("ws"));
    v1::ConfigureResponse response;
    return stub_->Configure(&context, request, &response);
  }

  grpc::Status Execute(const std::string& tool, const json& args, v1::ExecuteResponse& response,
                       grpc::ClientContext& context) {
    v1::ExecuteRequest request;
    request.set_call_id("call-7");
    request.set_tool(tool);
    request.set_arguments_json(args.dump());
    return stub_->Execute(&context, request, &response);
  }
  std::string Content(const std::string& tool, const json& args) {
    grpc::ClientContext context;
    v1::ExecuteResponse response;
    const grpc::Status status = Execute(tool, args, response, context);
    EXPECT_TRUE(status.ok()) << status.error_message();
    EXPECT_EQ(response.call_id(), "call-7");
    EXPECT_EQ(response.error(), "");
    return response.content();
  }

  // From Describe to the end of the process, with `use` in between.
  void WholeLife(const std::string& name, const std::string& config,
                 const std::function<void()>& use) {
    Start(name);
    v1::Manifest manifest;
    {
      grpc::ClientContext context;
      ASSERT_TRUE(stub_->Describe(&context, v1::DescribeRequest(), &manifest).ok());
    }
    std::string shipped;
    google::protobuf::util::JsonPrintOptions options;
    options.add_whitespace = options.preserve_proto_field_names = true;
    ASSERT_TRUE(google::protobuf::util::MessageToJsonString(manifest, &shipped, options).ok());
    std::ifstream file(Program(name).substr(0, Program(name).rfind('/')) + "/manifest.json");
    EXPECT_EQ(shipped, std::string(std::istreambuf_iterator<char>(file), {}));

    {
      grpc::ClientContext context;
      v1::ExecuteResponse response;
      EXPECT_EQ(Execute(manifest.tools(0).name(), json::object(), response, context).error_code(),
                grpc::StatusCode::FAILED_PRECONDITION);
    }
    const grpc::Status refused = Configure(R"({"no_such_option":1})");
    EXPECT_EQ(refused.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
    EXPECT_THAT(refused.error_message(), HasSubstr("no_such_option"));
    ASSERT_TRUE(Configure(config).ok());
    use();
    grpc::ClientContext context;
    v1::ShutdownResponse response;
    const grpc::Status status = stub_->Shutdown(&context, v1::ShutdownRequest(), &response);
    EXPECT_TRUE(status.ok() || status.error_code() == grpc::StatusCode::UNAVAILABLE);
    EXPECT_EQ(process_->Wait(), 0);
    EXPECT_FALSE(std::filesystem::exists(socket_));
  }

  test::Scratch scratch_;
  std::unique_ptr<Process> process_;
  std::string socket_;
  std::unique_ptr<v1::Plugin::Stub> stub_;
};

TEST_F(ProcessTest, Files) {
  WholeLife("files", "{}", [&] {
    EXPECT_THAT(Content("write", {{"path", "a.txt"}, {"content", "hello"}}), HasSubstr("created"));
    EXPECT_EQ(Content("read", {{"path", "a.txt"}}), "hello");
    EXPECT_EQ(scratch_.Read("ws/a.txt"), "hello");
  });
}

TEST_F(ProcessTest, Shell) {
  WholeLife("shell", "{}", [&] {
    EXPECT_EQ(Content("run", {{"command", "echo $((6*7))"}}), "42\n[exit code 0]");
    EXPECT_THAT(Content("run", {{"command", "env"}}), testing::Not(HasSubstr(sdk::kCookieName)));
  });
}

TEST_F(ProcessTest, Http) {
  test::FakeHttpServer server(
      [](const std::string&) { return test::FakeHttpServer::Ok("text/html", "<h1>Hi</h1>"); });
  WholeLife("http", R"({"allow_private":true})", [&] {
    EXPECT_THAT(Content("get", {{"url", server.Url("/")}, {"text", true}}), HasSubstr("\n# Hi"));
  });
}

TEST_F(ProcessTest, CancellationReachesTheCommand) {
  Start("shell");
  ASSERT_TRUE(Configure("{}").ok());
  ASSERT_EQ(mkfifo(scratch_.At("ws/ready").c_str(), 0600), 0);
  grpc::ClientContext context;
  std::thread canceller([&] {
    scratch_.Read("ws/ready");  // waits until the command opens it
    context.TryCancel();
  });
  v1::ExecuteResponse response;
  const grpc::Status status =
      Execute("run", {{"command", "echo $$ > child; echo > ready; sleep 300"}}, response, context);
  canceller.join();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::CANCELLED);
  EXPECT_TRUE(WaitForEnd(std::stoi(scratch_.Read("ws/child"))));
}

TEST_F(ProcessTest, ManyCallsAtOnceAllAnswer) {
  Start("shell");
  ASSERT_TRUE(Configure("{}").ok());
  std::vector<std::thread> threads;
  std::atomic<int> good = 0;
  for (int i = 0; i < 40; ++i) {
    threads.emplace_back([&, i] {
      const std::string text = std::to_string(i);
      if (Content("run", {{"command", "echo " + text}}) == text + "\n[exit code 0]") ++good;
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(good, 40);
}

TEST_F(ProcessTest, SigtermDuringACallEndsProcessAndCommand) {
  Start("shell");
  ASSERT_TRUE(Configure("{}").ok());
  ASSERT_EQ(mkfifo(scratch_.At("ws/ready").c_str(), 0600), 0);
  std::thread killer([&] {
    scratch_.Read("ws/ready");
    kill(process_->pid, SIGTERM);
  });
  grpc::ClientContext context;
  v1::ExecuteResponse response;
  Execute("run", {{"command", "echo $$ > child; echo > ready; sleep 300"}}, response, context);
  killer.join();
  EXPECT_EQ(process_->Wait(), 0);
  EXPECT_FALSE(std::filesystem::exists(socket_));
  EXPECT_TRUE(WaitForEnd(std::stoi(scratch_.Read("ws/child"))));
}

TEST_F(ProcessTest, ExplainsItselfWithoutTheCookie) {
  EXPECT_EQ(Process(Program("files"), {}).Wait(), 1);
  EXPECT_EQ(Process(Program("files"), {std::string(sdk::kCookieName) + "=wrong"}).Wait(), 1);
  // With the cookie but without a folder for its socket it cannot serve.
  EXPECT_EQ(Process(Program("files"), {Environment()[0]}).Wait(), 1);
  Process manifest(Program("files"), {}, {"--manifest"});
  EXPECT_EQ(manifest.Line(), "{");
}

TEST_F(ProcessTest, DiesWithItsParent) {
  // The shell in between starts the plugin, tells its pid and is killed.
  Process parent("/bin/sh", Environment(),
                 {"-c", Program("files") + " & echo $! > '" + scratch_.At("pid") + "'; wait"});
  parent.Line();
  const pid_t plugin = std::stoi(scratch_.Read("pid"));
  kill(parent.pid, SIGKILL);
  EXPECT_TRUE(WaitForEnd(plugin));
}

}  // namespace
}  // namespace talon
