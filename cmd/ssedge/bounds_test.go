package main

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestNoCountAndNoTimeIsNegative: every flag of a client that is a number or a time refuses -1,
// instead of having no end or no effect.
func TestNoCountAndNoTimeIsNegative(t *testing.T) {
	notRaced(t)
	t.Setenv(asProgram, "1") // what bench would start
	fail := func(command string, args []string) string {
		if command == "subscribe" || command == "health" { // they may not end
			_, said, _ := run(t, args...)
			return said
		}
		ctx, err := newParser(&cli{}).Parse(args)
		if err == nil {
			err = ctx.Run()
		}
		return fmt.Sprint(err)
	}
	seen := map[string]bool{} // flags that several commands have
	positional := map[string][]string{
		"publish": {"t", "x", "--redis=redis://127.0.0.1:1"}, "subscribe": {"t"},
		"redis key": {"t"}, "redis install": {"--redis=redis://127.0.0.1:1"},
		"bench fanout": {"--start=ssedge"}, "bench isolation": {"--start=ssedge"},
		"bench storm": {"--start=ssedge"}, "bench slow": {"--start=ssedge"},
	}
	for command, flags := range commands(t) {
		if command == "serve" {
			continue // engine checks its settings
		}
		for _, f := range flags {
			target := f.Target.Type()
			if target.Kind() == reflect.Pointer {
				target = target.Elem()
			}
			value := "-1"
			switch {
			case target == reflect.TypeFor[time.Duration]():
				value = "-1s"
			case !slices.Contains([]reflect.Kind{reflect.Int, reflect.Int64, reflect.Float64},
				target.Kind()):
				continue
			}
			if seen[f.Name+f.Help+f.Default] {
				continue
			}
			seen[f.Name+f.Help+f.Default] = true
			said := fail(command, slices.Concat(strings.Fields(command), positional[command],
				[]string{"--" + f.Name + "=" + value}))
			if !strings.Contains(said, "expected") || !strings.Contains(said, "--"+f.Name) &&
				f.Name != "retry" {
				t.Errorf("%s --%s=%s: found %q", command, f.Name, value, said)
			}
		}
	}
	_, said, code := run(t, "health", "--timeout=0")
	oneLine(t, said, code, "--timeout: expected more than 0, found 0s")
}
