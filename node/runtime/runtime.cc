#include "node/runtime/runtime.h"

#include <utility>

#include "node/runtime/runtime_impl.h"

namespace muster {

Runtime::Runtime(RuntimeOptions options)
    : impl_(std::make_unique<Impl>(std::move(options))) {}

Runtime::~Runtime() = default;

absl::Status Runtime::Start(const std::vector<grpc::Service*>& services,
                            ServiceSink* sink,
                            const std::vector<grpc::Service*>& guest_services) {
  return impl_->Start(services, sink, guest_services);
}

std::string Runtime::listen_address() const { return impl_->listen_address(); }

std::string Runtime::advertised_address() const {
  return impl_->advertised_address();
}

void Runtime::Drain() { impl_->Drain(); }

absl::Status Runtime::Wait() { return impl_->Wait(); }

void Runtime::Post(CoreTask task) { impl_->Post(std::move(task)); }

void Runtime::PostRead(CoreTask task) { impl_->PostRead(std::move(task)); }

RuntimeStats Runtime::Stats() const { return impl_->Stats(); }

void Runtime::Measure(absl::AnyInvocable<void(LoopMeasures)> done) {
  impl_->Measure(std::move(done));
}

}  // namespace muster
