// SPDX-License-Identifier: Apache-2.0

package main

import (
	"testing"

	"talon.plugins/greeter/talon"
)

func configured(t *testing.T) *talon.Harness {
	t.Helper()
	plugin, err := talon.NewHarness(newPlugin(), `{"greeting": "Moin"}`)
	if err != nil {
		t.Fatal(err)
	}
	return plugin
}

func TestGreetsByName(t *testing.T) {
	answer, err := configured(t).Call("greet", `{"name": "Ada"}`)
	if err != nil || answer != "Moin, Ada!" {
		t.Fatalf("got %q, %v", answer, err)
	}
}

func TestRefuses(t *testing.T) {
	for _, arguments := range []string{`{"name": ""}`, `{}`, `{"name": 1}`, `{"name": "Ada", "age": 3}`} {
		if answer, err := configured(t).Call("greet", arguments); err == nil {
			t.Errorf("%s: answered %q", arguments, answer)
		}
	}
}

func TestRefusesUnknownOptions(t *testing.T) {
	if _, err := talon.NewHarness(newPlugin(), `{"greting": "Moin"}`); err == nil {
		t.Error("it took an option that there is not")
	}
}
