package intake_test

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"ssedge/engine/intake"
)

// echo answers with what it has read of the request.
type echo struct{ next http.Handler }

func (e echo) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path != "/echo" {
		e.next.ServeHTTP(w, r)
		return
	}
	buf := make([]byte, 1+len(r.URL.RawQuery)*1000) // a slow reader is one with a small buffer
	sum, size := sha256.New(), 0
	for {
		n, err := r.Body.Read(buf)
		sum.Write(buf[:n])
		size += n
		if err == io.EOF {
			break
		}
		if err != nil {
			http.Error(w, err.Error(), 500)
			return
		}
	}
	fmt.Fprintf(w, "%d %x", size, sum.Sum(nil))
}

func startEcho(t *testing.T) *node {
	return start(t, func(s *setup) {
		s.handler = func(next http.Handler) http.Handler { return echo{next} }
	})
}

func sumOf(body []byte) string { return fmt.Sprintf("%d %x", len(body), sha256.Sum256(body)) }

// chunked cuts a body into chunks of random sizes.
func chunked(body []byte, random *rand.Rand) string {
	var b bytes.Buffer
	for len(body) > 0 {
		n := min(len(body), 1+random.IntN(1+len(body)/3))
		fmt.Fprintf(&b, "%x\r\n%s\r\n", n, body[:n])
		body = body[n:]
	}
	b.WriteString("0\r\n\r\n")
	return b.String()
}

// A body that is cut anywhere around the end of its head arrives as it is, and the
// next request on the connection is found where it ends.
func TestBodySplitNearItsHead(t *testing.T) {
	t.Parallel()
	n := startEcho(t)
	body := []byte("the body, with \r\n\r\n and GET / HTTP/1.1 in it")
	request := fmt.Sprintf("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n%s",
		len(body), body)
	for _, first := range []string{"", get("/nope")} {
		var all []*client
		cuts := []int{}
		for cut := len(request) - len(body) - 30; cut <= len(request); cut++ {
			c := n.ask(first)
			if first != "" {
				c.answer("GET")
			}
			c.send(request[:cut])
			all, cuts = append(all, c), append(cuts, cut)
		}
		for i, c := range all {
			c.send(request[cuts[i]:] + get("/nope"))
		}
		for i, c := range all {
			if resp, got := c.answer("POST"); resp.StatusCode != 200 || got != sumOf(body) {
				t.Errorf("cut at %d: %s %s", cuts[i], resp.Status, got)
			}
			if resp, _ := c.answer("GET"); resp.StatusCode != 404 {
				t.Errorf("cut at %d: then %s", cuts[i], resp.Status)
			}
			c.Close()
		}
	}
	n.quiet()
}

func TestLargeBodiesArriveIntact(t *testing.T) {
	t.Parallel()
	n := startEcho(t)
	random := rand.New(rand.NewPCG(1, 2))
	body := make([]byte, 12<<20)
	for i := range body {
		body[i] = byte(random.Uint32())
	}
	for _, query := range []string{"?a", "?aaaaaaaaaa"} {
		c := n.dial()
		for range 2 { // on one connection
			go fmt.Fprintf(c, "POST /echo%s HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n%s",
				query, len(body), body)
			if resp, got := c.answer("POST"); resp.StatusCode != 200 || got != sumOf(body) {
				t.Errorf("%s %s", resp.Status, got)
			}
		}
		go io.WriteString(c, "POST /echo"+query+
			" HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"+chunked(body, random))
		resp, got := c.answer("POST")
		if resp.StatusCode != 200 || got != sumOf(body) || !resp.Close {
			t.Errorf("%s %s, to be closed: %v", resp.Status, got, resp.Close)
		}
		if rest := c.ended(); rest != "" {
			t.Errorf("then %q", rest)
		}
		c.Close()
	}
	n.quiet()
}

