package main

import (
	"fmt"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"ssedge/bench/freeport"
)

// redisServer is one of the test's own; it returns its URL, and what redis-cli says to it.
func redisServer(t *testing.T) (url string, cli func(...string) string) {
	t.Helper()
	free, err := freeport.Addresses(1)
	if err != nil {
		t.Fatal(err)
	}
	port := fmt.Sprint(free[0].Port())
	cmd := exec.Command("redis-server", "--port", port, "--bind", "127.0.0.1", "--dir", t.TempDir(),
		"--save", "", "--logfile", "log")
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	cli = func(args ...string) string {
		out, _ := exec.Command("redis-cli", append([]string{"-p", port}, args...)...).
			CombinedOutput()
		return strings.TrimSpace(string(out))
	}
	for deadline := time.Now().Add(20 * time.Second); cli("PING") != "PONG"; time.Sleep(
		20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("redis-server does not answer")
		}
	}
	return "redis://127.0.0.1:" + port, cli
}

// TestPublishingWithoutAnEdge in all ways: the command, the function, the script, and PUBLISH. An
// edge has them all.
func TestPublishingWithoutAnEdge(t *testing.T) {
	t.Parallel()
	redis, cli := redisServer(t)
	_, url, _ := serve(t, "--dev", "--redis="+redis)
	publish := func(args ...string) string {
		t.Helper()
		out, errors, code := run(t, append([]string{"publish", "--redis=" + redis, "news"},
			args...)...)
		if code != 0 {
			t.Fatalf("%q: exit code %d, %s", args, code, errors)
		}
		return strings.TrimSpace(out)
	}
	first := publish("one", "--event=e", "--retry=2s", "--once=k")
	if again := publish("one", "--once=k"); again != first {
		t.Errorf("published again as %s, first as %s", again, first)
	}
	_, warned, code := run(t, "publish", "--redis="+redis, "elsewhere", "x", "--event-bytes=1000",
		"--history-events=10001")
	for _, says := range []string{"--event-bytes is 262144 there, 1000 here",
		"--history-events is 10000 there, 10001 here"} {
		if code != 0 || !strings.Contains(warned, says) || strings.Contains(warned, "key-bytes") {
			t.Errorf("other settings than the edge's: exit code %d, expected %q in: %s", code, says,
				warned)
		}
	}
	out, errors, code := run(t, "redis", "install", "--redis="+redis)
	if code != 0 || out != "ssedge_publish is on 1 master\n" {
		t.Fatalf("exit code %d, %q, %s", code, out, errors)
	}
	// the servers have one function of that name
	_, errors, code = run(t, "redis", "install", "--redis="+redis, "--redis-prefix=other:")
	oneLine(t, errors, code, `--redis-prefix="sse:"`, "--replace")
	if _, errors, code := run(t, "redis", "install", "--redis="+redis,
		"--history-events=9999"); code != 0 {
		// of the same prefix
		t.Fatal(errors)
	}
	if got := cli("FCALL", "ssedge_publish", "1", "sse:news", "two\nlines",
		"named"); !strings.HasSuffix(got, "new") {
		t.Errorf("FCALL: %s", got)
	}
	script, errors, code := run(t, "redis", "script")
	if code != 0 {
		t.Fatal(errors)
	}
	last := cli("EVAL", script, "1", "sse:news", "four")
	id, _, _ := strings.Cut(last, "\n")
	got := received(t, url+"/events?topic=news&last_event_id=earliest", "id: "+id+"\n\n")
	for _, want := range []string{"event: e\nretry: 2000\ndata: one\nid: " + first + "\n\n",
		"event: named\ndata: two\ndata: lines\n", "data: four\nid: " + id} {
		if _, after, ok := strings.Cut(got, want); !ok {
			t.Errorf("expected %q in %q", want, got)
		} else {
			got = after
		}
	}
	if _, errors, code := run(t, "redis", "install", "--redis="+redis, "--redis-prefix=other:",
		"--replace"); code != 0 {
		t.Fatal(errors)
	}
	if got := cli("FCALL", "ssedge_publish", "1", "other:news", "x"); !strings.HasSuffix(got,
		"new") {
		t.Errorf("FCALL of the function that was put in place of the other: %s", got)
	}
	run(t, "redis", "install", "--redis="+redis, "--replace")
	for _, bad := range []string{"0", "-5", "x", "1.5"} {
		if got := cli("FCALL", "ssedge_publish", "1", "sse:news", "x", "", "",
			bad); !strings.Contains(got, "milliseconds") {
			t.Errorf("a reconnection time of %s: %s", bad, got)
		}
	}
}

