package main

import (
	"fmt"
	"strings"
	"testing"
)

// TestNumbersAreDecimal in flags, variables and the file alike: nothing is read in another base, or
// as a number that is none. The reason is the same everywhere.
func TestNumbersAreDecimal(t *testing.T) {
	notRaced(t)
	for _, c := range []struct{ name, value string }{
		{"keys-max", "010"}, {"keys-max", "0x10"}, {"keys-max", "1_000"}, {"shards", "1.0"},
		{"shards", "9223372036854775808"},
		{"drain-rate", "NaN"}, {"drain-rate", "Inf"}, {"drain-rate", "0x1p4"},
		{"drain-rate", "1e999"},
	} {
		reason := "" // of the first way
		for _, way := range []string{"flag", "variable", "file"} {
			t.Run(way+" "+c.name+" "+c.value, func(t *testing.T) {
				args := []string{"serve"}
				switch way {
				case "flag":
					args = append(args, "--"+c.name+"="+c.value)
				case "variable":
					t.Setenv("SSEDGE_"+strings.ToUpper(strings.ReplaceAll(c.name, "-", "_")),
						c.value)
				case "file":
					args = append(args, "--config="+settings(t, c.name+": "+c.value))
				}
				_, err := newParser(&cli{}).Parse(args)
				if err == nil || !strings.Contains(err.Error(), c.name) {
					t.Fatalf("found %v", err)
				}
				_, says, _ := strings.Cut(err.Error(), "expected ")
				says, _, _ = strings.Cut(says, " (from envar ")
				if reason == "" {
					reason = says
				}
				if says != reason || !strings.HasSuffix(says, fmt.Sprintf(", found %q", c.value)) {
					t.Errorf("found %q, expected %q", says, reason)
				}
			})
		}
	}
	var parsed cli
	if _, err := newParser(&parsed).
		Parse([]string{"serve", "--keys-max=10", "--drain-rate=1e3", "--accept-rate=0.5",
			"--shards=0"}); err != nil || parsed.Serve.Settings.DrainRate != 1000 ||
		parsed.Serve.Settings.AcceptRate != 0.5 {
		t.Errorf("found %v, %v", parsed.Serve, err)
	}
	_, errors, code := run(t, "serve", "--check", "--dev", "--admin=")
	oneLine(t, errors, code, "--admin", "off")
}