// The end of a body in chunks is where the connection ends: what follows would be
// read by other rules than the intake's.
func TestNothingIsReadAfterABodyInChunks(t *testing.T) {
	t.Parallel()
	n := start(t, nil)
	streams := 0
	for _, head := range []string{
		"POST /publish?topic=t HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer " + key + "\r\n",
		"POST /publish HTTP/1.1\r\nHost: a\r\n",
		"POST /nope HTTP/1.1\r\nHost: a\r\n",
		"DELETE /publish HTTP/1.1\r\nHost: a\r\nConnection: keep-alive\r\n",
		"OPTIONS * HTTP/1.1\r\nHost: a\r\n",
		"OPTIONS /publish HTTP/1.1\r\nHost: a\r\n",
		"GET /events?topic=t HTTP/1.1\r\nHost: a\r\n",
		"HEAD /events?topic=t HTTP/1.1\r\nHost: a\r\n",
	} {
		for _, first := range []string{"", get("/nope")} {
			for _, body := range []string{"0\r\n\r\n", "2\r\nab\r\n0\r\n\r\n",
				"1;x=y\r\na\r\n0\r\nTrailer: x\r\n\r\n"} {
				c := n.ask(first)
				if first != "" {
					c.answer("GET")
				}
				c.send(head + "Transfer-Encoding: chunked\r\n\r\n" + body +
					get("/events?topic=smuggled") + get("/smuggled"))
				method, _, _ := strings.Cut(head, " ")
				if strings.HasPrefix(head, "GET /events") && body[0] == '0' {
					// no content: a stream, and what follows is not read
					c.stream()
					streams++
					c.Close()
					continue
				}
				if resp, _ := c.answer(method); !resp.Close {
					t.Errorf("%q: the connection is not said to end: %s %v", head, resp.Status,
						resp.Header)
				}
				if rest := c.ended(); rest != "" {
					t.Errorf("%q: then %q", head, rest)
				}
				c.Close()
			}
		}
	}
	n.quiet()
	if got := n.admission.Accepted.Load(); got != uint64(streams) {
		t.Errorf("%d streams, expected %d: the others were smuggled", got, streams)
	}
}

// A body that is not read does not turn into requests.
func TestUnreadBodyIsNotARequest(t *testing.T) {
	t.Parallel()
	n := start(t, nil)
	smuggled := get("/events?topic=smuggled")
	for _, size := range []int{len(smuggled), 100_000, 300_000} { // net/http reads on for 256 KiB
		body := strings.Repeat(smuggled, 1+size/len(smuggled))[:size]
		c := n.ask(fmt.Sprintf("POST /nope HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n%s",
			size, body))
		if resp, _ := c.answer("POST"); resp.StatusCode != 404 {
			t.Error(resp.Status)
		}
		c.Conn.(*net.TCPConn).CloseWrite()
		if rest := c.ended(); rest != "" {
			t.Errorf("then %.100q", rest)
		}
		c.Close()
	}
	n.quiet()
	if got := n.admission.Accepted.Load(); got != 0 {
		t.Errorf("%d smuggled streams", got)
	}
}

// An answer to a body that is not read to its end reaches a client that goes on
// sending: the output ends before the connection does.
//
// net/http closes half a second after it has ended the output; if it could not do
// that, the end would come no sooner than then, every time. Noise can make it come
// later, so one that comes sooner is enough.
func TestAnswerBeforeTheEndOfTheBody(t *testing.T) {
	t.Parallel()
	n := start(t, nil)
	await(t, "the end of the output comes before that of the connection", func() bool {
		began := time.Now()
		c := n.ask("POST /nope HTTP/1.1\r\nHost: a\r\nContent-Length: 10000000\r\n\r\n")
		defer c.Close()
		c.answer("POST")
		if rest := c.ended(); rest != "" {
			t.Errorf("then %q", rest)
		}
		took := time.Since(began)
		if _, err := c.Write([]byte("more")); err != nil {
			t.Errorf("the connection is gone: %v", err)
		}
		return took < 400*time.Millisecond
	})
}