// TestPublishingWithoutAnEdgeMistakes get a line that says what was expected.
func TestPublishingWithoutAnEdgeMistakes(t *testing.T) {
	notRaced(t)
	for _, c := range []struct{ args, says []string }{
		{[]string{"publish", "--redis=redis://127.0.0.1:1", "t", "x"},
			[]string{"--redis", "refused"}},
		{[]string{"publish", "--redis=nowhere", "t", "x"},
			[]string{"--redis", "expected redis://", "found no ://"}},
		{[]string{"publish", "--redis=redis://127.0.0.1:1", "a\nb", "x"}, []string{"topic"}},
		{[]string{"publish", "--redis=redis://127.0.0.1:1", "t", "x", "--event=gap"},
			[]string{"gap"}},
		{[]string{"publish", "--redis=redis://127.0.0.1:1", "t", "x", "--event=a\nb"},
			[]string{"event name"}},
		{[]string{"publish", "--redis=redis://127.0.0.1:1", "t", "x", "--redis-ttl=1s"},
			[]string{"--redis-ttl", "1s"}},
		{[]string{"redis", "install", "--redis=redis://127.0.0.1:1"},
			[]string{"--redis", "refused"}},
		{[]string{"serve", "--dev", "--check", "--redis=redis://a,b"},
			[]string{"--redis", "redis+cluster"}},
		{[]string{"serve", "--dev", "--check", "--redis=redis://a", "--redis-prefix={x}"},
			[]string{"--redis-prefix", "{x}"}},
		{[]string{"serve", "--dev", "--check", "--redis-prefix=\xff"},
			[]string{"--redis-prefix", "UTF-8", `"\xff"`}},
		{[]string{"redis", "key", "--redis-prefix=a\n", "news"},
			[]string{"--redis-prefix", "control", `"a\n"`}},
		{[]string{"serve", "--dev", "--check", "--redis=redis://a", "--fan-in=channel"},
			[]string{"--fan-in channel", "topic or partition"}},
		{[]string{"serve", "--dev", "--check", "--redis=redis://a", "--fan-in=partition",
			"--partitions=48"}, []string{"--partitions 48", "power of two"}},
		{[]string{"redis", "key", "--fan-in=partition", "--partitions=0", "news"},
			[]string{"--partitions", "power of two", "0"}},
		{[]string{"serve", "--dev", "--check", "--redis=redis://a", "--redis-ttl=1m"},
			[]string{"--redis-ttl", "--history-age"}},
		{[]string{"serve", "--dev", "--redis=redis://127.0.0.1:1"}, []string{"--redis", "refused"}},
		{[]string{"serve", "--dev", "--check", "--redis=rediss://a", "--redis-tls-ca=/nowhere"},
			[]string{"--redis-tls-ca", "/nowhere"}},
		{[]string{"serve", "--dev", "--check", "--redis-tls-ca=/nowhere"},
			[]string{"--redis-tls-ca without --redis"}},
		{[]string{"publish", "--redis=rediss://127.0.0.1:1", "--redis-tls-cert=/nowhere", "t", "x"},
			[]string{"--redis-tls-cert", "--redis-tls-key"}},
		{[]string{"redis", "install", "--redis=redis://127.0.0.1:1", "--redis-tls-ca=/nowhere"},
			[]string{"--redis-tls-ca", "rediss://"}},
	} {
		_, errors, code := run(t, c.args...)
		oneLine(t, errors, code, c.says...)
	}
}

// TestKeysOfTopics are what publishers elsewhere give to the function.
func TestKeysOfTopics(t *testing.T) {
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"news", "{b}"}, "sse:news\nsse:%7Bb%7D\n"},
		{[]string{"--fan-in=partition", "news"}, "sse:{28}news\n"},
		{[]string{"--fan-in=partition", "--partitions=1", "--redis-prefix=p.", "news"},
			"p.{0}news\n"},
	} {
		if out, errors, code := run(t, append([]string{"redis", "key"}, c.args...)...); code != 0 ||
			out != c.want {
			t.Errorf("%q: exit code %d, %q, %s", c.args, code, out, errors)
		}
	}
}
