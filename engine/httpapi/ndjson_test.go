package httpapi_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"

	"ssedge/engine"
	"ssedge/engine/httpapi"
)

const streamHead = "POST /publish HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer " + key +
	"\r\nContent-Type: application/x-ndjson\r\n"

// writeLines writes a body of that many hundreds of events, a hundred in each chunk.
func writeLines(w io.Writer, hundreds int) error {
	lines := strings.Repeat("{\"topic\":\"t\",\"data\":\"x\"}\n", 100)
	chunk := fmt.Sprintf("%x\r\n%s\r\n", len(lines), lines)
	for range hundreds {
		if _, err := io.WriteString(w, chunk); err != nil {
			return err
		}
	}
	_, err := io.WriteString(w, "0\r\n\r\n")
	return err
}

// heap is the live heap after a collection.
func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// A client that reads along publishes as much as it likes, in bounded memory. It
// counts the whole process's memory, so it does not run beside other tests.
func TestLongStreamWhileReading(t *testing.T) {
	count := 200_000
	if httpapi.Raced {
		count = 20_000
	}
	n := start(t, func(c *engine.Config) { c.HistoryEvents, c.HistoryBytes = 100, 2<<20 })
	before := heap()
	c := n.dialRaw(streamHead + "Transfer-Encoding: chunked\r\n\r\n")
	go writeLines(c, count/100)
	resp, err := http.ReadResponse(c.r, nil)
	if err != nil {
		t.Fatal(err)
	}
	last, most, lines := "", uint64(0), 0
	for in := bufio.NewScanner(resp.Body); in.Scan(); lines++ {
		if line := in.Text(); line == last || !strings.HasPrefix(line, `{"id":"`) ||
			!strings.HasSuffix(line, `"}`) {
			t.Fatalf("line %d: %q after %s", lines, line, last)
		}
		if last = in.Text(); lines%50_000 == 0 {
			most = max(most, heap())
		}
		if lines%1000 == 0 { // it may take long, but not stand still
			c.SetDeadline(time.Now().Add(30 * time.Second))
		}
	}
	if resp.StatusCode != 200 || lines != count {
		t.Errorf("%s, %d receipts", resp.Status, lines)
	}
	if grown := int64(most - before); grown > 8<<20 {
		t.Errorf("%d events took %d bytes of memory", count, grown)
	}
}

// A client that writes everything before it reads is served as long as its
// receipts can be held back for it.
func TestStreamBeforeReading(t *testing.T) {
	t.Parallel()
	const count = 8000
	n := start(t, nil)
	c := n.dialRaw(streamHead + "Transfer-Encoding: chunked\r\n\r\n")
	if err := writeLines(c, count/100); err != nil {
		t.Fatal(err)
	}
	resp, body := c.answer()
	if resp.StatusCode != 200 || strings.Count(body, "\n") != count ||
		resp.Header.Get("Content-Type") != "application/x-ndjson" {
		t.Errorf("%s, %d receipts", resp.Status, strings.Count(body, "\n"))
	}
}

// Beyond that it is given up, instead of being waited for or remembered.
func TestReceiptsThatAreNotRead(t *testing.T) {
	t.Parallel()
	n := start(t, func(c *engine.Config) {
		c.BodyTimeout, c.HTTPConnectionsMax = 300*time.Millisecond, 1
		c.SendBuffer = 16 << 10
	})
	c := n.dialRaw(streamHead + "Transfer-Encoding: chunked\r\n\r\n")
	c.SetWriteDeadline(time.Now().Add(20 * time.Second))
	if err := writeLines(c, 20_000); err == nil {
		t.Error("all of it was taken")
	}
	// Its place is free again although it is still there.
	for deadline := time.Now().Add(10 * time.Second); ; {
		if got := n.raw("t", "x"); got.status == 200 {
			break
		} else if time.Now().After(deadline) {
			t.Fatalf("%d %s", got.status, got.body)
		}
	}
}

