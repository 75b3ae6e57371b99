// A program of somebody else's: is present in a room, and sees itself there.
#include <iostream>
#include <thread>

#include "muster/client/connection.h"
#include "muster/client/held_session.h"
#include "muster/v1/presence.grpc.pb.h"

namespace {

int Fail(const std::string& why) {
  std::cerr << "consumer: " << why << '\n';
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return Fail("usage: consumer HOST:PORT");
  muster::client::Connection connection({.addresses = {argv[1]}});
  muster::client::HeldSession session(&connection, {}, {{"room", "ann", "{}"}});
  int listed = -1;
  absl::Status read;
  const absl::Status held = session.Run({.on_held = [&](size_t) {
    muster::v1::ListRequest request;
    request.set_topic("room");
    muster::v1::ListResponse response;
    read =
        connection.Call(&muster::v1::Presence::Stub::List, request, &response);
    listed = response.entries_size();
    session.Stop();
  }});
  if (!held.ok()) return Fail(held.ToString());
  if (!read.ok()) return Fail(read.ToString());
  if (listed != 1) return Fail("lists " + std::to_string(listed));
  std::cout << "present, and listed\n";
  return 0;
}
