package load

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"
)

// script serves what it is told to each stream, in the order they come, and then holds the stream open.
type script struct {
	bodies    chan string
	header    map[string]string
	status    int
	endStream bool
}

func (s *script) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/event-stream; charset=utf-8")
	w.Header().Set("Transfer-Encoding", "identity")
	for name, value := range s.header {
		w.Header().Set(name, value)
	}
	if s.status != 0 {
		w.WriteHeader(s.status)
	}
	out := http.NewResponseController(w)
	fmt.Fprint(w, ":\nretry: 3000\n\n")
	out.Flush()
	for part := range strings.SplitAfterSeq(<-s.bodies, "\n") {
		fmt.Fprint(w, part)
		out.Flush()
	}
	if !s.endStream {
		<-r.Context().Done()
	}
}

// openScript opens a stream per body and returns the client when all of them have arrived.
func openScript(t *testing.T, s *script, bodies ...string) (*Client, error) {
	t.Helper()
	s.bodies = make(chan string, len(bodies))
	for _, b := range bodies {
		s.bodies <- b
	}
	server := httptest.NewServer(s)
	client, err := NewClient(Config{Target: netip.MustParseAddrPort(server.Listener.Addr().String()), Threads: 2})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Close)
	t.Cleanup(client.Close) // first, or the server waits for its streams
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	if _, err := client.Open(ctx, len(bodies)); err != nil {
		return client, err
	}
	all := strings.Join(bodies, "")
	events, gaps, ended := uint64(strings.Count(all, "data: x\n")), uint64(strings.Count(all, "event: gap\n")), uint64(0)
	if s.endStream {
		ended = uint64(len(bodies))
	}
	for now := client.Totals(); now.Events < events || now.Gaps < gaps || now.Ended < ended; now = client.Totals() {
		select {
		case <-ctx.Done():
			t.Fatalf("expected %d events, %d gaps and %d ends, found %+v", events, gaps, ended, now)
		case <-time.After(pollInterval):
		}
	}
	return client, nil
}

func numbered(ids ...int) string {
	var b strings.Builder
	for _, id := range ids {
		fmt.Fprintf(&b, "data: x\nid: 1763880000000-%d\n\n", id)
	}
	return b.String()
}

func TestVerifyTellsFaultsApart(t *testing.T) {
	good := numbered(1, 2, 3, 4)
	for name, c := range map[string]struct {
		faulty string
		fault  func(Verdict) int
	}{
		"lost in the middle": {numbered(1, 2, 4), func(v Verdict) int { return v.Short }},
		"lost at the end":    {numbered(1, 2, 3), func(v Verdict) int { return v.Short }},
		"nothing at all":     {"", func(v Verdict) int { return v.Short }},
		"twice":              {numbered(1, 2, 2, 3, 4), func(v Verdict) int { return v.Over }},
		"twice, with ids":    {numbered(1, 2, 2, 3, 4), func(v Verdict) int { return v.Unsorted }},
		// The number is right: only the ids tell.
		"one lost, one twice": {numbered(1, 2, 2, 4), func(v Verdict) int { return v.Unsorted }},
		"out of order":        {numbered(1, 3, 2, 4), func(v Verdict) int { return v.Unsorted }},
		"damaged":             {numbered(1, 2, 3) + "??\n" + numbered(4), func(v Verdict) int { return v.Damaged }},
		"told of a gap":       {numbered(1) + "event: gap\ndata: {}\n\n" + numbered(4), func(v Verdict) int { return v.Gapped }},
	} {
		t.Run(name, func(t *testing.T) {
			client, err := openScript(t, &script{}, good, c.faulty, good)
			if err != nil {
				t.Fatal(err)
			}
			v := client.Verify(4)
			if v.OK() || c.fault(v) != 1 || v.Exact != 2 || v.Streams != 3 {
				t.Errorf("%v: %+v", v, v)
			}
			if told := name == "told of a gap"; v.Told() != told {
				t.Errorf("Told() = %v: %+v", v.Told(), v)
			}
		})
	}
}

