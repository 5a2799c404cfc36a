package main

import (
	"math"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestParseSize: what is taken, and that it reads back from its own text.
func TestParseSize(t *testing.T) {
	for text, want := range map[string]size{
		"0": 0, "1": 1, "17B": 17, "1048576": 1 << 20, "4K": 4096, "4k": 4096, "512M": 512 << 20, "8G": 8 << 30, "1T": 1 << 40,
		"64KiB": 64 << 10, "64 KiB": 64 << 10, "64Ki": 64 << 10, "3mib": 3 << 20, "1GiB": 1 << 30, "2Ti": 2 << 40,
		"5KB": 5000, "256MB": 256_000_000, "1gb": 1_000_000_000, "1TB": 1e12, "0MB": 0,
		"9223372036854775807": math.MaxInt64, "8388607T": 8388607 << 40,
	} {
		got, err := parseSize(text)
		if err != nil || got != want {
			t.Errorf("%q is read as %d, %v", text, got, err)
		}
		if back, err := parseSize(got.String()); err != nil || back != got {
			t.Errorf("%d is written as %s, which is read as %d, %v", got, got, back, err)
		}
	}
	for _, text := range []string{"", " ", "G", "-1", "-1G", "+1", "1.5G", "1,5G", "1.0", "1e6", "0x10", "010", "00", "1_000", "9999999999T", "8388608T", "9223372036854775808",
		"5XB", "5KiBs", "5 K B", "5  K", " 5", "5 ", "5K5", "K5", "5KK", "5Kb/s", "٣", "nonsense", "NaN", "Inf", "5\n", "5%"} {
		if got, err := parseSize(text); err == nil {
			t.Errorf("%q is read as %d", text, got)
		} else if !strings.Contains(err.Error(), "expected") {
			t.Errorf("%q: found %v, expected that it says what was expected", text, err)
		}
	}
}

// sizeFlags are all flags that are sizes, by the commands that have them.
func sizeFlags(t *testing.T) map[string][]string {
	all := map[string][]string{}
	for command, flags := range commands(t) {
		for _, f := range flags {
			if f.Target.Type() == reflect.TypeFor[size]() {
				all[f.Name] = append(all[f.Name], command)
			}
		}
	}
	return all
}

// TestSizesTakeUnits everywhere, in all three ways of setting them; numbers go on, and what is no size is refused with words.
func TestSizesTakeUnits(t *testing.T) {
	notRaced(t)
	flags := sizeFlags(t)
	for command, all := range commands(t) { // none is left out that says so
		for _, f := range all {
			if flags[f.Name] == nil && (strings.Contains(f.Name, "bytes") || strings.HasPrefix(f.Help, "Bytes ") || strings.Contains(f.Help, "in bytes")) && f.Target.Kind() != reflect.String {
				t.Errorf("%s --%s is no size", command, f.Name)
			}
		}
	}
	for _, name := range []string{"event-bytes", "history-max", "memory-max", "not-sent-lowat", "payload", "dribble", "memory"} {
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
	for value, want := range map[string]size{"3KiB": 3072, "3KB": 3000, "3000": 3000} {
		var inFlags []string
		inFile := ""
		for _, name := range names {
			inFlags = append(inFlags, "--"+name+"="+value)
			inFile += name + ": " + value + "\n"
		}
		for way, args := range map[string][]string{"flags": inFlags, "file": {"--config=" + settings(t, inFile)}, "variables": nil} {
			t.Run(way+" "+value, func(t *testing.T) {
				for _, name := range names {
					if args == nil {
						t.Setenv("SSEDGE_"+strings.ToUpper(strings.ReplaceAll(name, "-", "_")), value)
					}
				}
				var parsed cli
				if _, err := newParser(&parsed).Parse(append([]string{"serve"}, args...)); err != nil {
					t.Fatal(err)
				}
				found := 0
				for field, f := range reflect.ValueOf(parsed.Serve).Fields() {
					if f.Type() != reflect.TypeFor[size]() {
						continue
					}
					found++
					if got := size(f.Int()); got != want {
						t.Errorf("%s is %d, expected %d", field.Name, got, want)
					}
				}
				if found != len(names) || found < 12 {
					t.Errorf("found %d sizes, expected %d", found, len(names))
				}
			})
		}
	}
	for _, args := range [][]string{{"serve", "--body-bytes=1.5K"}, {"bench", "hold", "--payload=many"}, {"tune", "--memory=8X"}, {"publish", "t", "x", "--event-bytes=0x10"}, {"bench", "slow", "--dribble=-1"}} {
		_, errors, code := run(t, args...)
		name, value, _ := strings.Cut(args[len(args)-1], "=")
		oneLine(t, errors, code, name, "expected a whole number of bytes", value)
	}
	for _, text := range []string{"history-max: 1.5G", "history-max: 0x10000000", "history-max: 1e9", "history-max: 5 XB", "history-max: -1", "history-max: 268_435_456", "history-max: ''"} {
		_, errors, code := run(t, "serve", "--check", "--dev", "--config="+settings(t, text))
		oneLine(t, errors, code, "history-max", "expected")
	}
}

// TestHelpShowsSizesWithUnits that are taken as they stand there.
func TestHelpShowsSizesWithUnits(t *testing.T) {
	for command, flags := range commands(t) {
		for _, f := range flags {
			if f.Target.Type() != reflect.TypeFor[size]() || f.Default == "" {
				continue
			}
			n, err := parseSize(f.Default)
			if err != nil || n.String() != f.Default {
				t.Errorf("%s --%s: the default %s is read as %v, %v", command, f.Name, f.Default, n, err)
			}
		}
	}
}

// TestHelpExplainsSizesOnce: wherever units are explained it is in the same words, and each unit is what they say.
func TestHelpExplainsSizesOnce(t *testing.T) {
	for name, help := range map[string]string{"ssedge": newParser(&cli{}).Model.Help, "ssedge serve": serveCmd{}.Help()} {
		if strings.Count(help, sizeHelp) != 1 || strings.Count(help, "powers of 1024") != 1 {
			t.Errorf("%s --help says %q, expected %q in it once", name, help, sizeHelp)
		}
	}
	of1024, of1000, _ := strings.Cut(sizeHelp[strings.Index(sizeHelp, ": "):], "powers of 1024")
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
			if n, err := parseSize("1" + unit); err != nil || int64(n) != want {
				t.Errorf("1%s is %d, %v, expected %d", unit, int64(n), err, want)
			}
		}
	}
}
