package httpapi_test

import (
	"strings"
	"testing"
)

// What the fields of a publish say of its body is never ignored.
func TestFieldsOfABody(t *testing.T) {
	t.Parallel()
	n := start(t, nil)
	for _, c := range []struct {
		media  string
		coding string
		status int
		says   string
	}{
		{"text/plain; charset=utf-8", "", 200, ""},
		{"text/plain; charset=UTF-8", "identity", 200, ""},
		{"text/plain; charset=\"utf8\"", "", 200, ""},
		{"text/plain; charset=us-ascii", "", 200, ""},
		{"application/x-www-form-urlencoded", "", 200, ""},
		{"text/plain; charset=utf-16le", "", 415, "utf-16le"},
		{"text/plain; charset=iso-8859-1", "", 415, "UTF-8"},
		{"application/json; charset=windows-1252", "", 415, "windows-1252"},
		{"application/x-ndjson; charset=latin1", "", 415, "latin1"},
		{"multipart/form-data; boundary=x", "", 415, "multipart/form-data"},
		{"text/plain; charset", "", 400, "Content-Type"},
		{"text/plain", "gzip", 415, "gzip"},
		{"text/plain", "identity, br", 415, "br"},
	} {
		fields := []string{}
		if c.coding != "" {
			fields = []string{"Content-Encoding", c.coding}
		}
		query := "?topic=t"
		if strings.Contains(c.media, "json") {
			query = ""
		}
		got := n.post(query, c.media, strings.NewReader("x"), fields...)
		if got.status != c.status || c.says != "" && !strings.Contains(got.reason(t), c.says) {
			t.Errorf("%s, %s: %d %s", c.media, c.coding, got.status, got.body)
		}
	}
}

// Repeated fields are read together, and what has no length is no empty event.
func TestFieldsThatAreRepeatedOrMissing(t *testing.T) {
	t.Parallel()
	n := start(t, nil)
	head := "POST /publish?topic=t HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer " + key + "\r\n"
	for request, want := range map[string]int{
		head +
			"Content-Length: 1\r\nContent-Encoding: identity\r\nContent-Encoding: br\r\n\r\nx": 415,
		head + "Content-Length: 1\r\nContent-Type: text/plain\r\nContent-Type: application/json\r\n\r\nx": 400,
		head + "Content-Length: 0\r\n\r\n": 200,
		head + "\r\n":                      200, // HTTP/1.1: no body
		strings.Replace(head, "HTTP/1.1", "HTTP/1.0", 1) + "\r\nhello":                      411,
		strings.Replace(head, "HTTP/1.1", "HTTP/1.0", 1) + "Content-Length: 5\r\n\r\nhello": 200,
	} {
		c := n.dialRaw(request)
		c.closeWrite()
		if resp, body := c.answer(); resp.StatusCode != want {
			t.Errorf("%q: %s %s, expected %d", request, resp.Status, body, want)
		}
	}
}

// The field Idempotency-Key is the key of a request for one event.
func TestIdempotencyKeyField(t *testing.T) {
	t.Parallel()
	n := start(t, nil)
	post := func(query, media, body, key string) said {
		return n.post(query, media, strings.NewReader(body), "Idempotency-Key", key)
	}
	first := post("?topic=t", "", "x", `"k"`).id(t)
	for name, got := range map[string]said{
		"without quotes": post("?topic=t", "", "x", `k`),
		"twice the same": post("?topic=t&key=k", "", "x", `"k"`),
		"in JSON":        post("", "application/json", keyed("t", "", "x"), `"k"`),
		"in JSON, both":  post("", "application/json", keyed("t", "k", "x"), `k`),
		"as a member":    n.json(keyed("t", "k", "x")),
	} {
		if !strings.Contains(got.body, first) || !strings.Contains(got.body, `"duplicate":true`) {
			t.Errorf("%s: %d %s", name, got.status, got.body)
		}
	}
	quoted := post("?topic=t", "", "x", `"a\"b\\c"`).id(t)
	if got := n.json(keyed("t", `a"b\c`, "x")); !strings.Contains(got.body, quoted) {
		t.Errorf("a key with escapes: %s", got.body)
	}
	for name, got := range map[string]said{
		"another key":         post("?topic=t&key=other", "", "x", "k"),
		"another key in JSON": post("", "application/json", keyed("t", "other", "x"), "k"),
		"an array":            post("", "application/json", "["+keyed("t", "", "x")+"]", "k"),
		"lines":               post("", "application/x-ndjson", keyed("t", "", "x"), "k"),
	} {
		if got.status != 400 || !strings.Contains(got.reason(t), "key") &&
			!strings.Contains(got.reason(t), "Key") {
			t.Errorf("%s: %d %s", name, got.status, got.body)
		}
	}
	if got := post("?topic=t", "", "x", strings.Repeat("k", 257)); got.status != 400 {
		t.Errorf("a long key: %d %s", got.status, got.body)
	}
}
