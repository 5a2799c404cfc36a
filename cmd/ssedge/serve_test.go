package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// get returns the status and body of an answer.
func get(t *testing.T, url string) (int, string) {
	t.Helper()
	got, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer got.Body.Close()
	body, err := io.ReadAll(got.Body)
	if err != nil {
		t.Fatal(err)
	}
	return got.StatusCode, string(body)
}

// TestServeNeedsAKey, and says which setting is missing.
func TestServeNeedsAKey(t *testing.T) {
	_, errors, code := run(t, "serve", "--listen=127.0.0.1:0", "--admin=off")
	oneLine(t, errors, code, "--key", "SSEDGE_KEY", "--anonymous", "--dev")
}

// TestCheckStartsNothing: it exits 0 or 1 and tells why, even if the port is taken.
func TestCheckStartsNothing(t *testing.T) {
	notRaced(t)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	out, errors, code := run(t, "serve", "--check", "--dev", "--listen="+ln.Addr().String())
	if code != 0 || errors != "" || out == "" {
		t.Errorf("exit code %d, %q, %q: expected that all is in order", code, out, errors)
	}
	_, errors, code = run(t, "serve", "--check", "--dev", "--shards=65")
	oneLine(t, errors, code, "--shards 65", "0 to 64")
	_, errors, code = run(t, "serve", "--dev", "--shards=2000000000") // nor makes it room for them
	oneLine(t, errors, code, "--shards 2000000000", "0 to 64")
	_, errors, code = run(t, "serve", "--check", "--shards=65", "--pollers=500")
	if code != 1 || strings.Count(errors, "\n") != 3 {
		t.Errorf("exit code %d, %q: expected all three complaints", code, errors)
	}
}

// TestShardsLeaveRoom: unless GOMAXPROCS is set, there are places beside the shards, and
// they know it before they start; else it is told.
func TestShardsLeaveRoom(t *testing.T) {
	for _, set := range []string{"", "3"} {
		t.Setenv("GOMAXPROCS", set)
		p, _, _ := serve(t, "--dev", "--shards=3")
		p.terminate()
		p.exit()
		if told := strings.Contains(p.said(), "GOMAXPROCS"); told != (set != "") {
			t.Errorf("GOMAXPROCS=%q and three shards: found %q", set, p.said())
		}
	}
}

// TestPortInUse is one clear line, whichever listener it is.
func TestPortInUse(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	taken := ln.Addr().String()
	_, errors, code := run(t, "serve", "--dev", "--listen="+taken, "--admin=off")
	oneLine(t, errors, code, taken, "address already in use")
	_, errors, code = run(t, "serve", "--dev", "--listen=127.0.0.1:0", "--admin="+taken)
	oneLine(t, errors, code, taken, "address already in use")
}

// TestServeAnnouncesItself with the addresses, and in development with lines to try, which work.
func TestServeAnnouncesItself(t *testing.T) {
	p, url, admin := serve(t, "--dev")
	if status, _ := get(t, admin+"/readyz"); status != 200 {
		t.Errorf("%s/readyz answers %d", admin, status)
	}
	var text string
	for !strings.Contains(text, "curl -d") {
		text += p.line() + "\n"
	}
	if status, page := get(t, url+"/"); !strings.Contains(text, url+"/ ") || status != 200 ||
		!strings.Contains(page, "EventSource") {
		t.Errorf("found no page at %s/, or no word of it in:\n%s", url, text)
	}
	if !strings.Contains(text, "curl -N '"+url+"/events?topic=news'") {
		t.Errorf("found no line to try in:\n%s", text)
	}
	p.terminate()
	if code := p.exit(); code != 0 {
		t.Errorf("exit code %d", code)
	}
}

