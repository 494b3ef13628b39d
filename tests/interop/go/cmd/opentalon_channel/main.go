// SPDX-License-Identifier: Apache-2.0

// A channel of OpenTalon's contract on grpc-go. A person is played by files: each line that its
// folder's file `say` holds at the start becomes a message; each answer is written to `answers`. While
// there is a file `armed`, the next answer makes it the next `say` and ends the process.
package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"talon.example/interop/gen/channelpb"
)

type service struct {
	channelpb.UnimplementedChannelServiceServer
	mutex  sync.Mutex
	folder string
	name   string
}

func (s *service) Capabilities(context.Context, *emptypb.Empty) (*channelpb.ChannelCapabilities, error) {
	return &channelpb.ChannelCapabilities{Id: "slack", Name: "A channel for tests", Threads: true,
		MaxMessageLength: 4000}, nil
}

func (s *service) Configure(_ context.Context, in *channelpb.ConfigureRequest) (*channelpb.ConfigureResponse, error) {
	s.folder = in.GetConfig().GetFields()["folder"].GetStringValue()
	s.name = in.InstanceId
	return &channelpb.ConfigureResponse{}, nil
}

func (s *service) Start(_ *emptypb.Empty, out grpc.ServerStreamingServer[channelpb.InboundMessage]) error {
	path := filepath.Join(s.folder, "say")
	text, _ := os.ReadFile(path)
	os.Remove(path)
	for _, line := range strings.Split(strings.TrimSpace(string(text)), "\n") {
		if line == "" {
			continue
		}
		message := &channelpb.InboundMessage{ChannelId: "not mine to say", ConversationId: "room 1",
			ThreadId: "t1", SenderId: "u1", SenderName: "Ada", Content: line, Kind: "test",
			Timestamp: timestamppb.Now()}
		if err := out.Send(message); err != nil {
			return err
		}
	}
	<-out.Context().Done()
	return nil
}

func (s *service) Send(_ context.Context, in *channelpb.OutboundMessage) (*channelpb.SendResponse, error) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	file, err := os.OpenFile(filepath.Join(s.folder, "answers"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	fmt.Fprintf(file, "%s/%s/%s: %s\n", s.name, in.ConversationId, in.ThreadId, in.Content)
	if os.Rename(filepath.Join(s.folder, "armed"), filepath.Join(s.folder, "say")) == nil {
		os.Exit(3)
	}
	return &channelpb.SendResponse{}, nil
}

func main() {
	path := filepath.Join(os.Getenv("OPENTALON_CHANNEL_SOCK_DIR"), "channel.sock")
	listener, err := net.Listen("unix", path)
	if err != nil {
		panic(err)
	}
	server := grpc.NewServer()
	channelpb.RegisterChannelServiceServer(server, &service{})
	if err := server.Serve(listener); err != nil {
		panic(err)
	}
}