func TestExpectContinue(t *testing.T) {
	t.Parallel()
	n := start(t, nil)
	for _, first := range []string{"", get("/nope")} {
		c := n.ask(first)
		if first != "" {
			c.answer("GET")
		}
		c.send("POST /publish?topic=t HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer " + key +
			"\r\nExpect: 100-Continue\r\nContent-Length: 5\r\n\r\n")
		if got := c.until("HTTP/1.1"); got != "100 Continue" {
			t.Errorf("got %q", got)
		}
		c.until("")
		c.send("hello")
		if resp, body := c.answer("POST"); resp.StatusCode != 200 {
			t.Errorf("%s %s", resp.Status, body)
		}
		// A client that may not publish is told so before it sends the body.
		c = n.ask("POST /publish?topic=t HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n")
		if resp, body := c.answer("POST"); resp.StatusCode != 401 {
			t.Errorf("%s %s", resp.Status, body)
		}
	}
}

func TestHeadAndOptions(t *testing.T) {
	t.Parallel()
	n := start(t, func(s *setup) { s.admission.CORSOrigins = []string{"*"} })
	c := n.dial()
	ask := func(method, target string, fields ...string) (*http.Response, string) {
		t.Helper()
		c.send(strings.Replace(get(target, fields...), "GET", method, 1))
		return c.answer(method)
	}
	if resp, body := ask("HEAD", "/events?topic=t"); resp.StatusCode != 200 || body != "" ||
		resp.Header.Get("Content-Type") != "text/event-stream; charset=utf-8" {
		t.Errorf("%s %v %q", resp.Status, resp.Header, body)
	}
	if resp, body := ask("HEAD", "/nope"); resp.StatusCode != 404 || body != "" ||
		resp.ContentLength <= 0 {
		t.Errorf("%s %v %q", resp.Status, resp.Header, body)
	}
	if resp, _ := ask("HEAD", "/publish"); resp.StatusCode != 405 ||
		resp.Header.Get("Allow") != "POST, OPTIONS" {
		t.Errorf("%s %v", resp.Status, resp.Header)
	}
	if resp, body := ask("OPTIONS", "*"); resp.StatusCode/100 != 2 || body != "" {
		t.Errorf("%s %v %q", resp.Status, resp.Header, body)
	}
	if resp, _ := ask("OPTIONS", "/events"); resp.StatusCode != 204 ||
		resp.Header.Get("Allow") != "GET, HEAD, OPTIONS" ||
		resp.Header.Get("Access-Control-Allow-Methods") != "" {
		t.Errorf("%s %v", resp.Status, resp.Header)
	}
	resp, _ := ask("OPTIONS", "/publish", "Origin: https://a.example",
		"Access-Control-Request-Method: POST",
		"Access-Control-Request-Headers: authorization,content-type")
	allowed := strings.ToLower(resp.Header.Get("Access-Control-Allow-Headers"))
	if resp.StatusCode != 204 || resp.Header.Get("Access-Control-Allow-Origin") != "*" ||
		!strings.Contains(resp.Header.Get("Access-Control-Allow-Methods"), "POST") ||
		!strings.Contains(allowed, "authorization") || !strings.Contains(allowed, "content-type") ||
		resp.Header.Get("Access-Control-Expose-Headers") != "Retry-After" {
		t.Errorf("%s %v", resp.Status, resp.Header)
	}
	for asked, want := range map[string]bool{"traceparent, baggage": true, "x-requested-with": true,
		"a\tb": false, "a;b": false, strings.Repeat("a", 1025): false} {
		resp, _ := ask("OPTIONS", "/publish", "Origin: https://a.example",
			"Access-Control-Request-Method: POST", "Access-Control-Request-Headers: "+asked)
		if got := strings.Contains(resp.Header.Get("Access-Control-Allow-Headers"),
			asked); got != want {
			t.Errorf("%.40q is allowed: %v, expected %v", asked, got, want)
		}
	}
}

// A connection that did not come through an intake cannot become a stream.
func TestStreamNeedsAnIntake(t *testing.T) {
	t.Parallel()
	if intake.ConnFrom(t.Context()) != nil {
		t.Error("a connection out of nothing")
	}
}
