package intake_test

import (
	"bufio"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// fieldsOf reads the status line and the fields of an answer as they are sent: net/http's reader
// takes Connection away.
func (c *client) fieldsOf() (status string, fields map[string]string) {
	c.t.Helper()
	fields = map[string]string{}
	for {
		line, err := c.r.ReadString('\n')
		if err != nil {
			c.t.Fatalf("no answer: %v", err)
		}
		line = strings.TrimSuffix(line, "\r\n")
		switch name, value, ok := strings.Cut(line, ":"); {
		case line == "":
			return status, fields
		case ok:
			fields[strings.ToLower(name)] += strings.TrimSpace(value)
		default:
			status = line
		}
	}
}

// If an answer's body ends with the connection, or its connection ends with the body, the answer
// says so, whatever the request said (RFC 9112 9.3, 9.6). Otherwise a proxy would send its next
// request on it.
func TestABodyThatEndsWithTheConnectionSaysSo(t *testing.T) {
	t.Parallel()
	for _, chunks := range []bool{false, true} {
		n := start(t, func(s *setup) { s.admission.Chunked = chunks })
		streams := 0
		for _, first := range []string{"", get("/nope")} {
			for _, target := range []string{"/events?topic=t", "/events?topic=a&topic=b",
				"/events?topic=t&last_event_id=earliest", "/events", "/nope", "/publish"} {
				for _, method := range []string{"GET", "HEAD", "POST", "OPTIONS"} {
					for _, line := range []string{" HTTP/1.1\r\nHost: a\r\n", " HTTP/1.0\r\n"} {
						for _, fields := range []string{
							"", "Connection: keep-alive\r\n", "Connection: close\r\n",
							"Connection: keep-alive, x\r\nUpgrade: x\r\n",
							"Keep-Alive: timeout=60\r\n",
						} {
							c := n.ask(first)
							if first != "" {
								c.answer("GET")
							}
							request := method + " " + target + line + fields + "\r\n"
							c.send(request)
							status, said := c.fieldsOf()
							_, length := said["content-length"]
							stream := said["content-type"] != "" &&
								strings.HasPrefix(said["content-type"], "text/event-stream") &&
								method == "GET"
							bodiless := method == "HEAD" || strings.Contains(status, " 204 ")
							old := strings.HasPrefix(status, "HTTP/1.0 ") &&
								said["connection"] == ""
							if stream {
								streams++
							}
							if (stream || !bodiless && !length) && said["connection"] != "close" &&
								!old {
								t.Errorf("%q: %s, Connection: %q", request, status,
									said["connection"])
							}
							if stream && (said["transfer-encoding"] == "chunked") != (chunks &&
								strings.Contains(line, "1.1")) {
								t.Errorf("%q: Transfer-Encoding: %q", request,
									said["transfer-encoding"])
							}
							c.Close()
						}
					}
				}
			}
		}
		if streams != 2*3*2*5 {
			t.Errorf("%d streams", streams)
		}
		n.quiet()
	}
}

// A body without content counts as none, however it is announced and wherever it is cut. A single
// byte of content is refused.
func TestABodyWithoutContentIsNone(t *testing.T) {
	t.Parallel()
	n := start(t, nil)
	chunked := get("/events?topic=t", "Transfer-Encoding: chunked")
	var all []*client
	streams := 0
	for _, first := range []string{"", get("/nope")} {
		for _, c := range []struct {
			head, body string
			stream     bool
		}{
			{get("/events?topic=t", "Content-Length: 0"), "", true},
			{get("/events?topic=t", "Content-Length: 000"), "", true},
			{chunked, "0\r\n\r\n", true},
			{get("/events?topic=t", "transfer-encoding:  CHUNKED "), "0\r\n\r\n", true},
			{chunked, "00;a=b\r\nX: y\r\n\r\n", true},
			{get("/events?topic=t", "Transfer-Encoding: chunked", "Expect: 100-continue"),
				"0\r\n\r\n", true},
			{chunked, "1\r\nx\r\n0\r\n\r\n", false},
			{chunked, "5\r\nhello", false},
			{get("/events?topic=t", "Content-Length: 1"), "x", false},
		} {
			request := c.head + c.body
			for cut := len(c.head) - 2; cut <= len(request); cut++ {
				cl := n.ask(first)
				if first != "" {
					cl.answer("GET")
				}
				cl.send(request[:cut])
				all = append(all, cl)
				go cl.Write([]byte(request[cut:]))
				if strings.Contains(c.head, "Expect") {
					if got := cl.until("HTTP/1.1 "); got == "100 Continue" {
						cl.until("")
					} else if got != "200 OK" {
						t.Errorf("%q: %s", request, got)
					} else {
						cl.r = bufio.NewReader(
							strings.NewReader("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\nretry: 1\n"))
					}
				}
				if c.stream {
					streams++
					cl.stream()
					continue
				}
				resp, body := cl.answer("GET")
				checkRefusal(t, resp, body, 400, "no body")
			}
		}
	}
	await(t, "every request without content is a stream", func() bool {
		return int(n.admission.Accepted.Load()) == streams
	})
	n.publish("t", "x")
	for _, c := range all {
		c.Close()
	}
	n.quiet()
}

// Only the plain spelling of a path is served, on new connections and on kept ones, because a proxy
// that denies by path compares it as it is sent.
func TestOnlyThePlainSpellingOfAPathIsServed(t *testing.T) {
	t.Parallel()
	n := start(t, func(s *setup) { s.dev = true })
	for _, path := range []string{"/publish", "/events", "/"} {
		method := map[string]string{"/publish": "POST"}[path]
		if method == "" {
			method = "GET"
		}
		var spellings []string
		for k := 1; k < len(path); k++ { // each letter escaped, in both cases of the digits
			for _, digits := range []string{"0123456789abcdef", "0123456789ABCDEF"} {
				spellings = append(spellings, path[:k]+"%"+string(digits[path[k]>>4])+
					string(digits[path[k]&15])+path[k+1:])
			}
		}
		spellings = append(spellings, "/"+path, "/."+path, "/x/.."+path, "/%2e"+path, "/%2f"+path,
			path+"/.", path+"%2f", path+"%20", path+"%3f", path+"%09", path+";a=b", path+".")
		if path != "/" {
			spellings = append(spellings, path+"/", path+"//", strings.ToUpper(path),
				path+"/..;"+path)
		}
		slices.Sort(spellings)
		for _, s := range slices.Compact(spellings) {
			for _, target := range []string{s, "http://localhost" + s} {
				for _, first := range []string{"", get("/nope")} {
					c := n.ask(strings.ReplaceAll(first, "Host: a", "Host: localhost"))
					if first != "" {
						c.answer("GET")
					}
					c.send(method + " " + target +
						"?topic=t HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer " + key +
						"\r\nContent-Length: 0\r\n\r\n")
					if resp, body := c.answer(method); resp.StatusCode != 404 {
						t.Errorf("%s %s: %s %s", method, target, resp.Status, body)
					}
					c.Close()
				}
			}
		}
		for _, target := range []string{path, "http://localhost" + path, "HTTPS://localhost" +
			path} {
			// RFC 9112 3.2.2
			c := n.ask(method + " " + target +
				"?topic=t HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer " + key +
				"\r\nContent-Length: 0\r\n\r\n")
			resp, err := http.ReadResponse(c.r, nil)
			if err != nil || resp.StatusCode != 200 {
				t.Errorf("%s %s: %v %v", method, target, resp, err)
			}
			c.Close()
		}
	}
	n.quiet()
}
