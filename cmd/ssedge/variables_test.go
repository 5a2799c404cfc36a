package main

import (
	"strings"
	"testing"
)

// TestUnknownVariablesAreRefused by every command that takes settings. The error has the nearest
// known name, and not the variable's value, which may be a key.
func TestUnknownVariablesAreRefused(t *testing.T) {
	notRaced(t)
	for variable, near := range map[string]string{
		"SSEDGE_HISTRY_AGE=1s": "SSEDGE_HISTORY_AGE", "SSEDGE_KEYS=secret": "SSEDGE_KEY",
		"SSEDGE_key=secret": "SSEDGE_KEY", "SSEDGE_DRAINRATE=5": "SSEDGE_DRAIN_RATE",
		"SSEDGE_PORT=9000": "SSEDGE_LISTEN\n", "SSEDGE_HOST=a": "SSEDGE_LISTEN\n",
		"SSEDGE_ORIGIN=a": "SSEDGE_CORS_ORIGIN\n", "SSEDGE_CONNECTIONS=9": "SSEDGE_STREAMS_MAX\n",
		"SSEDGE_=": "", "SSEDGE_FOO=1": "", "SSEDGE_DATABASE=x": "",
		"SSEDGE_LISTEN_=secret": "SSEDGE_LISTEN", "SSEDGE_ADMIN_PORT=9000": "SSEDGE_ADMIN",
		"SSEDGE_STREAMS_MAX2=1": "SSEDGE_STREAMS_MAX",
	} {
		t.Run(variable, func(t *testing.T) {
			name, value, _ := strings.Cut(variable, "=")
			t.Setenv(name, value)
			_, said, code := run(t, "serve", "--check", "--dev")
			oneLine(t, said, code, `"`+name+`"`)
			if near == "" && strings.Contains(said, "nearest") ||
				!strings.Contains(said,
					map[bool]string{true: "of a flag\n", false: "the nearest is " +
						near}[near == ""]) {
				t.Errorf("found %q, expected %q to be the nearest", said, near)
			}
			if strings.Contains(said, "secret") {
				t.Errorf("a key is shown: %s", said)
			}
		})
	}
	t.Setenv("SSEDGE_SERVR", "http://127.0.0.1:1")
	for _, args := range [][]string{{"publish", "t", "x"}, {"subscribe", "t"}, {"health"},
		{"redis", "key", "t"}, {"serve", "--dev"}} {
		_, said, code := run(t, args...)
		oneLine(t, said, code, `"SSEDGE_SERVR"`, "SSEDGE_SERVER")
	}
	for _, args := range [][]string{{"version"}, {"serve", "--help"}, {"help"}, {"bench", "--help"},
		{"tune", "--help"}} {
		if _, said, code := run(t, args...); code != 0 {
			t.Errorf("%q: exit code %d, %s", args, code, said)
		}
	}
}

// TestKnownVariablesAreAccepted: those of all commands, and those that Kubernetes sets for
// Services.
func TestKnownVariablesAreAccepted(t *testing.T) {
	notRaced(t)
	model := newParser(&cli{}).Model
	known := variables(model)
	known = append(known, "SSEDGE_CONFIG", "SSEDGE_KEY", "SSEDGE_KEY_FILE", "SSEDGE_LISTEN",
		"SSEDGE_SERVER", "SSEDGE_PUBLISH_REDIS", "SSEDGE_PUBLISH_RETRY",
		"SSEDGE_HEALTH_TIMEOUT", "SSEDGE_VERSION_JSON", "SSEDGE_REDIS_TTL")
	for _, name := range append(known, "PATH", "XSSEDGE_A", "SSEDGEX_A", "SSEDGE", "ssedge_key") {
		if err := checkVariables(model, "serve", []string{name + "=x"}); err != nil {
			t.Error(err)
		}
	}
	for _, variable := range []string{
		"SSEDGE_SERVICE_HOST=10.0.0.1", "SSEDGE_SERVICE_PORT=80", "SSEDGE_SERVICE_PORT_HTTP=80",
		"SSEDGE_PORT=tcp://10.0.0.1:80", "SSEDGE_PORT_80_TCP=tcp://10.0.0.1:80",
		"SSEDGE_PORT_80_TCP_PROTO=tcp", "SSEDGE_PORT_80_TCP_PORT=80",
		"SSEDGE_PORT_80_TCP_ADDR=10.0.0.1", "SSEDGE_ADMIN_SERVICE_HOST=10.0.0.1",
		"SSEDGE_ADMIN_PORT=udp://[::1]:53",
		"SSEDGE_REDIS_MASTER_PORT_6379_TCP_ADDR=10.0.0.1", "SSEDGE_A_SERVICE_PORT_HTTP_2=1",
	} {
		if err := checkVariables(model, "serve", []string{"A=b", variable}); err != nil {
			t.Errorf("%s: %v", variable, err)
		}
	}
	for _, c := range []struct {
		a, b string
		n    int
	}{{"", "", 0}, {"", "abc", 3}, {"abc", "", 3}, {"kitten", "sitting", 3}, {"abc", "abc", 0},
		{"abcd", "bcd", 1}, {"ab", "ba", 2}} {
		if n := distance(c.a, c.b); n != c.n {
			t.Errorf("from %q to %q: %d, expected %d", c.a, c.b, n, c.n)
		}
	}
}
