package main

import (
	"regexp"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
)

// commands are all of them that are shown, with the flags each has.
func commands(t *testing.T) map[string][]*kong.Flag {
	t.Helper()
	all := map[string][]*kong.Flag{}
	parser := newParser(&cli{})
	for _, n := range parser.Model.Leaves(true) {
		all[strings.TrimPrefix(n.Path(), "ssedge ")] = append(n.Flags, parser.Model.Flags...)
	}
	return all
}

// TestHelpExplainsEveryFlag: its name, what it does and its variable.
func TestHelpExplainsEveryFlag(t *testing.T) {
	notRaced(t)
	all := commands(t)
	if len(all) < 4 {
		t.Fatalf("found commands %v, expected serve, publish, subscribe and version", all)
	}
	for command, flags := range all {
		out, errors, code := run(t, append(strings.Fields(command), "--help")...)
		if code != 0 || errors != "" {
			t.Errorf("%s --help: exit code %d, %s", command, code, errors)
		}
		if strings.Contains(out, "${") || strings.Contains(out, "%!") {
			t.Errorf("%s --help has a hole in it:\n%s", command, out)
		}
		for line := range strings.Lines(out) {
			if len([]rune(line)) > 81 {
				t.Errorf("%s --help: a line of %d characters: %s", command, len([]rune(line)), line)
			}
		}
		for _, f := range flags {
			if !strings.Contains(out, "--"+f.Name) && !strings.Contains(out, "--[no-]"+f.Name) ||
				f.Help == "" {
				t.Errorf("%s --help does not explain --%s", command, f.Name)
			}
			if f.Name == "help" {
				continue
			}
			if (strings.HasPrefix(command, "bench ") || command == "tune") && f.Name != "config" {
				if len(f.Envs) != 0 {
					t.Errorf("%s takes --%s from the environment, too: %v", command, f.Name, f.Envs)
				}
				continue
			}
			if len(f.Envs) != 1 || !strings.Contains(out, "($"+f.Envs[0]+")") {
				t.Errorf("%s --help does not say that --%s is %v in the environment", command,
					f.Name, f.Envs)
			}
		}
	}
}

// TestOneVariableMeansOneThing: flags of several commands share a variable, and a
// line of the file, only if they say the same.
func TestOneVariableMeansOneThing(t *testing.T) {
	shared := map[string]string{"SSEDGE_KEY": "a key", "SSEDGE_SERVER": "the server",
		"SSEDGE_CONFIG": "the file", "SSEDGE_REDIS": "the servers",
		"SSEDGE_REDIS_PREFIX": "of all publishers",
		"SSEDGE_REDIS_TTL":    "the same history", "SSEDGE_HISTORY_EVENTS": "the same history",
		"SSEDGE_HISTORY_AGE": "the same history", "SSEDGE_KEY_TTL": "the same keys",
		"SSEDGE_FAN_IN": "the same names", "SSEDGE_PARTITIONS": "the same names",
		"SSEDGE_EVENT_BYTES": "the same events", "SSEDGE_TOPIC_BYTES": "the same topics",
		"SSEDGE_KEY_BYTES": "the same keys", "SSEDGE_ADMIN": "of the same server",
		"SSEDGE_CA":             "the same trust",
		"SSEDGE_REDIS_TLS_CERT": "to the servers", "SSEDGE_REDIS_TLS_KEY": "to the servers",
		"SSEDGE_REDIS_TLS_CA": "to the servers"}
	users := map[string][]string{}
	for command, flags := range commands(t) {
		for _, f := range flags {
			if len(f.Envs) == 0 {
				continue
			}
			users[f.Envs[0]] = append(users[f.Envs[0]], command)
			want := "SSEDGE_" + strings.ToUpper(strings.ReplaceAll(f.Name, "-", "_"))
			if f.Envs[0] != want && f.Envs[0] != strings.Replace(want, "SSEDGE_",
				"SSEDGE_"+strings.ToUpper(command)+"_", 1) {
				t.Errorf("%s --%s is %s in the environment, expected %s", command, f.Name,
					f.Envs[0], want)
			}
		}
	}
	for env, commands := range users {
		if len(commands) > 1 && shared[env] == "" {
			t.Errorf("%s sets a flag of each of %v", env, commands)
		}
	}
}

func TestHelpOfTheProgram(t *testing.T) {
	notRaced(t)
	out, _, code := run(t, "--help")
	if code != 0 {
		t.Errorf("exit code %d", code)
	}
	for command := range commands(t) {
		command, _, _ = strings.Cut(command, " ")
		if !regexp.MustCompile(`(?m)^  ` + command + ` +[A-Z].*\.$`).MatchString(out) {
			t.Errorf("found no line that says what %s does:\n%s", command, out)
		}
	}
}

// TestHelpIsGivenHoweverItIsAskedFor: without a command, by command and by flag.
func TestHelpIsGivenHoweverItIsAskedFor(t *testing.T) {
	notRaced(t)
	for _, args := range [][]string{nil, {"help"}, {"--help"}} {
		out, errors, code := run(t, args...)
		for _, command := range []string{"serve", "publish", "subscribe", "tune", "bench",
			"version"} {
			if code != 0 || errors != "" || !strings.Contains(out, "\n  "+command) {
				t.Errorf("%q: exit code %d, %q, no word of %s in:\n%s", args, code, errors, command,
					out)
			}
		}
	}
	if out, _, code := run(t, "help", "serve"); code != 0 ||
		!strings.Contains(out, "--drain-rate") {
		t.Errorf("help serve: exit code %d, %s", code, out)
	}
}

// TestMistakesGetOneLine and not a page of help.
func TestMistakesGetOneLine(t *testing.T) {
	notRaced(t)
	for _, c := range []struct {
		args []string
		says []string
	}{
		{[]string{"srve"}, []string{"srve"}},
		{[]string{"serve", "--drain-rat=3"}, []string{"--drain-rat"}},
		{[]string{"serve", "extra"}, []string{"extra"}},
		{[]string{"serve", "--heartbeat=3"}, []string{"--heartbeat", `"3"`}},
		{[]string{"serve", "--keys-max=many"}, []string{"--keys-max", `"many"`}},
		{[]string{"serve", "--slow-policy=drop"},
			[]string{"--slow-policy", "gap", "close", "latest", "drop"}},
		{[]string{"serve", "--log-level=loud"}, []string{"--log-level", "loud"}},
		{[]string{"serve", "--topic-policy=prices"}, []string{"--topic-policy", "prices"}},
		{[]string{"publish"}, []string{"<topic>"}},
		{[]string{"subscribe"}, []string{"<topic>"}},
		{[]string{"serve", "--key-file=/nonexistent/keys"},
			[]string{"--key-file", "/nonexistent/keys"}},
	} {
		_, errors, code := run(t, c.args...)
		oneLine(t, errors, code, c.says...)
	}
}
