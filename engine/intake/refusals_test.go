package intake_test

import (
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"
)

// refused is requests that get no stream: the status, and a word of the reason.
var refused = []struct {
	name, request string
	status        int
	reason        string
}{
	{"no path", "GET events HTTP/1.1\r\nHost: a\r\n\r\n", 400, "target"},
	{"bare LF", "GET /events HTTP/1.1\nHost: a\n\n", 400, "CRLF"},
	{"fold", get("/events?topic=t", "A: b", " c: d"), 400, "folding"},
	{"blank before colon", get("/events?topic=t", "A : b"), 400, "colon"},
	{"no host", "GET /events?topic=t HTTP/1.1\r\n\r\n", 400, "Host"},
	{"two hosts", get("/events?topic=t", "Host: b"), 400, "Host"},
	{"NUL in a value", get("/events?topic=t", "A: b\x00"), 400, "control"},
	{"two ids", get("/events?topic=t", "Last-Event-ID: 1-0", "last-event-id: 2-0"), 400,
		"Last-Event-ID"},
	{"two credentials", get("/events?topic=t", "Authorization: Bearer a",
		"Authorization: Bearer a"), 400, "Authorization"},
	{"two origins", get("/events?topic=t", "Origin: a", "Origin: a"), 400, "Origin"},
	{"two lengths", get("/events?topic=t", "Content-Length: 0", "Content-Length: 0"), 400,
		"Content-Length"},
	{"length list", get("/events?topic=t", "Content-Length: 1, 1"), 400, "Content-Length"},
	{"length sign", get("/events?topic=t", "Content-Length: +1"), 400, "Content-Length"},
	{"length overflow", get("/events?topic=t", "Content-Length: 9223372036854775808"), 400,
		"Content-Length"},
	{"length and chunks", get("/events?topic=t", "Content-Length: 5", "Transfer-Encoding: chunked"),
		400, "exclude"},
	{"chunks in 1.0", "POST /publish HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", 400,
		"HTTP/1.1"},
	{"coding twice", get("/", "Transfer-Encoding: chunked", "Transfer-Encoding: chunked"), 400,
		"Transfer-Encoding"},
	{"CONNECT", "CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n", 400, "proxy"},
	{"HTTP/2 preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400, "target"},
	{"TLS", "\x16\x03\x01", 400, "TLS"},
	{"half an escape", get("/events?topic=%2"), 400, "hexadecimal"},
	{"control character in the target", get("/events?topic=a\x01"), 400, "visible"},
	{"semicolon", get("/events?topic=a;b"), 400, "semicolon"},
	{"no topic", get("/events"), 400, "at least one topic"},
	{"empty topic", get("/events?topic="), 400, "topic name"},
	{"topic with a line feed", get("/events?topic=a%0ab"), 400, "topic name"},
	{"topic with C1", get("/events?topic=%c2%85"), 400, "topic name"},
	{"topic not UTF-8", get("/events?topic=%ff"), 400, "UTF-8"},
	{"topic in capitals", get("/events?Topic=a&x=y"), 400, `found "Topic"`},
	{"topics", get("/events?_=1&topics=a"), 400, `found "topics"`},
	{"a topic, and one in capitals", get("/events?topic=r&Topic=s"), 400,
		`topic=NAME&topic=NAME; found "Topic"`},
	{"topics, and a topic", get("/events?topics=s&topic=r&x=y"), 400,
		`topic=NAME&topic=NAME; found "topics"`},
	{"a topic, and topics", get("/events?topic=r&topics=s"), 400,
		`topic=NAME&topic=NAME; found "topics"`},
	{"a topic, and one as in PHP", get("/events?topic=r&topic[]=s"), 400,
		`topic=NAME&topic=NAME; found "topic[]"`},
	{"a topic, and an empty one in capitals", get("/events?topic=r&TOPIC"), 400, `found "TOPIC"`},
	{"a topic, and one with an index", get("/events?topic=r&topic[0]=s"), 400,
		`topic=NAME&topic=NAME; found "topic[0]"`},
	{"a topic, and a numbered one", get("/events?topic=r&topic.1=s"), 400, `found "topic.1"`},
	{"topic as in PHP", get("/events?topic%5B%5D=a&TOPICS=b"), 400, "topic[]"},
	{"a body for a stream", get("/events?topic=t", "Content-Length: 2") + "xx", 400, "no body"},
	{"invalid key", get("/events?topic=t", "Authorization: Bearer wrong"), 401, "not valid"},
	{"a key without its scheme", get("/events?topic=t", "Authorization: "+key), 401, "not valid"},
	{"no key behind the scheme", get("/events?topic=t", "Authorization: bEaReR"), 401, "not valid"},
	{"empty credentials", get("/events?topic=t", "Authorization:"), 401, "not valid"},
	{"unknown path", get("/nope"), 404, "/events"},
	{"an escaped path", get("/%65vents?topic=t"), 404, "/events"},
	{"a path behind an escaped slash", get("/events%2f?topic=t"), 404, "/events"},
	{"dot segments", get("/x/../events?topic=t"), 404, "/events"},
	{"two slashes", get("//events?topic=t"), 404, "/events"},
	{"method of streams", "DELETE /events HTTP/1.1\r\nHost: a\r\n\r\n", 405, "GET"},
	{"method of publishing", get("/publish"), 405, "POST"},
	{"method in lower case", "get /events?topic=t HTTP/1.1\r\nHost: a\r\n\r\n", 405, "GET"},
	{"long target", get("/events?topic=" + strings.Repeat("a", 4096)), 414, "longer"},
	{"unknown expectation", get("/events?topic=t", "Expect: a-miracle"), 417, "100-continue"},
	{"many fields", get("/events?topic=t", strings.Repeat("A: b\r\n", 100)+"C: d"), 431,
		"field lines"},
	{"large head", get("/events?topic=t", "A: "+strings.Repeat("b", 8192)), 431, "larger"},
	{"unknown coding", get("/", "Transfer-Encoding: gzip, chunked"), 501, "chunked"},
	{"HTTP/2 in words", "GET /events HTTP/2.0\r\nHost: a\r\n\r\n", 505, "HTTP/1.1"},
	{"HTTP/1.2", "GET /events HTTP/1.2\r\nHost: a\r\n\r\n", 505, "HTTP/1.1"},
}

// checkRefusal holds an answer to the form that all refusals have.
func checkRefusal(t *testing.T, resp *http.Response, body string, status int, reason string) {
	t.Helper()
	var said struct {
		Error  string
		Status int
	}
	if err := json.Unmarshal([]byte(body), &said); err != nil || strings.Count(body, "\n") != 1 ||
		!strings.HasSuffix(body, "\n") {
		t.Errorf("%s: not one line of JSON: %q", resp.Status, body)
	}
	h := resp.Header
	switch {
	case resp.StatusCode != status || said.Status != status ||
		!strings.Contains(said.Error, reason):
		t.Errorf("%s %s: expected %d with %q", resp.Status, body, status, reason)
	case h.Get("Content-Type") != "application/json" ||
		h.Get("Content-Length") != strconv.Itoa(len(body)):
		t.Errorf("%v", h)
	case status == 405 && h.Get("Allow") == "",
		status == 401 && !strings.HasPrefix(h.Get("WWW-Authenticate"), "Bearer"),
		status == 503 && h.Get("Retry-After") == "":
		t.Errorf("%d: a field is missing: %v", status, h)
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	n := start(t, nil)
	for _, r := range refused {
		t.Run(r.name, func(t *testing.T) {
			c := n.ask(r.request)
			c.t = t
			resp, body := c.answer("GET")
			checkRefusal(t, resp, body, r.status, r.reason)
			c.Close()
		})
	}
	n.quiet()
}

// The same bytes are judged the same on a connection that net/http has, down to the words.
func TestRefusalsOnKeptAliveConnection(t *testing.T) {
	t.Parallel()
	n := start(t, nil)
	for _, r := range refused {
		t.Run(r.name, func(t *testing.T) {
			first := n.ask(r.request)
			first.t = t
			_, expected := first.answer("GET")
			first.Close()

			c := n.ask(get("/nope"))
			c.t = t
			c.answer("GET")
			c.send(r.request)
			resp, body := c.answer("GET")
			checkRefusal(t, resp, body, r.status, r.reason)
			if body != expected {
				t.Errorf("%q on a kept-alive connection, %q on a new one", body, expected)
			}
			c.Close()
		})
	}
	n.quiet()
}

// gate is a handler whose answer comes in two parts.
type gate struct {
	next        http.Handler
	begun, open chan struct{}
}

const gatePart = 100_000

func (g *gate) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path != "/gate" {
		g.next.ServeHTTP(w, r)
		return
	}
	io.WriteString(w, strings.Repeat("a", gatePart))
	w.(http.Flusher).Flush()
	g.begun <- struct{}{}
	<-g.open
	io.WriteString(w, strings.Repeat("b", gatePart))
}

// A refusal waits for the answer to the request before it.
func TestRefusalBehindAnAnswerUnderWay(t *testing.T) {
	t.Parallel()
	g := &gate{begun: make(chan struct{}), open: make(chan struct{})}
	n := start(t, func(s *setup) {
		s.handler = func(next http.Handler) http.Handler { g.next = next; return g }
	})
	for _, r := range refused {
		t.Run(r.name, func(t *testing.T) {
			for _, late := range []bool{false, true} {
				// with the first request, or during its answer
				c := n.dial()
				c.t = t
				if late {
					c.send(get("/gate"))
					<-g.begun
					c.send(r.request)
				} else {
					c.send(get("/gate") + r.request)
					<-g.begun
				}
				// Nothing tells when the server has seen the bytes that it must not
				// answer yet. A refusal that came too soon would be in the middle.
				time.Sleep(2 * time.Millisecond)
				g.open <- struct{}{}
				resp, body := c.answer("GET")
				if resp.StatusCode != 200 || body != strings.Repeat("a", gatePart)+
					strings.Repeat("b", gatePart) {
					t.Errorf("the first answer: %s, %d bytes", resp.Status, len(body))
				}
				resp, body = c.answer("GET")
				checkRefusal(t, resp, body, r.status, r.reason)
				c.Close()
			}
		})
	}
	n.quiet()
}

// After a head that cannot be read nothing is: a request hidden behind it is not
// served, on any path.
func TestNothingIsReadAfterARefusal(t *testing.T) {
	t.Parallel()
	n := start(t, nil)
	for _, first := range []string{"", get("/nope")} {
		c := n.ask(first + "GET /events HTTP/1.1\nX\n\n" + get("/nope") +
			get("/events?topic=hidden"))
		if first != "" {
			c.answer("GET")
		}
		c.answer("GET")
		if rest := c.ended(); rest != "" {
			t.Errorf("then came %q", rest)
		}
		c.Close()
	}
	n.quiet()
	if n.admission.Accepted.Load() != 0 {
		t.Error("the hidden stream was made")
	}
}

// A page may read why it was refused.
func TestRefusalsAndStreamsSayWhichOriginsMayRead(t *testing.T) {
	t.Parallel()
	n := start(t, func(s *setup) {
		s.admission.CORSOrigins = []string{"https://good.example"}
		s.admission.StreamsMax = 1
	})
	holder := n.ask(get("/events?topic=t", "Origin: https://good.example"))
	resp := holder.stream()
	if got := resp.Header.Get("Access-Control-Allow-Origin"); got != "https://good.example" {
		t.Errorf("the stream says %q", got)
	}
	for _, first := range []string{"", get("/nope")} {
		for _, target := range []string{"/events?topic=t", "/events?topic=", "/nope", "/publish"} {
			for origin, expected := range map[string]string{
				"https://good.example": "https://good.example", "https://bad.example": "",
				"null":                      "",
				"https://good.example.evil": "", "https://good.exampl": "", "*": "",
			} {
				c := n.ask(first)
				if first != "" {
					c.answer("GET")
				}
				c.send(get(target, "Origin: "+origin))
				resp, _ := c.answer("GET")
				if got := resp.Header.Values("Access-Control-Allow-Origin"); strings.Join(got,
					"|") != expected {
					t.Errorf("%d for %s from %s says %q", resp.StatusCode, target, origin, got)
				}
				if resp.Header.Get("Vary") != "Origin" {
					t.Errorf("%d for %s from %s: Vary is %q", resp.StatusCode, target, origin,
						resp.Header.Values("Vary"))
				}
				c.Close()
			}
		}
	}
}
