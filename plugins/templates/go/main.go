// SPDX-License-Identifier: Apache-2.0

// A plugin for talon. The package talon speaks with the daemon; the tools are here.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"talon.plugins/greeter/talon"
	talonv1 "talon.plugins/greeter/talon/v1"
)

type tools struct {
	greeting string
}

// configure is called once before any call; an error refuses the configuration.
func (t *tools) configure(config json.RawMessage, _ talon.Folders) error {
	options := struct {
		Greeting string `json:"greeting"`
	}{Greeting: "Hello"}
	if err := talon.Strict(config, &options); err != nil {
		return err
	}
	if options.Greeting == "" {
		return errors.New("option 'greeting' is empty")
	}
	t.greeting = options.Greeting
	return nil
}

// greet runs on several goroutines at once. Its error is for the model to read.
func (t *tools) greet(_ context.Context, call talon.Call) (string, error) {
	var arguments struct {
		Name string `json:"name"`
	}
	if err := call.Arguments(&arguments); err != nil {
		return "", err
	}
	if arguments.Name == "" {
		return "", errors.New("argument 'name' is empty; say whom to greet")
	}
	return fmt.Sprintf("%s, %s!", t.greeting, arguments.Name), nil
}

func newPlugin() *talon.Plugin {
	t := &tools{}
	return &talon.Plugin{
		Name:        "greeter",
		Version:     "0.1.0",
		Description: "Greets people.",
		Configure:   t.configure,
		Tools: []talon.Tool{{
			Manifest: &talonv1.ToolManifest{
				Name:        "greet",
				Description: "Greets somebody by name.",
				SchemaJson: `{"type":"object","properties":{"name":{"type":"string","description":"Whom to greet"}},` +
					`"required":["name"],"additionalProperties":false}`,
				Effect:   talonv1.EffectClass_EFFECT_CLASS_READ,
				ReadOnly: true,
			},
			Run: t.greet,
		}},
	}
}

func main() {
	talon.Main(newPlugin())
}
