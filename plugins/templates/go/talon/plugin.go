// SPDX-License-Identifier: Apache-2.0

// Package talon serves a plugin of the contract talon.v1 to the daemon that started it.
package talon

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	talonv1 "talon.plugins/greeter/talon/v1"
)

// Protocol is the version of talon.v1 that this package speaks.
const Protocol = 1

// Folders is where a plugin may work, and its secrets, which belong neither in logs nor in results.
type Folders struct {
	Workspace, Data string
	Credentials     map[string][]byte
}

// Call is one call of a tool; its context ends when nobody waits for the answer any more.
type Call struct {
	ID, SessionID, IdempotencyKey string
	Actor                         *talonv1.Actor
	JSON                          json.RawMessage
}

// Arguments reads the call's arguments into a struct; names it does not have are errors.
func (c Call) Arguments(into any) error {
	if err := Strict(c.JSON, into); err != nil {
		return argumentError{err}
	}
	return nil
}

// Tool is one tool: what it is, and what it does. Run's error is for the model to read.
type Tool struct {
	Manifest *talonv1.ToolManifest
	Run      func(context.Context, Call) (string, error)
}

// Plugin is what an author fills in.
type Plugin struct {
	Name, Version, Description string
	Needs                      *talonv1.Needs // of the sandbox; nil: nothing
	// Called once before any call with a JSON object; an error refuses the configuration.
	Configure func(json.RawMessage, Folders) error
	Tools     []Tool
}

// Strict decodes one JSON object and refuses names that `into` does not have.
func Strict(text json.RawMessage, into any) error {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(into); err != nil {
		return errors.New(strings.TrimPrefix(err.Error(), "json: "))
	}
	if _, err := decoder.Token(); err != io.EOF {
		return errors.New("text behind the JSON object")
	}
	return nil
}

// Manifest is what the daemon is told.
func (p *Plugin) Manifest() *talonv1.Manifest {
	manifest := &talonv1.Manifest{Protocol: Protocol, Name: p.Name, Version: p.Version,
		Description: p.Description, Needs: p.Needs}
	for _, tool := range p.Tools {
		manifest.Tools = append(manifest.Tools, tool.Manifest)
	}
	return manifest
}

var errNoTool = errors.New("no such tool")

func (p *Plugin) configure(text json.RawMessage, folders Folders) error {
	if len(text) == 0 {
		text = json.RawMessage("{}")
	}
	if p.Configure == nil {
		return Strict(text, &struct{}{})
	}
	return p.Configure(text, folders)
}

// argumentError is a call that does not fit the tool's schema.
type argumentError struct{ error }

func (p *Plugin) execute(ctx context.Context, name string, call Call) (string, error) {
	for _, tool := range p.Tools {
		if tool.Manifest.Name != name {
			continue
		}
		if err := checkRequired(tool.Manifest.SchemaJson, call.JSON); err != nil {
			return "", argumentError{err}
		}
		return tool.Run(ctx, call)
	}
	return "", errNoTool
}

// checkRequired wants a JSON object with every required member; the daemon checks the whole schema.
func checkRequired(schema string, arguments json.RawMessage) error {
	var wanted struct {
		Required []string `json:"required"`
	}
	if err := json.Unmarshal([]byte(schema), &wanted); err != nil {
		return fmt.Errorf("the tool's schema: %w", err)
	}
	var given map[string]json.RawMessage
	if err := json.Unmarshal(arguments, &given); err != nil || given == nil {
		return errors.New("the arguments are no JSON object")
	}
	for _, name := range wanted.Required {
		if _, ok := given[name]; !ok {
			return fmt.Errorf("argument '%s' is missing", name)
		}
	}
	return nil
}

// Harness configures and calls a plugin in a test, without a process.
type Harness struct{ plugin *Plugin }

func NewHarness(plugin *Plugin, config string) (*Harness, error) {
	return &Harness{plugin}, plugin.configure(json.RawMessage(config), Folders{})
}

func (h *Harness) Call(tool, arguments string) (string, error) {
	return h.plugin.execute(context.Background(), tool, Call{ID: "test", JSON: json.RawMessage(arguments)})
}
