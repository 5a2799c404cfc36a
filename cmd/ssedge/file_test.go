package main

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// settings writes a file of settings.
func settings(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "ssedge.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestPrecedence gives a setting in the file, the environment and as a flag, in all
// combinations: the flag counts first, then the environment, then the file, then
// the default. A value is taken whole: lists and maps are not put together.
func TestPrecedence(t *testing.T) {
	notRaced(t)
	for _, c := range []struct {
		name  string
		of    func(*cli) any
		flag  string
		env   string // name=value
		file  string
		wants [4]any // default, file, environment, flag
	}{
		{"Int", func(c *cli) any { return c.Serve.Settings.KeysMax }, "--keys-max=3",
			"SSEDGE_KEYS_MAX=2", "keys-max: 1", [4]any{100_000, 1, 2, 3}},
		{"Float", func(c *cli) any { return c.Serve.Settings.DrainRate }, "--drain-rate=3.5",
			"SSEDGE_DRAIN_RATE=2.5", "drain-rate: 1.5", [4]any{5000.0, 1.5, 2.5, 3.5}},
		{"Text", func(c *cli) any { return c.Serve.Settings.SlowPolicy }, "--slow-policy=latest",
			"SSEDGE_SLOW_POLICY=gap", "slow-policy: close",
			[4]any{"gap", "close", "gap", "latest"}},
		{"Bool", func(c *cli) any { return c.Serve.Settings.Dev }, "--dev=false", "SSEDGE_DEV=true",
			"dev: true", [4]any{false, true, true, false}},
		{"Duration", func(c *cli) any { return c.Serve.Settings.Heartbeat }, "--heartbeat=3s",
			"SSEDGE_HEARTBEAT=2s", "heartbeat: 1s",
			[4]any{25 * time.Second, time.Second, 2 * time.Second, 3 * time.Second}},
		{"List", func(c *cli) any { return c.Serve.Settings.Listen }, "--listen=f:1,f:2",
			"SSEDGE_LISTEN=e:1,e:2", "listen: [a:1, a:2]",
			[4]any{[]string{"127.0.0.1:8080"}, []string{"a:1", "a:2"}, []string{"e:1", "e:2"},
				[]string{"f:1", "f:2"}}},
		{"Map", func(c *cli) any { return c.Serve.Settings.TopicPolicies }, "--topic-policy=f=gap",
			"SSEDGE_TOPIC_POLICY=e=latest,e2=gap", "topic-policy: {a/*: close, b: gap}",
			[4]any{map[string]string(nil), map[string]string{"a/*": "close", "b": "gap"},
				map[string]string{"e": "latest", "e2": "gap"}, map[string]string{"f": "gap"}}},
	} {
		for given := range 8 { // bit 0: in the file, bit 1: in the environment, bit 2: as a flag
			t.Run(fmt.Sprintf("%s%03b", c.name, given), func(t *testing.T) {
				args := []string{"serve"}
				want := c.wants[0]
				if given&1 != 0 {
					args = append(args, "--config="+settings(t, c.file))
					want = c.wants[1]
				}
				if given&2 != 0 {
					name, value, _ := strings.Cut(c.env, "=")
					t.Setenv(name, value)
					want = c.wants[2]
				}
				if given&4 != 0 {
					args = append(args, c.flag)
					want = c.wants[3]
				}
				var parsed cli
				if _, err := newParser(&parsed).Parse(args); err != nil {
					t.Fatal(err)
				}
				if got := c.of(&parsed); !reflect.DeepEqual(got, want) {
					t.Errorf("found %v, expected %v", got, want)
				}
			})
		}
	}
}

// TestEveryFlagOfServeStandsInTheFile under its own name, and after a change of its line SIGHUP
// names this setting and no other.
func TestEveryFlagOfServeStandsInTheFile(t *testing.T) {
	notRaced(t)
	var plain cli
	if _, err := newParser(&plain).Parse([]string{"serve"}); err != nil {
		t.Fatal(err)
	}
	for _, f := range commands(t)["serve"] {
		if f.Name == "help" || f.Name == "config" {
			continue
		}
		value := map[string]string{"slow-policy": "latest", "forwarded-header": "forwarded",
			"log-format": "json", "log-level": "debug", "topic-policy": "{a: gap}"}[f.Name]
		switch {
		case value != "":
		case f.Target.Type() == reflect.TypeFor[time.Duration]():
			value = "77s"
		case f.IsBool():
			value = strconv.FormatBool(f.Default != "true")
		case f.Target.Kind() == reflect.String || f.Target.Kind() == reflect.Slice:
			value = "x77"
		default:
			value = "77"
		}
		// An error is about the value.
		if changed, err := plain.Serve.changed(
			[]string{"serve", "--config=" + settings(t, f.Name+": "+value)}); !slices.Equal(changed,
			[]string{f.Name}) {
			t.Errorf("%s: %s in the file changes %q, %v", f.Name, value, changed, err)
		}
	}
}

// TestMistakesInTheFile are errors that name the key, and what was expected.
func TestMistakesInTheFile(t *testing.T) {
	notRaced(t)
	for text, wants := range map[string][]string{
		"keys-max: 3\ndrain-rat: 3\n": {"drain-rat", "line 2",
			"the nearest is drain-rate\n"},
		"heartbeat: 3":                          {"heartbeat", "unit"},
		"heartbeat: soon":                       {"heartbeat", "soon"},
		"keys-max: many":                        {"keys-max", "many"},
		"key: 17":                               {"key", "quotes"},
		"slow-policy: drop":                     {"slow-policy", "drop"},
		"config: other.yaml":                    {"config"},
		"help: true":                            {"help"},
		"serve: {drain-rate: 3}":                {"serve"},
		"keys-max: 3\nkeys-max: 4":              {"keys-max", "line 2"},
		"keys-max: [":                           {"yaml", "line 1"},
		"keys-max: 3\n---\nhistory-age: banana": {"line 2", "one document"},
		"keys-max: 3\n--- [":                    {"yaml"},
		"keys-max: 010000":                      {"line 1", "keys-max", "decimal", "010000"},
		"keys-max: 5000.7":                      {"keys-max", "whole number", "5000.7"},
		"keys-max: 1e4":                         {"keys-max", "whole number"},
		"keys-max: 0x10":                        {"keys-max", "whole number"},
		"keys-max: 1_000":                       {"keys-max", "whole number"},
		"shards: 1\nkeys-max:":                  {"line 2", "keys-max", "expected a value"},
		"history-age: ~":                        {"history-age", "expected a value"},
		"topic-policy: {a: gap}\ntopic: {a: b}": {"topic"},
	} {
		_, errors, code := run(t, "serve", "--check", "--dev", "--config="+settings(t, text))
		if code == 0 {
			t.Errorf("%q is taken", text)
		}
		for _, want := range wants {
			if !strings.Contains(errors, want) {
				t.Errorf("%q: found %q, expected %q in it", text, errors, want)
			}
		}
	}
	if _, errors, _ := run(t, "publish", "t", "x", "--server=nowhere://", "--config="+
		settings(t, "key: [secret-1, {a: secret-2}]")); strings.Contains(errors, "secret") {
		t.Errorf("a key is shown: %s", errors)
	}
	_, errors, code := run(t, "serve", "--check", "--dev", "--config=")
	oneLine(t, errors, code, "--config", "name of a file")
	missing := filepath.Join(t.TempDir(), "missing.yaml")
	_, errors, code = run(t, "serve", "--check", "--dev", "--config="+missing)
	oneLine(t, errors, code, "--config", missing, "no such file")
	_, errors, code = run(t, "serve", "--check", "--dev", "--config="+t.TempDir())
	oneLine(t, errors, code, "--config", "directory")
}

// TestWrongValuesInTheFile are told with the file, the line, and what was expected and found, in no
// words about Go or YAML.
func TestWrongValuesInTheFile(t *testing.T) {
	parser := newParser(&cli{})
	for text, want := range map[string]string{
		"history-max: 1,5G":              `history-max: expected a whole number of bytes, or one with a unit, as in 64KiB, 8G or 256MB, found "1,5G"`,
		"heartbeat: 25":                  `heartbeat: expected a duration with its unit, as in 500ms, 10s or 5m, found "25"`,
		"heartbeat: 1d":                  `heartbeat: expected a duration with its unit, as in 500ms, 10s or 5m, found "1d"`,
		"heartbeat: [1s]":                `heartbeat: expected a duration with its unit, as in 500ms, 10s or 5m, found a list`,
		"retry: {a: b}":                  `retry: expected a duration with its unit, as in 500ms, 10s or 5m, found names with values`,
		"streams-max: many":              `streams-max: expected a whole number in decimal digits, found "many"`,
		"drain-rate: [1]":                `drain-rate: expected a number in decimal digits, found a list`,
		"log-level: verbose":             `log-level: expected one of debug, info, warn, error, found "verbose"`,
		"slow-policy: [gap]":             `slow-policy: expected one of gap, close, latest, found a list`,
		"admin: 8081":                    `admin: expected text (a number needs quotes), found a number`,
		"edge: true":                     `edge: expected text (a number needs quotes), found true`,
		"redis: [secret]":                `redis: expected text (a number needs quotes), found a list`,
		"listen: 8080":                   `listen: expected text, or a list of texts (a number needs quotes), found a number`,
		"key: [secret, {a: secret}]":     `key: expected text, or a list of texts (a number needs quotes), found names with values`,
		"topic-policy: [a=close]":        `topic-policy: expected names with values, as in {a: b, c: d}, found a list`,
		"topic-policy: {a: 1}":           `topic-policy: expected text for "a" (a number needs quotes), found a number`,
		"topic-policy: {a: [gap]}":       `topic-policy: expected text for "a" (a number needs quotes), found a list`,
		"topic-policy: {a: gap, a: gap}": `topic-policy: expected "a" once, found it twice`,
		"chunked: 1":                     `chunked: expected true or false, found "1"`,
		"dev: maybe":                     `dev: expected true or false, found "maybe"`,
		"shards: 1\n\ndev:":              `dev: expected a value`,
		"dev = true":                     `expected lines such as streams-max: 5000, found text`,
		"- shards":                       `expected lines such as streams-max: 5000, found a list`,
		"17":                             `expected lines such as streams-max: 5000, found a number`,
		"shards: 1\nshards: 2":           `expected shards once, found it on line %d, too`,
		"shards: &n many\npollers: *n":   `shards: expected a whole number in decimal digits, found "many"`,
		"foo: 1":                         `"foo" is not a setting: expected the name of a flag, without dashes in front`,
		"host: 1":                        `"host" is not a setting: expected the name of a flag, without dashes in front; the nearest is listen`,
	} {
		for _, before := range []string{"", "# a comment\n"} {
			path := settings(t, before+text)
			_, err := parser.Parse([]string{"serve", "--config=" + path})
			line := 1 + strings.Count(before+text, "\n")
			if strings.HasPrefix(text, "shards: &") {
				line--
			}
			want := strings.Replace(want, "%d", strconv.Itoa(line-1), 1)
			if want := fmt.Sprintf("--config: %s, line %d: %s", path, line, want); err == nil ||
				err.Error() != want {
				t.Errorf("%q: found %v, expected %s", text, err, want)
			}
		}
	}
	for _, text := range []string{"", "# nothing", "---", "heartbeat: 0", "heartbeat: 5s",
		"chunked: yes", "chunked: 'true'", "topic-policy: a=close", "topic-policy: {'a/*': close}",
		"log-level: debug", "key: '17'", "edge: '5'", "keys-max: '5'",
		"streams-max: &n 5\nshards: *n", "history-max: 1G", "admin: 127.0.0.1:8081",
		"health-timeout: 5s"} {
		if _, err := parser.Parse([]string{"serve", "--config=" + settings(t, text)}); err != nil {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// TestDurationsInTheSameWords, whether by flag, variable or file, and whichever command takes them.
func TestDurationsInTheSameWords(t *testing.T) {
	parser := newParser(&cli{})
	for _, text := range []string{"25", "1d", "5 s", "soon", ""} {
		want := fmt.Sprintf("expected a duration with its unit, as in 500ms, 10s or 5m, found %q",
			text)
		for _, args := range [][]string{
			{"serve", "--heartbeat=" + text}, {"publish", "t", "x", "--retry=" + text},
			{"health", "--timeout=" + text},
			{"bench", "hold", "--for=" + text}, {"redis", "key", "t", "--key-ttl=" + text},
		} {
			if _, err := parser.Parse(args); err == nil || !strings.HasSuffix(err.Error(), want) {
				t.Errorf("%q: found %v, expected %s", args, err, want)
			}
		}
	}
	t.Setenv("SSEDGE_HEARTBEAT", "10")
	if _, err := parser.Parse([]string{"serve"}); err == nil ||
		!strings.Contains(err.Error(),
			"expected a duration with its unit, as in 500ms, 10s or 5m, found \"10\"") {
		t.Error(err)
	}
}

// TestSettingsOfOtherCommandsInTheFile have no effect, and serve says so: a file may be shared.
func TestSettingsOfOtherCommandsInTheFile(t *testing.T) {
	notRaced(t)
	file := "--config=" + settings(t, "dev: true\nserver: x\nonce: x\ncount: 3\n")
	if out, said, code := run(t, "serve", "--check", file); code != 0 ||
		!strings.Contains(out, "Without effect: server, once, count (not settings of serve)\n") {
		t.Errorf("exit code %d, %q, %q", code, out, said)
	}
	if out, _, _ := run(t, "serve", "--check",
		"--config="+settings(t, "dev: true\nkey-ttl: 1h\nserver: x\n")); !strings.Contains(out,
		"Without effect: server (not a setting of serve)\n") {
		t.Errorf("found %q", out)
	}
	p, _, _ := serve(t, file)
	p.awaitSaid("settings=\"server, once, count\"")
}

// TestCommandsWithoutAFile: what a measurement depends on stands in its command line, and tune and
// version have no settings.
func TestCommandsWithoutAFile(t *testing.T) {
	for _, args := range [][]string{{"bench", "fanout"}, {"tune"}, {"version"}} {
		_, errors, code := run(t, append(args, "--config=x.yaml")...)
		oneLine(t, errors, code, args[0]+" reads no file of settings")
	}
	t.Setenv("SSEDGE_CONFIG", "/nowhere")
	if _, errors, code := run(t, "version"); code != 0 {
		t.Error(errors)
	}
}

// TestFileNamedByTheEnvironment is read like one named by the flag.
func TestFileNamedByTheEnvironment(t *testing.T) {
	t.Setenv("SSEDGE_CONFIG", settings(t, "dev: true\nshards: 65\n"))
	_, errors, code := run(t, "serve", "--check")
	oneLine(t, errors, code, "--shards 65")
	if out, errors, code := run(t, "serve", "--check", "--shards=1"); code != 0 {
		t.Errorf("exit code %d, %s%s", code, out, errors)
	}
}
