package engine_test

import (
	"bytes"
	"io"
	"net"
	"net/http"
	"slices"
	"sync"
	"testing"

	"ssedge/engine"
	"ssedge/proto/sse"
)

// TestChunkedStreams, as net/http's client reads them: with --chunked a body over HTTP/1.1 comes in
// chunks and ends with the last of them when the server drains; over HTTP/1.0 there are none.
func TestChunkedStreams(t *testing.T) {
	chunked := func(c *engine.Config) { c.Chunked = true }
	n, m := startNode(t, chunked), startNode(t, chunked)
	first := n.publishAll(t, "t", numbered(1, 10))
	n.publishAll(t, "other", numbered(1, 10))
	type stream struct {
		text []byte
		err  error
	}
	var all []*stream
	var reading sync.WaitGroup
	for _, query := range []string{"topic=t", "topic=t&last_event_id=" + first[0].id,
		"topic=t&topic=other"} {
		got, err := http.Get("http://" + n.addr + "/events?" + query)
		if err != nil {
			t.Fatal(err)
		}
		if !got.Close {
			t.Errorf("%s: the client may send another request on the connection", query)
		}
		if !slices.Equal(got.TransferEncoding, []string{"chunked"}) || got.StatusCode != 200 {
			t.Errorf("%s: %s, transfer encoding %q", query, got.Status, got.TransferEncoding)
		}
		s := &stream{}
		all = append(all, s)
		reading.Go(func() { s.text, s.err = io.ReadAll(got.Body) })
	}
	n.awaitStreams(t, len(all))
	published := n.publishAll(t, "t", numbered(500, 300))
	n.engine.Drain()
	reading.Wait()
	for i, s := range all {
		if s.err != nil { // io.ErrUnexpectedEOF if the last chunk is missing
			t.Fatalf("stream %d: %v after %d bytes", i, s.err, len(s.text))
		}
		var d sse.Decoder
		var data []string
		d.Feed(s.text, func(m sse.Message) {
			if m.Event != "ssedge" {
				data = append(data, m.Data)
			}
		})
		if len(data) != len(published) || data[0] != published[0].data ||
			data[499] != published[499].data {
			t.Errorf("stream %d: %d events, expected %d", i, len(data), len(published))
		}
		if !leaving.Match(s.text) {
			t.Errorf("stream %d ends with %q", i, s.text[max(0, len(s.text)-40):])
		}
	}
	plain, err := net.Dial("tcp", m.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer plain.Close()
	io.WriteString(plain, "GET /events?topic=t HTTP/1.0\r\n\r\n")
	head, body := make([]byte, 0, 4096), []byte(nil)
	for body == nil {
		k, err := plain.Read(head[len(head):cap(head)])
		if head = head[:len(head)+k]; err != nil {
			t.Fatal(err)
		}
		_, body, _ = bytes.Cut(head, []byte("\r\n\r\n"))
	}
	if bytes.Contains(head, []byte("chunked")) ||
		!bytes.HasPrefix(body, []byte("event: ssedge\n")) {
		t.Errorf("over HTTP/1.0: %q", head)
	}
}
