#include "bench/empty_server.h"

#include <grpcpp/grpcpp.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <memory>

#include "absl/strings/str_cat.h"
#include "bench/base.h"
#include "muster/v1/kv.grpc.pb.h"

namespace muster::bench {
namespace {

using Buffer = grpc::ByteBuffer;

class EmptyService final : public grpc::Service {
 public:
  EmptyService() {
    using grpc::internal::RpcMethod;
    AddMethod(new grpc::internal::RpcServiceMethod(
        EmptyServer::kMethod, RpcMethod::NORMAL_RPC, nullptr));
    MarkMethodRawCallback(
        0, new grpc::internal::CallbackUnaryHandler<Buffer, Buffer>(
               [](grpc::CallbackServerContext* context, const Buffer*,
                  Buffer* response) {
                 const grpc::Slice nothing;
                 *response = Buffer(&nothing, 1);
                 grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
                 reactor->Finish(grpc::Status::OK);
                 return reactor;
               }));
  }
};

// Tells its port, then serves until the parent is gone.
[[noreturn]] void Serve(int tell, pid_t parent) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) _exit(127);
  EmptyService service;
  grpc::ServerBuilder builder;
  int port = 0;
  builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(),
                           &port);
  builder.RegisterService(&service);
  const std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  if (write(tell, &port, sizeof(port)) != sizeof(port)) _exit(127);
  server->Wait();
  _exit(0);
}

}  // namespace

EmptyServer::EmptyServer() {
  int ends[2];
  if (pipe(ends) != 0) Die("no pipe");
  const pid_t self = getpid();
  pid_ = fork();
  if (pid_ < 0) Die("fork failed");
  if (pid_ == 0) Serve(ends[1], self);
  close(ends[1]);
  int port = 0;
  if (read(ends[0], &port, sizeof(port)) != sizeof(port) || port == 0) {
    Die("the empty server did not start");
  }
  close(ends[0]);
  address_ = absl::StrCat("127.0.0.1:", port);
}

EmptyServer::~EmptyServer() {
  kill(pid_, SIGKILL);
  waitpid(pid_, nullptr, 0);
}

}  // namespace muster::bench