// What was published before a line that is not in order stays, and is told.
func TestErrorInTheMiddle(t *testing.T) {
	t.Parallel()
	n := start(t, func(c *engine.Config) { c.HistoryEvents = 100_000 })
	s := n.subscribe("topic=t")
	good := `{"topic":"t","data":"x"}` + "\n"
	for _, chunks := range []bool{false, true} {
		for _, count := range []int{0, 1, 3, 20_000} {
			// of the last the receipts are under way already
			body := strings.Repeat(good, count) + `{"topic":"t"}` + "\n" + strings.Repeat(good, 5)
			if count == 0 {
				body = "\n\n" + body
			}
			head := fmt.Sprintf("Content-Length: %d\r\n\r\n", len(body))
			if chunks {
				head, body = "Transfer-Encoding: chunked\r\n\r\n",
					fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(body), body)
			}
			c := n.dialRaw("")
			go io.WriteString(c, streamHead+head+body)
			resp, answer := c.answer()
			lines := strings.Split(strings.TrimSuffix(answer, "\n"), "\n")
			var last struct {
				Error                   string
				Status, Line, Published int
			}
			err := json.Unmarshal([]byte(lines[len(lines)-1]), &last)
			line := count + 1
			if count == 0 {
				line = 3
			}
			if err != nil || len(lines) != count+1 || last.Line != line ||
				last.Published != count || last.Status != 400 ||
				!strings.Contains(last.Error, "data") {
				t.Errorf("%d good ones: %s, %d lines, the last %s", count, resp.Status, len(lines),
					lines[len(lines)-1])
			}
			if expected := map[bool]int{true: 200,
				false: 400}[count == 20_000]; resp.StatusCode != expected ||
				resp.StatusCode != 200 && !resp.Close {
				t.Errorf("%d good ones: %s, to be closed: %v", count, resp.Status, resp.Close)
			}
			for range count {
				s.next()
			}
		}
	}
	n.raw("t", "after all").id(t)
	if m := s.next(); m.Data != "after all" {
		t.Errorf("%q was published, too", m.Data)
	}
}

func TestSilenceInAStream(t *testing.T) {
	t.Parallel()
	n := start(t, func(c *engine.Config) { c.BodyTimeout = 200 * time.Millisecond })
	c := n.dialRaw(streamHead + "Content-Length: 1000\r\n\r\n" + `{"topic":"t","data":1}` + "\n" +
		`{"top`)
	resp, body := c.answer()
	if resp.StatusCode != 408 || strings.Count(body, "\n") != 2 ||
		!strings.Contains(body, `"id"`) || !strings.Contains(body, `"published":1`) {
		t.Errorf("%s %s", resp.Status, body)
	}
	c = n.dialRaw("POST /publish?topic=t HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer " + key +
		"\r\nContent-Length: 10\r\n\r\nabc")
	if resp, body := c.answer(); resp.StatusCode != 408 || !strings.Contains(body, "200ms") {
		t.Errorf("%s %s", resp.Status, body)
	}
}

// A line cannot be longer than an event may need.
func TestLineTooLong(t *testing.T) {
	t.Parallel()
	n := start(t, func(c *engine.Config) { c.Rule.EventBytes = 10_000 })
	limit := 6*10_000 + 16<<10
	for _, size := range []int{limit + 70_000, 4 << 20} {
		got := n.lines(`{"topic":"t","data":1}` + "\n" + strings.Repeat("x", size))
		if got.status != 413 || !strings.Contains(got.body, `"line":2`) ||
			!strings.Contains(got.body, fmt.Sprint(limit)) {
			t.Errorf("%d %s", got.status, got.body)
		}
	}
	if got := n.lines(`{"topic":"t","data":"` + strings.Repeat(`\u0061`, 10_000) +
		`"}`); got.status != 200 {
		t.Errorf("%d %s", got.status, got.body)
	}
}

// After a stream with a length the connection goes on, however long that took.
func TestConnectionAfterAStream(t *testing.T) {
	t.Parallel()
	n := start(t, nil)
	body := strings.Repeat(`{"topic":"t","data":1}`+"\n", 15_000)
	c := n.dialRaw("")
	for range 2 {
		go fmt.Fprintf(c, "%sContent-Length: %d\r\n\r\n%s", streamHead, len(body), body)
		if resp, got := c.answer(); resp.StatusCode != 200 || strings.Count(got, "\n") != 15_000 {
			t.Fatalf("%s, %d receipts", resp.Status, strings.Count(got, "\n"))
		}
	}
}
