package main

import (
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"ssedge/engine/setting"
)

// sizeFlags are all flags that are sizes, by the commands that have them.
func sizeFlags(t *testing.T) map[string][]string {
	all := map[string][]string{}
	for command, flags := range commands(t) {
		for _, f := range flags {
			if isSize(f) {
				all[f.Name] = append(all[f.Name], command)
			}
		}
	}
	return all
}

// TestSizesTakeUnits everywhere, in all three ways of setting them; numbers go on, and what is no
// size is refused with words.
func TestSizesTakeUnits(t *testing.T) {
	notRaced(t)
	flags := sizeFlags(t)
	for command, all := range commands(t) { // none is left out that says so
		for _, f := range all {
			if flags[f.Name] == nil &&
				(strings.Contains(f.Name, "bytes") || strings.HasPrefix(f.Help, "Bytes ") ||
					strings.Contains(f.Help, "in bytes")) && f.Target.Kind() != reflect.String {
				t.Errorf("%s --%s is no size", command, f.Name)
			}
		}
	}
	for _, name := range []string{"event-bytes", "history-max", "memory-max", "not-sent-lowat",
		"payload", "dribble", "memory"} {
		if flags[name] == nil {
			t.Errorf("--%s is no size", name)
		}
	}
	var names []string
	for name, users := range flags {
		if slices.Contains(users, "serve") {
			names = append(names, name)
		}
	}
	for value, want := range map[string]int64{"3KiB": 3072, "3KB": 3000, "3000": 3000} {
		var inFlags []string
		inFile := ""
		for _, name := range names {
			inFlags = append(inFlags, "--"+name+"="+value)
			inFile += name + ": " + value + "\n"
		}
		for way, args := range map[string][]string{"flags": inFlags,
			"file": {"--config=" + settings(t, inFile)}, "variables": nil} {
			t.Run(way+" "+value, func(t *testing.T) {
				for _, name := range names {
					if args == nil {
						t.Setenv("SSEDGE_"+strings.ToUpper(strings.ReplaceAll(name, "-", "_")),
							value)
					}
				}
				var parsed cli
				if _, err := newParser(&parsed).
					Parse(append([]string{"serve"}, args...)); err != nil {
					t.Fatal(err)
				}
				found := 0
				for _, o := range setting.All(&parsed.Serve.Settings) {
					if !o.IsSize() {
						continue
					}
					found++
					if got := o.Value.Int(); got != want {
						t.Errorf("%s is %d, expected %d", o.Path, got, want)
					}
				}
				if found != len(names) || found < 12 {
					t.Errorf("found %d sizes, expected %d", found, len(names))
				}
			})
		}
	}
	for _, args := range [][]string{{"serve", "--body-bytes=1.5K"},
		{"bench", "hold", "--payload=many"}, {"tune", "--memory=8X"},
		{"publish", "t", "x", "--event-bytes=0x10"}, {"bench", "slow", "--dribble=-1"}} {
		_, errors, code := run(t, args...)
		name, value, _ := strings.Cut(args[len(args)-1], "=")
		oneLine(t, errors, code, name, "expected a whole number of bytes", value)
	}
	for _, text := range []string{"history-max: 1.5G", "history-max: 0x10000000",
		"history-max: 1e9", "history-max: 5 XB", "history-max: -1", "history-max: 268_435_456",
		"history-max: ''"} {
		_, errors, code := run(t, "serve", "--check", "--dev", "--config="+settings(t, text))
		oneLine(t, errors, code, "history-max", "expected")
	}
}

// TestHelpShowsSizesWithUnits that are taken as they stand there.
func TestHelpShowsSizesWithUnits(t *testing.T) {
	for command, flags := range commands(t) {
		for _, f := range flags {
			if !isSize(f) || f.Default == "" {
				continue
			}
			n, err := setting.ParseSize(f.Default)
			if err != nil || setting.FormatSize(n) != f.Default {
				t.Errorf("%s --%s: the default %s is read as %v, %v", command, f.Name, f.Default, n,
					err)
			}
		}
	}
}

// TestHelpExplainsSizesOnce: wherever units are explained it is in the same words, and each unit is
// what they say.
func TestHelpExplainsSizesOnce(t *testing.T) {
	for name, help := range map[string]string{"ssedge": newParser(&cli{}).Model.Help,
		"ssedge serve": serveCmd{}.Help()} {
		if strings.Count(help, setting.SizeHelp) != 1 ||
			strings.Count(help, "powers of 1024") != 1 {
			t.Errorf("%s --help says %q, expected %q in it once", name, help, setting.SizeHelp)
		}
	}
	of1024, of1000, _ := strings.Cut(setting.SizeHelp[strings.Index(setting.SizeHelp, ": "):],
		"powers of 1024")
	for words, base := range map[string]int64{of1024: 1024, of1000: 1000} {
		units := regexp.MustCompile(`\b[KMGT](i?B)?\b`).FindAllString(words, -1)
		if len(units) < 4 {
			t.Errorf("%q has only the units %q", words, units)
		}
		for _, unit := range units {
			want := int64(1)
			for range 1 + strings.Index("KMGT", unit[:1]) {
				want *= base
			}
			if n, err := setting.ParseSize("1" + unit); err != nil || int64(n) != want {
				t.Errorf("1%s is %d, %v, expected %d", unit, int64(n), err, want)
			}
		}
	}
}
