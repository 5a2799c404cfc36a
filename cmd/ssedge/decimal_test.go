package main

import (
	"strings"
	"testing"
)

// TestNumbersAreDecimal in flags, variables and the file alike: nothing is read in another base, or as a number that is none.
func TestNumbersAreDecimal(t *testing.T) {
	notRaced(t)
	for _, c := range []struct{ name, value string }{
		{"keys-max", "010"}, {"keys-max", "0x10"}, {"keys-max", "1_000"}, {"shards", "1.0"},
		{"drain-rate", "NaN"}, {"drain-rate", "Inf"}, {"drain-rate", "0x1p4"},
	} {
		for _, way := range []string{"flag", "variable", "file"} {
			t.Run(way+" "+c.name+" "+c.value, func(t *testing.T) {
				args := []string{"serve"}
				switch way {
				case "flag":
					args = append(args, "--"+c.name+"="+c.value)
				case "variable":
					t.Setenv("SSEDGE_"+strings.ToUpper(strings.ReplaceAll(c.name, "-", "_")), c.value)
				case "file":
					args = append(args, "--config="+settings(t, c.name+": "+c.value))
				}
				if _, err := newParser(&cli{}).Parse(args); err == nil || !strings.Contains(err.Error(), c.name) || !strings.Contains(err.Error(), "expected") {
					t.Errorf("found %v", err)
				}
			})
		}
	}
	var parsed cli
	if _, err := newParser(&parsed).Parse([]string{"serve", "--keys-max=10", "--drain-rate=1e3", "--accept-rate=0.5", "--shards=0"}); err != nil || parsed.Serve.DrainRate != 1000 || parsed.Serve.AcceptRate != 0.5 {
		t.Errorf("found %v, %v", parsed.Serve, err)
	}
	_, errors, code := run(t, "serve", "--check", "--dev", "--admin=")
	oneLine(t, errors, code, "--admin", "off")
}
