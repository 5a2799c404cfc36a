package httpapi_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"ssedge/engine"
)

func (n *node) get(path string, fields ...string) said {
	n.t.Helper()
	r, err := http.NewRequest("GET", n.url+path, nil)
	if err != nil {
		n.t.Fatal(err)
	}
	for i := 0; i < len(fields); i += 2 {
		r.Header.Set(fields[i], fields[i+1])
	}
	return n.do(r)
}

// Publishing needs one of the keys, in each form, before anything is read.
func TestPublishingNeedsAKey(t *testing.T) {
	t.Parallel()
	n := start(t, nil)
	for contentType, query := range map[string]string{"": "?topic=t", "application/json": "",
		"application/x-ndjson": ""} {
		body := `{"topic":"t","data":1}`
		for _, good := range []string{"Bearer " + key, "bearer old-key", "BEARER  " + key + " "} {
			if got := n.post(query, contentType, strings.NewReader(body), "Authorization",
				good); got.status != 200 {
				t.Errorf("%q: %d %s", good, got.status, got.body)
			}
		}
		for _, wrong := range []string{
			"", " ", "Bearer", "Bearer ", "Bearer wrong", "Bearer " + key + "x",
			"Bearer " + key[1:], "Basic " + key, key,
			"Bearer" + key, "Bearer " + key + "," + key, "Token " + key, "Bearer \"" + key + "\"",
			"Bearer old-key " + key,
		} {
			// before the query is looked at
			got := n.post("?topic=t", contentType, strings.NewReader(body), "Authorization", wrong)
			if got.status != 401 || !strings.HasPrefix(got.header.Get("WWW-Authenticate"),
				"Bearer") {
				t.Errorf("%q: %d %s", wrong, got.status, got.body)
			}
			got.reason(t)
		}
		c := n.dialRaw("POST /publish?topic=t HTTP/1.1\r\nHost: a\r\nContent-Type: " + contentType +
			"\r\nContent-Length: 100000000\r\n\r\n")
		if resp, body := c.answer(); resp.StatusCode != 401 {
			t.Errorf("no key: %s %s", resp.Status, body)
		}
	}
}

// What is not public needs a key; a key that is not valid is never taken for none.
func TestSubscribing(t *testing.T) {
	t.Parallel()
	n := start(t, func(c *engine.Config) { c.Anonymous = []string{"public/*", "news"} })
	for _, query := range []string{"topic=public/a", "topic=news", "topic=news&topic=public/",
		"topic=public%2Fx"} {
		n.subscribe(query)
		n.subscribe(query, "Authorization: Bearer old-key")
		if got := n.get("/events?"+query, "Authorization", "Bearer wrong"); got.status != 401 ||
			!strings.Contains(got.reason(t), "not valid") {
			t.Errorf("%s with an invalid key: %d %s", query, got.status, got.body)
		}
		if got := n.get("/events?"+query, "Authorization", ""); got.status != 401 {
			t.Errorf("%s with empty credentials: %d %s", query, got.status, got.body)
		}
	}
	for _, query := range []string{"topic=private", "topic=public", "topic=newsy",
		"topic=news&topic=private", "topic=private&topic=news", "topic=xpublic/a",
		"topic=Public/a"} {
		got := n.get("/events?" + query)
		if got.status != 401 || got.header.Get("WWW-Authenticate") == "" ||
			!strings.Contains(got.reason(t), "need a key") {
			t.Errorf("%s: %d %s", query, got.status, got.body)
		}
		n.subscribe(query, "Authorization: Bearer "+key)
	}
}

// Credentials of another scheme count as none, for subscribing and for publishing, on new
// connections and on kept ones. They are not meant for us: a site behind HTTP Basic may have public
// topics.
func TestCredentialsOfAnotherScheme(t *testing.T) {
	t.Parallel()
	n := start(t, func(c *engine.Config) { c.Anonymous = []string{"news"} })
	for _, other := range []string{"Basic YTpi", "bAsIc " + key,
		"Digest username=\"a\", response=\"b\"", "Negotiate YII=", "Token " + key,
		"Basic YTpi, Bearer " + key} {
		field := "Authorization: " + other
		n.subscribe("topic=news", field)
		n.subscribeKept("topic=news", "authorization:\t"+other+" ")
		for _, got := range []said{
			n.get("/events?topic=private", "Authorization", other),
			n.get("/events?topic=news&topic=private", "Authorization", other),
			n.post("?topic=news", "text/plain", strings.NewReader("x"), "Authorization", other),
		} {
			if got.status != 401 || got.header.Get("WWW-Authenticate") != `Bearer realm="ssedge"` ||
				!strings.Contains(got.reason(t), "Bearer KEY") {
				t.Errorf("%s: %d %s", other, got.status, got.body)
			}
		}
		for topic, status := range map[string]int{"news": 200, "private": 401} {
			c := n.dialRaw("HEAD /events?topic=" + topic + " HTTP/1.1\r\nHost: a\r\n" + field +
				"\r\n\r\n")
			if resp, err := c.head(); err != nil || resp.StatusCode != status {
				t.Errorf("HEAD of %s with %s: %v, %v", topic, other, resp, err)
			}
		}
	}
	for _, ours := range []string{"bEaReR " + key, "Bearer   " + key + "  "} {
		n.subscribe("topic=private", "Authorization: "+ours)
		n.subscribeKept("topic=private", "Authorization: "+ours)
	}
	for _, wrong := range []string{"bEaReR wrong", "Bearer", "Bearer" + key, "bearer:" + key,
		"Bearer " + key + ", Basic YTpi", key} {
		if got := n.get("/events?topic=news", "Authorization", wrong); got.status != 401 ||
			got.header.Get("WWW-Authenticate") == "" {
			t.Errorf("%s: %d %s", wrong, got.status, got.body)
		}
	}
	// Two fields are always refused, since one reader takes the first and another the last.
	for _, request := range []string{"GET /events?topic=news", "POST /publish?topic=news"} {
		c := n.dialRaw(request +
			" HTTP/1.1\r\nHost: a\r\nAuthorization: Basic YTpi\r\nauthorization: Bearer " + key +
			"\r\n\r\n")
		if resp, body := c.answer(); resp.StatusCode != 400 ||
			!strings.Contains(body, "Authorization") {
			t.Errorf("%s with two: %s %s", request, resp.Status, body)
		}
	}
}

