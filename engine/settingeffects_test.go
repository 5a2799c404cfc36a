package engine_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"ssedge/engine"
)

// What TestEverySettingInBothModes looks at.

// locked is a node that is none of development.
func locked(c *engine.Config) { c.Dev, c.Keys = false, []string{"key"} }

func send(t *testing.T, n *node, method, path, body string, fields ...string) (status int,
	text string) {
	t.Helper()
	r, err := http.NewRequest(method, "http://"+n.addr+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for k := 0; k+1 < len(fields); k += 2 {
		r.Header.Set(fields[k], fields[k+1])
	}
	got, err := n.http.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer got.Body.Close()
	answer, _ := io.ReadAll(got.Body)
	return got.StatusCode, string(answer)
}

func refuses(method, path, body string, status int) func(*testing.T, *node) {
	return func(t *testing.T, n *node) {
		t.Helper()
		if got, text := send(t, n, method, path, body); got != status {
			t.Errorf("%s %.40s: expected %d, found %d %s", method, path, status, got, text)
		}
	}
}

func refusesJSON(body string, status int) func(*testing.T, *node) {
	return func(t *testing.T, n *node) {
		if got, text := send(t, n, "POST", "/publish", body, "Content-Type",
			"application/json"); got != status {
			t.Errorf("expected %d, found %d %s", status, got, text)
		}
	}
}

func refusesHead(bytes, status int) func(*testing.T, *node) {
	return func(t *testing.T, n *node) {
		head := "GET /events?topic=x HTTP/1.1\r\nHost: localhost\r\nX: " +
			strings.Repeat("x", bytes) + "\r\n\r\n"
		if got := n.statusOf(t, "", head); got != status {
			t.Errorf("expected %d, found %d", status, got)
		}
	}
}

func refusesFields(fields, status int) func(*testing.T, *node) {
	return func(t *testing.T, n *node) {
		head := "GET /events?topic=x HTTP/1.1\r\nHost: localhost\r\n" +
			strings.Repeat("X: x\r\n", fields) + "\r\n"
		if got := n.statusOf(t, "", head); got != status {
			t.Errorf("expected %d, found %d", status, got)
		}
	}
}

func answersKey(key string, status int) func(*testing.T, *node) {
	return func(t *testing.T, n *node) {
		if got, text := send(t, n, "POST", "/publish?topic=t", "x", "Authorization",
			"Bearer "+key); got != status {
			t.Errorf("expected %d, found %d %s", status, got, text)
		}
	}
}

func opens(name string) func(*testing.T, *node) {
	return func(t *testing.T, n *node) { n.opened(t, topic(name)) }
}

// reconnection is the reconnection time that a stream opens with.
func reconnection(t *testing.T, n *node) string {
	t.Helper()
	st := n.opened(t, topic("x"))
	ms, _ := st.decoder.RetryMS()
	return fmt.Sprintf("retry: %d\n", ms)
}

func opensWith(line string) func(*testing.T, *node) {
	return func(t *testing.T, n *node) {
		if got := reconnection(t, n); got != line {
			t.Errorf("expected %q, found %q", line, got)
		}
	}
}

func opensWithout(line string) func(*testing.T, *node) {
	return func(t *testing.T, n *node) {
		if got := reconnection(t, n); got == line {
			t.Errorf("found %q", got)
		}
	}
}

func shows(path, text string) func(*testing.T, *node) {
	return func(t *testing.T, n *node) {
		await(t, text, func() (bool, string) {
			code, body := n.get(t, n.admin, path)
			return code == 200 && strings.Contains(body, text), body
		})
	}
}

func metric(name string, value float64) func(*testing.T, *node) {
	return func(t *testing.T, n *node) { works(t, n); n.await(t, name, value) }
}

// works checks that an event goes through.
func works(t *testing.T, n *node) {
	t.Helper()
	st := n.opened(t, topic("works"))
	n.publish(t, "works", "hello")
	st.gets(t, "hello")
}

func holdsOne(t *testing.T, n *node) {
	n.opened(t, topic("x"))
	refuses("GET", "/events?topic=x", "", 503)(t, n)
}

// forgets publishes so many events of so many bytes, and wants a client of the first one to be told
// a gap.
func forgets(events, size int) func(*testing.T, *node) {
	return func(t *testing.T, n *node) {
		all := n.publishAll(t, "t", numbered(events, size))
		m, err := n.opened(t, after("t", all[0].id)).next()
		if err != nil || m.Event != "gap" {
			t.Errorf("found %+v, %v: expected a gap", m, err)
		}
	}
}

// resumesAtTheNewest wants a client that comes back too late to go on with the newest event.
func resumesAtTheNewest(t *testing.T, n *node) {
	all := n.publishAll(t, "t", numbered(2000, 100))
	st := n.opened(t, after("t", all[0].id))
	got, err := st.take(2)
	if err != nil || got[0].Event != "gap" || got[1].LastEventID != all[len(all)-1].id {
		t.Errorf("found %+v, %v: expected a gap, and the newest event", got, err)
	}
}

// holdsLess publishes so many events of so many bytes, and wants the node to hold less: with Redis
// others may still be there.
func holdsLess(events, size int) func(*testing.T, *node) {
	return func(t *testing.T, n *node) {
		st := n.opened(t, topic("t"))
		for range events / 20 { // less than a burst that all get whole
			n.publishAll(t, "t", numbered(20, size))
			if _, err := st.take(20); err != nil {
				t.Fatal(err)
			}
		}
		if held := n.metrics(t)["ssedge_history_bytes"]; held == 0 ||
			held > float64(events*size*3/4) {
			t.Errorf("%v bytes are held of %d", held, events*size)
		}
	}
}
