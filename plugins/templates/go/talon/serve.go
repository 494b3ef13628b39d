// SPDX-License-Identifier: Apache-2.0

package talon

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/signal"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"

	talonv1 "talon.plugins/greeter/talon/v1"
)

const (
	cookieName    = "TALON_PLUGIN_COOKIE"
	cookieValue   = "talon-plugin-v1"
	callerKeyName = "TALON_CALLER_KEY" // whoever does not send it with a call is not the daemon
	socketDirName = "PLUGIN_UNIX_SOCKET_DIR"
	maxCalls      = 16              // at once; further ones wait
	maxRequest    = 4 << 20         // bytes
	stopGrace     = 1 * time.Second // for calls under way at the end
)

// The kernel's signal at the daemon's death belongs to a thread: this keeps main on the first one,
// which lives as long as the process.
func init() { runtime.LockOSThread() }

// Main serves the plugin until the daemon ends it. `--manifest` prints what it is.
func Main(plugin *Plugin) {
	if len(os.Args) == 2 && os.Args[1] == "--manifest" {
		fmt.Println(protojson.Format(plugin.Manifest()))
		return
	}
	if os.Getenv(cookieName) != cookieValue {
		fail("%s: this is a plugin of talon. The daemon starts it; run by hand it only knows --manifest.", plugin.Name)
	}
	if err := serve(plugin); err != nil {
		fail("[ERROR] %s: %v", plugin.Name, err)
	}
}

func fail(format string, values ...any) {
	fmt.Fprintf(os.Stderr, format+"\n", values...)
	os.Exit(1)
}

func serve(plugin *Plugin) error {
	parent := os.Getppid()
	const prSetPdeathsig = 1
	syscall.RawSyscall(syscall.SYS_PRCTL, prSetPdeathsig, uintptr(syscall.SIGTERM), 0)
	if os.Getppid() != parent {
		return errors.New("the daemon has ended")
	}
	signal.Ignore(syscall.SIGINT) // belongs to the daemon's terminal
	terminate := make(chan os.Signal, 1)
	signal.Notify(terminate, syscall.SIGTERM)

	path := fmt.Sprintf("%s/p%d", os.Getenv(socketDirName), os.Getpid())
	syscall.Umask(0o077)
	listener, err := net.Listen("unix", path)
	if err != nil {
		return err
	}
	service := &service{plugin: plugin, slots: make(chan struct{}, maxCalls), stop: make(chan struct{})}
	key := os.Getenv(callerKeyName)
	os.Unsetenv(callerKeyName) // what the plugin starts does not get it
	server := grpc.NewServer(grpc.MaxRecvMsgSize(maxRequest),
		grpc.UnaryInterceptor(func(ctx context.Context, request any, _ *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
			if err := fromDaemon(ctx, key); err != nil {
				return nil, err
			}
			return next(ctx, request)
		}),
		grpc.StreamInterceptor(func(service any, stream grpc.ServerStream, _ *grpc.StreamServerInfo, next grpc.StreamHandler) error {
			if err := fromDaemon(stream.Context(), key); err != nil {
				return err
			}
			return next(service, stream)
		}))
	talonv1.RegisterPluginServer(server, service)
	go func() {
		select {
		case <-terminate:
		case <-service.stop:
		}
		time.AfterFunc(stopGrace, server.Stop)
		server.GracefulStop()
	}()
	fmt.Printf("1|%d|unix|%s|grpc\n", Protocol, path)
	os.Stdout = os.Stderr // what is printed from here on goes to the daemon's log
	return server.Serve(listener)
}

func fromDaemon(ctx context.Context, key string) error {
	sent := metadata.ValueFromIncomingContext(ctx, "talon-caller-key")
	if key == "" || len(sent) == 1 && sent[0] == key {
		return nil
	}
	return status.Error(codes.Unauthenticated, "this plugin answers the daemon that started it")
}

type service struct {
	talonv1.UnimplementedPluginServer
	plugin *Plugin
	slots  chan struct{}
	stop   chan struct{}
	once   sync.Once
}

func (s *service) Describe(context.Context, *talonv1.DescribeRequest) (*talonv1.Manifest, error) {
	return s.plugin.Manifest(), nil
}

func (s *service) Configure(_ context.Context, request *talonv1.ConfigureRequest) (*talonv1.ConfigureResponse, error) {
	folders := Folders{Workspace: request.Workspace, Data: request.DataDirectory, Credentials: request.Credentials}
	if err := s.plugin.configure(json.RawMessage(request.ConfigJson), folders); err != nil {
		return nil, status.Error(codes.InvalidArgument, err.Error())
	}
	return &talonv1.ConfigureResponse{}, nil
}

func (s *service) Execute(ctx context.Context, request *talonv1.ExecuteRequest) (response *talonv1.ExecuteResponse, err error) {
	select {
	case s.slots <- struct{}{}:
		defer func() { <-s.slots }()
	case <-ctx.Done():
		return nil, status.FromContextError(ctx.Err()).Err()
	}
	defer func() { // a tool that panics fails its call, not the process
		if cause := recover(); cause != nil {
			response, err = nil, status.Errorf(codes.Internal, "tool '%s' panicked: %v", request.Tool, cause)
		}
	}()
	content, failure := s.plugin.execute(ctx, request.Tool, Call{ID: request.CallId, SessionID: request.SessionId,
		IdempotencyKey: request.IdempotencyKey, Actor: request.Actor, JSON: request.ArgumentsJson})
	if errors.Is(failure, errNoTool) {
		return nil, status.Errorf(codes.NotFound, "tool '%s' is not known", request.Tool)
	}
	if wrong := (argumentError{}); errors.As(failure, &wrong) {
		return nil, status.Error(codes.InvalidArgument, wrong.Error())
	}
	answer := &talonv1.ExecuteResponse{CallId: request.CallId}
	if failure != nil {
		answer.Error = []byte(strings.ToValidUTF8(failure.Error(), "\uFFFD"))
	} else {
		answer.Content = []byte(strings.ToValidUTF8(content, "\uFFFD"))
	}
	return answer, nil
}

func (s *service) Shutdown(context.Context, *talonv1.ShutdownRequest) (*talonv1.ShutdownResponse, error) {
	s.once.Do(func() { close(s.stop) })
	return &talonv1.ShutdownResponse{}, nil
}