func TestVerifyAcceptsWhatIsRight(t *testing.T) {
	client, err := openScript(t, &script{}, numbered(1, 2, 3), numbered(1, 2, 3))
	if err != nil {
		t.Fatal(err)
	}
	if v := client.Verify(3); !v.OK() {
		t.Error(v)
	}
	if v := client.Verify(4); v.OK() || v.Short != 2 || v.Missed != 2 {
		t.Errorf("%v: %+v", v, v)
	}
}

func TestStreamClosedByTheServerIsNoticed(t *testing.T) {
	client, err := openScript(t, &script{endStream: true}, numbered(1), numbered(1))
	if err != nil {
		t.Fatal(err)
	}
	if v := client.Verify(1); v.OK() || v.Ended != 2 || v.Exact != 2 {
		t.Errorf("%v: %+v", v, v)
	}
}

func TestOpenSaysWhatWasRefused(t *testing.T) {
	for name, c := range map[string]struct {
		server *script
		reason string
	}{
		"status":       {&script{status: http.StatusServiceUnavailable}, "503"},
		"content type": {&script{header: map[string]string{"Content-Type": "text/html"}}, "text/event-stream"},
		"chunked":      {&script{header: map[string]string{"Transfer-Encoding": "chunked"}}, "chunked"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := openScript(t, c.server, "")
			if err == nil || !strings.Contains(err.Error(), c.reason) {
				t.Errorf("expected an error about %q, found %v", c.reason, err)
			}
		})
	}
}

func TestOpenWhereNobodyListens(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	target := netip.MustParseAddrPort(server.Listener.Addr().String())
	server.Close()
	client, err := NewClient(Config{Target: target})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	if _, err := client.Open(ctx, 3); err == nil || !strings.Contains(err.Error(), "3 of 3") {
		t.Errorf("expected 3 of 3 refused, found %v", err)
	}
}

func TestAnswerBytes(t *testing.T) {
	const answer = "HTTP/1.1 200 OK\r\nX: y\r\ncontent-LENGTH: 2\r\n\r\n{}"
	for cut := range len(answer) {
		n, err := answerBytes([]byte(answer[:cut]))
		if err != nil || (n != 0 && n != len(answer)) {
			t.Fatalf("cut at %d: %d, %v", cut, n, err)
		}
	}
	if n, err := answerBytes([]byte(answer)); n != len(answer) || err != nil {
		t.Errorf("%d, %v", n, err)
	}
	if _, err := answerBytes([]byte("HTTP/1.1 200 OK\r\n\r\n")); err == nil {
		t.Error("an answer without a length was taken")
	}
}

// BenchmarkReceive is what the client can take: a server in the same process writes the same 16 KB of events to all
// streams as fast as they are read.
func BenchmarkReceive(b *testing.B) {
	const streams = 100
	chunk := []byte(strings.Repeat(fmt.Sprintf("data: %s\nid: 1763880000123-12\n\n", strings.Repeat("x", 100)), 125))
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		w.Header().Set("Transfer-Encoding", "identity")
		out := http.NewResponseController(w)
		for out.Flush() == nil && r.Context().Err() == nil {
			w.Write(chunk)
		}
	}))
	defer server.Close()
	client, err := NewClient(Config{Target: netip.MustParseAddrPort(server.Listener.Addr().String())})
	if err != nil {
		b.Fatal(err)
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(b.Context(), time.Minute)
	defer cancel()
	if _, err := client.Open(ctx, streams); err != nil {
		b.Fatal(err)
	}
	b.ResetTimer()
	before := client.Totals().Events
	if err := client.WaitEvents(ctx, before+uint64(b.N)); err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(client.Totals().Events-before)/b.Elapsed().Seconds(), "events/s")
}
