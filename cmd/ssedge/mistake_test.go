package main

import (
	"encoding/json"
	"errors"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestMeantLogFormat is that of the flag, else of the variable, else of the file, also where
// something else there is wrong.
func TestMeantLogFormat(t *testing.T) {
	pipe := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ flags, variable, file, want string }{
		{"", "", "", ""},
		{"--bad --log-format=json", "", "", "json"},
		{"--log-format json --bad", "", "", "json"},
		{"--log-format=json --log-format=text", "", "", "text"},
		{"--bad", "json", "", "json"},
		{"--bad", "", "log-format: json", "json"},
		{"--bad", "", "shards: 1\n'log-format': \"json\" # for the collector\n", "json"},
		{"", "", "{shards: 010, log-format: json}", "json"},
		{"", "", "log-format: json\nshards: [\n", "json"},
		{"", "", "log-format: json\nlog-format: json\n", "json"},
		{"", "", "log-format: json\n---\nlog-format: text\n", "json"},
		{"", "", "edge: 'log-format: json'", ""},
		{"", "", "[", ""},
		{"--log-format=text", "json", "log-format: json", "text"},
		{"", "text", "log-format: json", "text"},
	} {
		for _, by := range []string{"--config=", "--config", "SSEDGE_CONFIG"} {
			t.Run(c.flags+" "+c.variable+" "+c.file+" "+by, func(t *testing.T) {
				args := append([]string{"serve"}, strings.Fields(c.flags)...)
				if c.variable != "" {
					t.Setenv("SSEDGE_LOG_FORMAT", c.variable)
				}
				switch file := settings(t, c.file); by {
				case "--config=":
					args = append(args, by+file)
				case "--config":
					args = append(args, by, file)
				default:
					t.Setenv(by, file)
				}
				if got := meantLogFormat(args); got != c.want {
					t.Errorf("found %q, expected %q", got, c.want)
				}
			})
		}
	}
	for _, file := range []string{pipe, "/nowhere", t.TempDir()} {
		if got := meantLogFormat([]string{"serve", "--config=" + file}); got != "" {
			t.Errorf("%s: found %q", file, got)
		}
	}
}

// TestCommandOf is the first command that is named, and no value.
func TestCommandOf(t *testing.T) {
	app := newParser(&cli{}).Model
	for args, want := range map[string]string{
		"": "", "--help": "", "srve --bad": "",
		"serve --bad": "serve", "publish serve --bad": "publish", "subscribe serve": "subscribe",
		"--config x serve": "serve", "--config serve publish x": "publish",
		"--config=x bench serve":  "bench",
		"--log-format json serve": "serve",
	} {
		if got := commandOf(app, strings.Fields(args)); got != want {
			t.Errorf("%q: found %q, expected %q", args, got, want)
		}
	}
}

// TestMistakesAreInTheFormatOfTheLog, whatever names it, and those of other commands are text.
func TestMistakesAreInTheFormatOfTheLog(t *testing.T) {
	file := settings(t, "log-format: json\n")
	bad := settings(t, "log-format: json\nshards: many\n")
	for _, c := range []struct {
		args []string
		json bool
	}{
		{[]string{"serve", "--bad", "--config=" + file}, true},
		{[]string{"--config", bad, "serve"}, true},
		{[]string{"serve", "--shards=65", "--dev", "--config=" + file}, true},
		{[]string{"publish", "serve", "--bad", "--config=" + file}, false},
		{[]string{"serve", "--check", "--config=" + bad}, false},
	} {
		_, said, code := run(t, c.args...)
		oneLine(t, said, code)
		var record struct{ Level, Msg, Error string }
		if err := json.Unmarshal([]byte(said), &record); (err == nil) != c.json || c.json &&
			(record.Level != "ERROR" || record.Error == "") {
			t.Errorf("%q: %q, expected JSON: %v", c.args, said, c.json)
		}
	}
	_, said, code := run(t, "--config", file, "bench", "fanout")
	oneLine(t, said, code, "bench reads no file of settings")
	if err := recordMistake("publish", []string{"publish", "serve", "--log-format=json"},
		errors.New("x")); errors.As(err, &recorded{}) {
		t.Error("a mistake of publish is recorded as the server's")
	}
}

// TestUnknownFlagsHaveAHint only where a flag is near, or is what others call by that name.
func TestUnknownFlagsHaveAHint(t *testing.T) {
	parser := newParser(&cli{})
	for args, want := range map[string]string{
		"serve -p 8080":          "unknown flag -p",
		"serve --port=8080":      "unknown flag --port; the nearest is --listen",
		"serve --bind=a":         "unknown flag --bind; the nearest is --listen",
		"serve --drain-rat=3":    "unknown flag --drain-rat; the nearest is --drain-rate",
		"serve --deb":            "unknown flag --deb; the nearest is --dev",
		"serve --foo":            "unknown flag --foo",
		"serve --origin=a":       "unknown flag --origin; the nearest is --cors-origin",
		"serve --connections=3":  "unknown flag --connections; the nearest is --streams-max",
		"publish t x --port=1":   "unknown flag --port",
		"publish t x --retrY=1s": "unknown flag --retrY; the nearest is --retry",
		"--xyz":                  "unknown flag --xyz",
		"--confg=x serve":        "unknown flag --confg; the nearest is --config",
	} {
		_, err := parser.Parse(strings.Fields(args))
		if err = withHint(err); err == nil || err.Error() != want {
			t.Errorf("%s: found %v, expected %s", args, err, want)
		}
	}
	if err := errors.New("x"); withHint(err) != err || withHint(nil) != nil {
		t.Error("other errors are changed")
	}
}
