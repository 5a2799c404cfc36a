package proxy

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"regexp"
	"strings"
	"testing"

	"ssedge/engine"
)

// TestUsersOfAPage: with the example of README.md, nginx gives a stream only to users that the
// application knows by a cookie, and only of their own topics. A client's own credentials count for
// nothing, and clients do not publish.
func TestUsersOfAPage(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	example := regexp.MustCompile("(?s)```nginx\n(.*?)```").FindSubmatch(text)
	if example == nil {
		t.Fatal("README.md has no example for nginx")
	}
	application := httptest.NewServer(
		http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if c, err := r.Cookie("session"); err != nil || c.Value != "known" {
				w.WriteHeader(http.StatusUnauthorized)
				return
			}
			stream, err := url.Parse(r.Header.Get("X-Original-URI"))
			if err != nil || len(stream.Query()["topic"]) == 0 {
				w.WriteHeader(http.StatusForbidden)
				return
			}
			for _, topic := range stream.Query()["topic"] {
				if topic != "t" {
					w.WriteHeader(http.StatusForbidden)
					return
				}
			}
			w.WriteHeader(http.StatusNoContent)
		}))
	t.Cleanup(application.Close)
	const key = "a-key-of-this-test"
	e := startEdge(t, func(c *engine.Config) { c.Dev, c.Keys = false, []string{key} })
	added := strings.NewReplacer("Bearer KEY", "Bearer "+key, "http://10.0.0.21:3000",
		application.URL).Replace(string(example[1]))
	address := kinds[0].start(t, []*edge{e},
		edit{"    location / {\n", added + "    location / {\n"})

	for _, c := range []struct {
		target, cookie, authorization string
		status                        int
	}{
		{"/events?topic=t", "known", "", 200},
		{"/events?topic=t", "known", "Bearer of-a-client", 200},
		{"/events?topic=t", "", "", 401},
		{"/events?topic=t", "unknown", "Bearer " + key, 401},
		{"/events?topic=other", "known", "", 403},
		{"/events?topic=t&topic=other", "known", "", 403},
		{"/may-follow", "known", "", 404},
		{"//events?topic=other", "known", "", 403},
		{"/%65vents?topic=other", "known", "", 403},
		{"/publish?topic=t", "known", "Bearer " + key, 403},
	} {
		r, err := http.NewRequest("GET", "http://"+address+c.target, nil)
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasPrefix(c.target, "/publish") {
			r.Method = "POST"
		}
		if c.cookie != "" {
			r.AddCookie(&http.Cookie{Name: "session", Value: c.cookie})
		}
		if c.authorization != "" {
			r.Header.Set("Authorization", c.authorization)
		}
		answer, err := http.DefaultTransport.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		if answer.Body.Close(); answer.StatusCode != c.status {
			t.Errorf("%s, session %q, %q: answered %d, expected %d", c.target, c.cookie,
				c.authorization, answer.StatusCode, c.status)
		}
	}
}
