// publish, subscribe, channels.
#include <string>

#include "muster/client/subscription.h"
#include "muster/v1/pubsub.grpc.pb.h"
#include "node/cli/client_command.h"
#include "node/cli/json.h"
#include "node/cli/text.h"

namespace muster::cli {
namespace {

void PrintMessage(const ClientCommand& command,
                  const v1::PubSubMessage& message) {
  if (command.line.json) {
    command.out << ToJson("event", "message", message) << '\n';
  } else {
    command.out << Printable(message.channel()) << '\t'
                << Printable(message.payload()) << '\n';
  }
  command.out.flush();
}

}  // namespace

ExitCode RunPublish(const ClientCommand& command) {
  v1::PublishRequest request;
  v1::PublishRequest::Message* message = request.add_messages();
  message->set_channel(command.line.channel);
  message->set_payload(command.line.payload);
  v1::PublishResponse response;
  const absl::Status status =
      command.connection.Call(&v1::PubSub::Stub::Publish, request, &response);
  if (!status.ok()) return Report(status, command.err);
  if (command.line.json) {
    command.out << ToJson(response) << '\n';
  } else {
    command.out << response.subscriptions(0) << '\n';
  }
  return kDone;
}

ExitCode RunSubscribe(const ClientCommand& command) {
  client::Subscription::Options options;
  (command.line.patterns ? options.patterns : options.channels) =
      command.line.names;
  options.give_up = GiveUp(command.line);
  client::Subscription subscription(&command.connection, std::move(options));
  client::Subscription::Observer observer;
  bool refused = false;
  observer.on_message = [&](const v1::PubSubMessage& message, uint64_t) {
    PrintMessage(command, message);
  };
  observer.on_held = [&] { command.err << "muster: subscribed" << std::endl; };
  observer.on_missed = [&](std::optional<uint64_t> count) {
    if (count.has_value()) {
      command.err << "muster: " << *count << " messages were lost" << std::endl;
    } else {
      command.err << "muster: messages may be missed until subscribed again"
                  << std::endl;
    }
  };
  observer.on_refused = [&](const client::SubscribedName& name,
                            const absl::Status& status) {
    command.err << "muster: " << Printable(name.name) << ": "
                << status.message() << std::endl;
    refused = true;
    subscription.Stop();
  };
  observer.on_note = [&](const std::string& note) {
    command.err << "muster: " << note << std::endl;
  };
  OnInterrupt on_interrupt(command.interrupt,
                           [&subscription] { subscription.Stop(); });
  const ExitCode code = Report(subscription.Run(observer), command.err);
  return refused ? kAnswerIsNo : code;
}

ExitCode RunChannels(const ClientCommand& command) {
  v1::ChannelsRequest request;
  request.set_pattern(command.line.pattern);
  TextTable table({TextTable::Align::kLeft, TextTable::Align::kRight});
  while (true) {
    v1::ChannelsResponse response;
    const absl::Status status = command.connection.Call(
        &v1::PubSub::Stub::Channels, request, &response);
    if (!status.ok()) return Report(status, command.err);
    for (const v1::ChannelCount& channel : response.channels()) {
      if (command.line.json) {
        command.out << ToJson(channel) << '\n';
      } else {
        table.AddRow(
            {channel.channel(), std::to_string(channel.subscribers())});
      }
    }
    if (response.next_page_token().empty()) break;
    request.set_page_token(response.next_page_token());
  }
  table.Print(command.out);
  return kDone;
}

}  // namespace muster::cli
