package main

import (
	"strings"
	"testing"
)

// TestHealth is 0 for a server that lives, and 1 with a line for everything else.
func TestHealth(t *testing.T) {
	t.Parallel()
	_, url, admin := serve(t, "--dev")
	address := strings.TrimPrefix(admin, "http://")
	for _, args := range [][]string{{}, {"--ready"}} {
		if out, errors, code := run(t,
			append([]string{"health", "--admin=" + address}, args...)...); code != 0 || out == "" {
			t.Errorf("%q: exit code %d, %q, %s", args, code, out, errors)
		}
	}
	_, port, _ := strings.Cut(address, ":")
	if _, errors, code := run(t, "health", "--admin=:"+port); code != 0 {
		t.Errorf("on all addresses: exit code %d, %s", code, errors)
	}
	for address, says := range map[string]string{"127.0.0.1:1": "does not answer",
		"off": "expected host:port", strings.TrimPrefix(url, "http://"): "404"} {
		_, errors, code := run(t, "health", "--admin="+address)
		oneLine(t, errors, code, says)
	}
	for _, address := range []string{address, admin} {
		_, errors, code := run(t, "health", "--admin="+address, "--ca=x")
		oneLine(t, errors, code, "--ca: expected --admin to begin with https://, found "+address)
	}
}
