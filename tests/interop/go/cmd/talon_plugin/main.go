// SPDX-License-Identifier: Apache-2.0

// A plugin of talon's contract as an application of HashiCorp's go-plugin: stock handshake, cookie,
// AutoMTLS, stdio, health and shutdown; the application's service is talon.v1.Plugin.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"talon.example/interop/gen/talonpb"
)

type service struct {
	talonpb.UnimplementedPluginServer
}

func (service) Describe(context.Context, *talonpb.DescribeRequest) (*talonpb.Manifest, error) {
	tool := func(name string) *talonpb.ToolManifest {
		return &talonpb.ToolManifest{Name: name, Description: "A tool of the interop tests.",
			SchemaJson: `{"type":"object"}`, Effect: talonpb.EffectClass_EFFECT_CLASS_READ, ReadOnly: true}
	}
	return &talonpb.Manifest{Protocol: 1, Name: "go-peer", Version: "1.0",
		Description: "A stock go-plugin.", Tools: []*talonpb.ToolManifest{tool("echo"), tool("print")}}, nil
}

func (service) Configure(context.Context, *talonpb.ConfigureRequest) (*talonpb.ConfigureResponse, error) {
	return &talonpb.ConfigureResponse{}, nil
}

func (service) Execute(ctx context.Context, in *talonpb.ExecuteRequest) (*talonpb.ExecuteResponse, error) {
	switch in.Tool {
	case "fail":
		return nil, status.Error(codes.Aborted, "naïve: 100%\nof it")
	case "wait":
		<-ctx.Done()
		return nil, ctx.Err()
	case "print":
		// More than a pipe holds: blocks when nobody reads the stdio stream.
		for i := 0; i < 4000; i++ {
			fmt.Println("printed on stdout", i, strings.Repeat("x", 100))
		}
		fmt.Fprintln(os.Stderr, "printed on stderr")
	case "environment":
		return &talonpb.ExecuteResponse{CallId: in.CallId, Content: []byte(strings.Join(os.Environ(), "\n"))}, nil
	}
	return &talonpb.ExecuteResponse{CallId: in.CallId, Content: in.ArgumentsJson}, nil
}

func (service) ExecuteStream(in *talonpb.ExecuteRequest, out grpc.ServerStreamingServer[talonpb.ExecuteUpdate]) error {
	count, err := strconv.Atoi(string(in.ArgumentsJson))
	if err != nil {
		return status.Error(codes.InvalidArgument, err.Error())
	}
	for i := 0; i < count; i++ {
		update := &talonpb.ExecuteUpdate{Update: &talonpb.ExecuteUpdate_Progress{
			Progress: &talonpb.Progress{Done: float64(i)}}}
		if err := out.Send(update); err != nil {
			return err
		}
	}
	return nil
}

func (service) Converse(stream grpc.BidiStreamingServer[talonpb.HostMessage, talonpb.PluginMessage]) error {
	for {
		in, err := stream.Recv()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		question := &talonpb.Question{Text: append([]byte("re: "), in.GetCall().GetArgumentsJson()...)}
		if err := stream.Send(&talonpb.PluginMessage{
			Message: &talonpb.PluginMessage_Question{Question: question}}); err != nil {
			return err
		}
	}
}

// What go-plugin wants: the service is registered on its server; there is no client side here.
type served struct {
	plugin.NetRPCUnsupportedPlugin
}

func (served) GRPCServer(_ *plugin.GRPCBroker, server *grpc.Server) error {
	talonpb.RegisterPluginServer(server, service{})
	return nil
}

func (served) GRPCClient(context.Context, *plugin.GRPCBroker, *grpc.ClientConn) (any, error) {
	return nil, nil
}

func main() {
	set := plugin.PluginSet{"talon": served{}}
	plugin.Serve(&plugin.ServeConfig{
		HandshakeConfig: plugin.HandshakeConfig{
			ProtocolVersion: 1, MagicCookieKey: "INTEROP_COOKIE", MagicCookieValue: "interop"},
		VersionedPlugins: map[int]plugin.PluginSet{1: set, 2: set},
		GRPCServer: func(options []grpc.ServerOption) *grpc.Server {
			return grpc.NewServer(append(options, grpc.MaxRecvMsgSize(64<<20), grpc.MaxSendMsgSize(64<<20))...)
		},
	})
}
