package load

import (
	"fmt"
	"strings"
	"testing"
)

// chunked cuts a body into chunks of the given sizes, in turn, and ends it with the last chunk.
func chunked(body, extension, trailer string, sizes ...int) string {
	var b strings.Builder
	for i := 0; len(body) > 0; i++ {
		n := min(len(body), sizes[i%len(sizes)])
		fmt.Fprintf(&b, "%x%s\r\n%s\r\n", n, extension, body[:n])
		body = body[n:]
	}
	return b.String() + "0" + extension + "\r\n" + trailer + "\r\n"
}

// takeBody gives a body in chunks to a stream, piece by piece until it ends.
func takeBody(l *loop, pieces ...string) error {
	l.streams[0].body = chunkSize
	for _, piece := range pieces {
		if err := l.body(0, []byte(piece)); err != nil {
			return err
		}
	}
	return nil
}

func TestChunksAtEverySplit(t *testing.T) {
	t.Parallel()
	body := "retry: 1\nid: 1\n\n" + eventWith(0, 1, "2") + ": ping\n\n" + eventWith(0, 2, "3") +
		strings.Repeat(":\n\n", 20)
	want := Totals{Events: 2, Comments: 21}
	for name, framed := range map[string]string{
		"one chunk":     chunked(body, "", "", len(body)),
		"few":           chunked(body, "", "", 7, 31, 100),
		"one byte each": chunked(body, "", "", 1),
		"extensions":    chunked(body, `;name="v;=x";other`, "", 26),
		"blanks":        chunked(body, " \t", "", 17),
		"a trailer":     chunked(body, "", "X-Sum: 1\r\n", 13),
		"capital digits": strings.ReplaceAll("\r\n"+chunked(body, "", "", 11), "\r\nb\r\n",
			"\r\n00B\r\n")[len("\r\n"):],
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for split := range len(framed) + 1 {
				l := still(t, 1)
				if err := takeBody(l, framed[:split], framed[split:]); err != errLastChunk ||
					l.tally != want {
					t.Fatalf("split at %d: %v\nexpected %+v\nfound    %+v", split, err, want,
						l.tally)
				}
			}
			l := still(t, 1)
			if err := takeBody(l, strings.Split(framed, "")...); err != errLastChunk ||
				l.tally != want {
				t.Fatalf("byte by byte: %v, %+v", err, l.tally)
			}
		})
	}
}

func TestWhatIsNoChunkIsNoticed(t *testing.T) {
	t.Parallel()
	for _, framed := range []string{
		"data: hello\n\n", "xyz\r\n", "\r\n0\r\n\r\n", "\n", ";ext\r\n", " 5\r\n", "3\r\nabcd\r\n",
		"5g\r\n", "-1\r\n",
		"fffffffff\r\n", "100000000\r\n",
	} {
		for _, pieces := range [][]string{{framed}, strings.Split(framed, "")} {
			if err := takeBody(still(t, 1), pieces...); err == nil || err == errLastChunk ||
				!strings.Contains(err.Error(), "expected") {
				t.Errorf("%q in %d pieces: expected an error, found %v", framed, len(pieces), err)
			}
		}
	}
}

func TestCheckHead(t *testing.T) {
	t.Parallel()
	const ok, stream = "HTTP/1.1 200 OK\r\n", "Content-Type: text/event-stream\r\n"
	for _, c := range []struct {
		head  string
		want  framing
		fault string
	}{
		{ok + stream, untilClose, ""},
		{"HTTP/1.0 200\r\n" + stream, untilClose, ""},
		{ok + "content-type:text/event-stream;charset=utf-8\r\n", untilClose, ""},
		{
			ok + "X: y\r\nCONTENT-TYPE: Text/Event-Stream; charset=UTF-8\r\nTransfer-Encoding: identity\r\n",
			untilClose, ""},
		{ok + stream + "Transfer-Encoding: chunked\r\n", chunkSize, ""},
		{ok + "transfer-encoding:CHUNKED\r\n" + stream, chunkSize, ""},
		{ok + stream + "X-Transfer-Encoding: chunked\r\n", untilClose, ""},
		{"HTTP/1.1 503 Service Unavailable\r\n" + stream, 0, "503 Service Unavailable"},
		{"HTTP/1.1 301 Moved\r\n" + stream, 0, "301"},
		{"HTTP/2 200\r\n" + stream, 0, "HTTP/1.1 200"},
		{"nonsense\r\n", 0, "nonsense"},
		{ok, 0, "text/event-stream"},
		{ok + "Content-Type: text/html\r\n", 0, "text/event-stream"},
		{ok + "X-Content-Type: text/event-stream\r\n", 0, "text/event-stream"},
		{ok + stream + "Content-Encoding: gzip\r\n", 0, "Content-Encoding"},
		{ok + stream + "Transfer-Encoding: gzip, chunked\r\n", 0, "gzip, chunked"},
	} {
		f, err := checkHead([]byte(c.head))
		if c.fault == "" && (err != nil || f != c.want) {
			t.Errorf("%q: expected framing %d, found %d, %v", c.head, c.want, f, err)
		}
		if c.fault != "" && (err == nil || !strings.Contains(err.Error(), c.fault)) {
			t.Errorf("%q: expected an error about %s, found %v", c.head, c.fault, err)
		}
	}
}
