package main

import (
	"fmt"
	"strings"
	"testing"

	"github.com/alecthomas/kong"

	"ssedge/engine"
	"ssedge/engine/setting"
)

// TestTheCommandLineIsTheSettings: each setting has its flag, and without flags a server has the
// engine's defaults.
func TestTheCommandLineIsTheSettings(t *testing.T) {
	flags := map[string]*kong.Flag{}
	for _, f := range commands(t)["serve"] {
		flags[f.Name] = f
	}
	for _, o := range setting.All(&engine.Config{}) {
		f := flags[o.Flag]
		if f == nil {
			t.Errorf("%s: there is no flag --%s", o.Path, o.Flag)
			continue
		}
		if isSize(f) != o.IsSize() || !strings.HasSuffix(o.Help(), ".") {
			t.Errorf("--%s: expected a sentence of help, and the setting's type", o.Flag)
		}
		if _, number := o.Number(); number && o.Tag.Get("range") == "" &&
			o.Path != "Redis.Partitions" {
			t.Errorf("--%s: expected a range", o.Flag)
		}
	}
	var parsed cli
	if _, err := newParser(&parsed).Parse([]string{"serve"}); err != nil {
		t.Fatal(err)
	}
	d := engine.DefaultConfig()
	usual := setting.All(&d)
	for i, o := range setting.All(&parsed.Serve.Settings) {
		got, want := fmt.Sprint(o.Value.Interface()), fmt.Sprint(usual[i].Value.Interface())
		if got != want && o.Path != "Edge" { // a process chooses its own
			t.Errorf("without flags %v, expected %s", o, want)
		}
	}
}
