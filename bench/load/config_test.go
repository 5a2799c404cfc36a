package load

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

func TestMistakesInAConfiguration(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		config Config
		says   []string
	}{
		{Config{}, []string{"http://"}},
		{Config{Subscribe: "https://127.0.0.1/"}, []string{"http://", "https://127.0.0.1/"}},
		{Config{Subscribe: "http:///x"}, []string{"host"}},
		{Config{Subscribe: "http://127.0.0.1:1/a b"}, []string{"blanks"}},
		{Config{Subscribe: "http://127.0.0.1:1/{topick}"}, []string{"{topick}", "{topic}"}},
		{Config{Subscribe: "http://127.0.0.1:99999999/"}, []string{"99999999"}},
		{Config{Subscribe: "http://user@127.0.0.1/"}, []string{"host:port"}},
		{Config{Subscribe: "http://192.0.2.1/"}, []string{"192.0.2.1", "--allow-remote"}},
		{Config{Subscribe: "http://[2001:db8::1]:80/"}, []string{"2001:db8::1", "--allow-remote"}},
		{Config{Subscribe: "http://0.0.0.0:1/"}, []string{"--allow-remote"}},
		{Config{Subscribe: "http://127.0.0.1:1/", Headers: []string{"nothing"}},
			[]string{"Name: value"}},
		{Config{Subscribe: "http://127.0.0.1:1/", Headers: []string{"A: b\r\nC: d"}},
			[]string{"Name: value"}},
	} {
		_, err := NewCrowd(c.config, 1, Workers{})
		if err == nil {
			t.Errorf("%+v was taken", c.config)
			continue
		}
		for _, want := range c.says {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("found %q, expected %q in it", err, want)
			}
		}
	}
	if to, err := Resolve("192.0.2.1:81", true); err != nil || to.String() != "192.0.2.1:81" {
		t.Errorf("%v, %v", to, err)
	}
	if to, err := Resolve("[::1]:81", false); err != nil || to.String() != "[::1]:81" {
		t.Errorf("%v, %v", to, err)
	}
	if to, err := Resolve("127.9.9.9", false); err != nil || to.String() != "127.9.9.9:80" {
		t.Errorf("%v, %v", to, err)
	}
}

func TestTheRequest(t *testing.T) {
	t.Parallel()
	p, err := Config{Subscribe: "http://127.0.0.1:8080?a={topic}&s={stream}&r={run}#part",
		Topics: 10, TopicFirst: 100, Run: "zz", Headers: []string{"X-T: t{topic}"}}.plan()
	if err != nil {
		t.Fatal(err)
	}
	const want = "GET /?a=103&s=23&r=zz HTTP/1.1\r\nHost: 127.0.0.1:8080\r\nAccept: text/event-stream\r\nCache-Control: no-cache\r\nX-T: t103\r\n"
	if got := string(p.appendRequest(nil, 23, "")); got != want+"\r\n" {
		t.Errorf("found %q", got)
	}
	if got := string(p.appendRequest(nil, 23, "5-1")); got != want+"Last-Event-ID: 5-1\r\n\r\n" {
		t.Errorf("found %q", got)
	}
}

// TestHeadersOfOnesOwn take the place of the usual ones.
func TestHeadersOfOnesOwn(t *testing.T) {
	t.Parallel()
	p, err := Config{Subscribe: "http://127.0.0.1:8080",
		Headers: []string{"host: edge.example", "X-Now: {now}"}}.plan()
	if err != nil {
		t.Fatal(err)
	}
	before := time.Now().UnixMilli()
	got := string(p.appendRequest(nil, 0, ""))
	var now int64
	_, last, _ := strings.Cut(got, "X-Now: ")
	fmt.Sscan(last, &now)
	if strings.Count(strings.ToLower(got), "host:") != 1 ||
		!strings.Contains(got, "\r\nhost: edge.example\r\n") || now < before ||
		now > time.Now().UnixMilli() {
		t.Errorf("found %q", got)
	}
}

// TestSources spreads streams over addresses of this machine, none of which is used twice.
func TestSources(t *testing.T) {
	t.Parallel()
	seen := map[[4]byte]bool{}
	for number := int32(0); number < 500_000_000; number += connectsPerSource {
		a := source(number)
		if a[0] != 127 || seen[a] || a[3] == 0 || a[3] == 255 {
			t.Fatalf("stream %d leaves from %v", number, a)
		}
		seen[a] = true
	}
}