// TestKeysFromEverywhere: the flag or the environment, and the file of keys, where
// each may publish. None of them is printed or logged.
func TestKeysFromEverywhere(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys")
	if err := os.WriteFile(path, []byte("# rotated in May\nfrom-file-1\n\nfrom-file-2\n"),
		0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("SSEDGE_KEY", "from-env-1,from-env-2")
	p, url, admin := serve(t, "--key-file="+path, "--anonymous=public/*", "--log-level=debug")
	os.Unsetenv("SSEDGE_KEY") // t.Setenv puts it back as it was
	for _, key := range []string{"from-env-1", "from-env-2", "from-file-1", "from-file-2"} {
		if _, errors, code := run(t, "publish", "t", "x", "--server="+url,
			"--key="+key); code != 0 {
			t.Errorf("%s: %s", key, errors)
		}
	}
	if _, _, code := run(t, "publish", "t", "x", "--server="+url,
		"--key=# rotated in May"); code == 0 {
		t.Error("a comment in the file of keys is a key")
	}
	for query, want := range map[string]int{"topic=private": 401,
		"topic=public/a&topic=private": 401} {
		if status, body := get(t, url+"/events?"+query); status != want {
			t.Errorf("%s without a key: found %d %s, expected %d", query, status, body, want)
		}
	}
	got, err := http.Get(url + "/events?topic=public/a")
	if err != nil || got.StatusCode != 200 {
		t.Fatalf("a public topic without a key: found %v, %v", got, err)
	}
	got.Body.Close()
	_, metrics := get(t, admin+"/metrics")
	_, status := get(t, admin+"/admin/status")
	p.terminate()
	p.exit()
	if all := metrics + status + p.said(); strings.Contains(all, "from-env") ||
		strings.Contains(all, "from-file") {
		t.Errorf("a key is shown: %s", all)
	}
}

// TestJSONLogsParse, line by line, at the level where most is said.
func TestJSONLogsParse(t *testing.T) {
	p, url, _ := serve(t, "--dev", "--log-format=json", "--log-level=debug")
	got, err := http.Get(url + "/events?topic=t")
	if err != nil {
		t.Fatal(err)
	}
	defer got.Body.Close()
	get(t, url+"/nothing")
	p.terminate()
	if code := p.exit(); code != 0 {
		t.Errorf("exit code %d", code)
	}
	var messages []string
	for line := range strings.Lines(p.said()) {
		var record struct {
			Time       time.Time
			Level, Msg string
		}
		if err := json.Unmarshal([]byte(line), &record); err != nil || record.Level == "" ||
			record.Msg == "" || record.Time.IsZero() {
			t.Errorf("%q: %v: expected a record", line, err)
		}
		messages = append(messages, record.Msg)
	}
	said := strings.Join(messages, ",")
	for _, want := range []string{"stream admitted", "refused", "stream closed", "drained"} {
		if !strings.Contains(said, want) {
			t.Errorf("found records %q, expected %q among them", messages, want)
		}
	}
	if !strings.Contains(p.said(), `"timeout":"30s"`) {
		t.Errorf("found %s, expected times with their units", p.said())
	}
	if !strings.Contains(p.said(), `"reason":"drain"`) ||
		!strings.Contains(p.said(), `"told":1,"cut":0`) {
		t.Errorf("found %s, expected why the stream was closed, and how many were told", p.said())
	}
}

// TestSIGHUPReadsTheKeysAgain: the new one is good and the old one is not, from then
// on; a file that is no good changes nothing, and streams stay.
func TestSIGHUPReadsTheKeysAgain(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys")
	write := func(text string) {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("old\n")
	p, url, _ := serve(t, "--key-file="+path)
	may := func(key string) bool {
		_, _, code := run(t, "publish", "t", "x", "--server="+url, "--key="+key)
		return code == 0
	}
	follower := start(t, "subscribe", "t", "--key=old", "--server="+url)
	follower.awaitSaid("following")
	write("new\n")
	p.hangUp()
	p.awaitSaid("keys were read again")
	if !may("new") || may("old") {
		t.Errorf("the new key may publish: %v, the old one: %v", may("new"), may("old"))
	}
	write("# no key\n")
	p.hangUp()
	p.awaitSaid("keys stay as they were")
	if !may("new") {
		t.Error("a file without a key has taken the one there was")
	}
	if line := follower.line(); !strings.HasSuffix(line, "\tx") {
		t.Errorf("the stream goes on with %q", line)
	}
	p.terminate()
	if code := p.exit(); code != 0 {
		t.Errorf("exit code %d", code)
	}
}

// A process that is told to end while it waits for Redis ends as it was told.
func TestSIGTERMBeforeTheStart(t *testing.T) {
	notRaced(t)
	silent, err := net.Listen("tcp", "127.0.0.1:0") // its queue takes connections
	if err != nil {
		t.Fatal(err)
	}
	asked := make(chan struct{})
	go func() {
		if _, err := silent.Accept(); err == nil {
			close(asked)
		}
	}()
	defer silent.Close()
	p := start(t, "serve", "--dev", "--listen=127.0.0.1:0", "--admin=off",
		"--redis=redis://"+silent.Addr().String())
	<-asked
	p.terminate()
	if code := p.exit(); code != 0 ||
		!strings.Contains(p.said(), "told to end before it had started") {
		t.Errorf("exit code %d, %s", code, p.said())
	}
}

// TestDrainDelay: /readyz says no at once, and everything else goes on for a while.
func TestDrainDelay(t *testing.T) {
	p, url, admin := serve(t, "--dev", "--drain-delay=1h")
	p.terminate()
	await(t, "/readyz to say no", func() (bool, string) {
		status, body := get(t, admin+"/readyz")
		return status == 503, body
	})
	post(t, url, "t", "x")
	if _, errors, code := run(t, "subscribe", "t", "--last-event-id=0", "--count=1",
		"--server="+url); code != 0 {
		t.Errorf("exit code %d, %s", code, errors)
	}
	time.Sleep(sameSignal + 100*time.Millisecond)
	p.terminate()
	if code := p.exit(); code != 1 || !strings.Contains(p.said(), "again") {
		t.Errorf("exit code %d after a second signal, %s", code, p.said())
	}
}

// TestUnixSocketAndNoAdmin: streams and publishing work without any TCP port.
func TestUnixSocketAndNoAdmin(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	p := start(t, "serve", "--dev", "--listen=unix:"+path, "--admin=off", "--log-level=warn")
	if line := p.line(); !strings.HasSuffix(line, " listens on unix:"+path) {
		t.Errorf("found %q, expected the socket", line)
	}
	c, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(patience))
	io.WriteString(c, "GET /events?topic=t HTTP/1.1\r\nHost: x\r\n\r\n")
	buf := make([]byte, 12)
	if _, err := io.ReadFull(c, buf); err != nil || string(buf) != "HTTP/1.1 200" {
		t.Errorf("found %q, %v", buf, err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o666 {
		t.Errorf("%v, %v: expected a socket that a proxy of another user can connect to",
			info.Mode(), err)
	}
	out, errors, code := run(t, "publish", "t", "hello", "--server=unix:"+path)
	if code != 0 {
		t.Error(errors)
	}
	first := strings.TrimSpace(out)
	out, errors, code = run(t, "subscribe", "t", "--last-event-id=0", "--count=2", "-q",
		"--server=unix:"+path)
	if code != 0 || !strings.HasSuffix(out, first+"\thello\n") {
		t.Errorf("exit code %d, %q, %s", code, out, errors)
	}
	p.terminate()
	if code := p.exit(); code != 0 {
		t.Errorf("exit code %d", code)
	}
	if _, err := os.Stat(path); err == nil {
		t.Error("the socket is left behind")
	}
}

// TestAStateDirectoryIsOneServers: a second process does not start, and says why.
func TestAStateDirectoryIsOneServers(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	p, _, _ := serve(t, "--dev", "--state-dir="+dir)
	_, errors, code := run(t, "serve", "--dev", "--listen=127.0.0.1:0", "--admin=off",
		"--state-dir="+dir)
	oneLine(t, errors, code, "--state-dir "+dir,
		fmt.Sprintf("process %d uses it", p.cmd.Process.Pid))
	p.terminate()
	if code := p.exit(); code != 0 {
		t.Errorf("exit code %d", code)
	}
	p, _, _ = serve(t, "--dev", "--state-dir="+dir)
	p.awaitSaid("history was read, and is complete")
}