// A client that may not read a topic does not make one.
func TestRefusedSubscriberMakesNoTopic(t *testing.T) {
	t.Parallel()
	n := start(t, func(c *engine.Config) { c.Anonymous, c.TopicsMax = nil, 1 })
	for i := range 5 {
		n.get(fmt.Sprintf("/events?topic=%d", i))
	}
	n.raw("t", "x").id(t)
}

// A development server takes events from its own page and from programs, not from
// a page that is open in another tab.
func TestDevelopmentServerAndOtherPages(t *testing.T) {
	t.Parallel()
	n := start(t, func(c *engine.Config) {
		dev(c)
		c.CORSOrigins = []string{"https://friend.example"}
	})
	publish := func(origin string) said {
		fields := []string{"Authorization", ""}
		if origin != "" {
			fields = append(fields, "Origin", origin)
		}
		return n.post("?topic=t", "text/plain", strings.NewReader("x"), fields...)
	}
	for _, origin := range []string{"", n.url, strings.ToUpper(n.url), "https://friend.example"} {
		if got := publish(origin); got.status != 200 {
			t.Errorf("from %q: %d %s", origin, got.status, got.body)
		}
	}
	for _, origin := range []string{"https://evil.example", "null", "http://127.0.0.1", n.url + "0",
		"http://evil.example@" + n.addr + ".evil", "file://", "http://" + n.addr + ".evil.example",
		"not a url"} {
		if got := publish(origin); got.status != 403 ||
			!strings.Contains(got.reason(t), "--cors-origin") {
			t.Errorf("from %q: %d %s", origin, got.status, got.body)
		}
	}
	for _, request := range []string{"POST /publish?topic=t", "GET /events?topic=t", "GET /",
		"OPTIONS *"} {
		c := n.dialRaw(request + " HTTP/1.1\r\nHost: evil.example\r\nOrigin: http://evil.example\r\nContent-Length: 0\r\n\r\n")
		if resp, body := c.answer(); resp.StatusCode != 421 ||
			!strings.Contains(body, "localhost") {
			t.Errorf("%s under a name that was made to resolve to this machine: %s %s", request,
				resp.Status, body)
		}
	}
	c := n.dialRaw("POST /publish?topic=t HTTP/1.0\r\nOrigin: null\r\nContent-Length: 1\r\n\r\nx")
	if resp, body := c.answer(); resp.StatusCode != 403 {
		t.Errorf("from null, without a Host: %s %s", resp.Status, body)
	}
	n.subscribe("topic=t", "Authorization: Bearer whatever")
}

// The page is for development only.
func TestPage(t *testing.T) {
	t.Parallel()
	n := start(t, dev)
	got := n.get("/")
	if got.status != 200 || !strings.Contains(got.body, "EventSource") ||
		!strings.Contains(got.header.Get("Content-Security-Policy"), "default-src 'none'") ||
		got.header.Get("X-Content-Type-Options") != "nosniff" {
		t.Errorf("%d %v", got.status, got.header)
	}
	c := n.dialRaw("GET http://" + n.addr + " HTTP/1.1\r\nHost: a\r\n\r\n")
	if resp, _ := c.answer(); resp.StatusCode != 200 {
		t.Errorf("without a path: %s", resp.Status)
	}
	if got := start(t, nil).get("/"); got.status != 404 {
		t.Errorf("%d", got.status)
	}
}

// Nothing that a client says comes back where it could be taken for something else.
func TestNothingIsReflectedIntoHeads(t *testing.T) {
	t.Parallel()
	n := start(t, func(c *engine.Config) { c.CORSOrigins = []string{"https://good.example"} })
	const evil = "%0d%0aX-Evil:%201%0d%0a%0d%0a<script>"
	for _, path := range []string{"/" + evil, "/events?topic=" + evil,
		"/events?topic=t&last_event_id=" + evil, "/events?" + evil, "/publish?topic=" + evil} {
		for _, method := range []string{"GET", "POST", "OPTIONS", "DELETE"} {
			c := n.dialRaw(method + " " + path + " HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer " +
				key + "\r\nContent-Type: x/y; " +
				"evil\r\nContent-Length: 0\r\nOrigin: https://evil.example\r\n\r\n")
			resp, err := http.ReadResponse(c.r, nil)
			if err != nil {
				t.Fatal(err)
			}
			if resp.Header.Get("X-Evil") != "" ||
				resp.Header.Get("Access-Control-Allow-Origin") != "" ||
				strings.Contains(fmt.Sprint(resp.Header), "evil") {
				t.Errorf("%s %s: %v", method, path, resp.Header)
			}
		}
	}
}
