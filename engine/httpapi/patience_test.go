package httpapi_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ssedge/engine"
)

// A body that never comes holds a place for no longer than the body timeout, whatever
// was asked for, and with whatever key.
func TestBodiesThatNeverComeAreGivenUp(t *testing.T) {
	t.Parallel()
	n := start(t, func(c *engine.Config) {
		c.BodyTimeout, c.HTTPIdle = 300*time.Millisecond, time.Hour
	})
	auth := "Authorization: Bearer " + key + "\r\n"
	var all []*rawConn
	requests := []string{
		"POST /publish HTTP/1.1\r\nHost: a\r\n",
		"POST /publish HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer wrong\r\n",
		"POST /publish HTTP/1.1\r\nHost: a\r\n" + auth,
		"POST /publish?topic=t HTTP/1.1\r\nHost: a\r\n" + auth,
		"POST /publish HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n" + auth,
		"POST /publish HTTP/1.1\r\nHost: a\r\nContent-Type: application/x-ndjson\r\n" + auth,
		"POST /publish HTTP/1.1\r\nHost: a\r\nContent-Type: a b\r\n" + auth,
		"POST /nope HTTP/1.1\r\nHost: a\r\n",
		"DELETE /events HTTP/1.1\r\nHost: a\r\n",
		"GET /events?topic=t HTTP/1.1\r\nHost: a\r\n" + auth,
		"HEAD /events?topic=t HTTP/1.1\r\nHost: a\r\n" + auth,
		"OPTIONS /publish HTTP/1.1\r\nHost: a\r\n",
		"OPTIONS * HTTP/1.1\r\nHost: a\r\n",
	}
	for _, request := range requests {
		all = append(all, n.dialRaw(request+"Content-Length: 10\r\n\r\n"),
			n.dialRaw(request+"Transfer-Encoding: chunked\r\n\r\n"))
	}
	for i, c := range all {
		if answer, err := io.ReadAll(c.r); err != nil && !strings.Contains(err.Error(), "reset") {
			t.Errorf("%.40q (%d) is not given up: %v after %.60q", requests[i/2], i%2, err, answer)
		}
	}
}

// HEAD is answered as a GET would begin, and needs what that would need.
func TestHeadOfAStream(t *testing.T) {
	t.Parallel()
	n := start(t, func(c *engine.Config) { c.Anonymous = []string{"news"} })
	for target, want := range map[string]int{"topic=private": 401, "topic=news": 200, "": 400,
		"topic=news&topic=private": 401} {
		c := n.dialRaw("HEAD /events?" + target +
			" HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
		if resp, _ := c.head(); resp.StatusCode != want {
			t.Errorf("%s: %s, expected %d", target, resp.Status, want)
		}
	}
}

// Answers that the client does not read hold a place for no longer than they may take. Over a unix
// socket, for TCP has a timeout of its own.
func TestAnswersThatAreNotReadAreGivenUp(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "s")
	start(t, func(c *engine.Config) {
		c.BodyTimeout = 200 * time.Millisecond
		c.Listen = append(c.Listen, "unix:"+path)
	})
	c, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetWriteDeadline(time.Now().Add(20 * time.Second))
	for err == nil { // until the server hangs up, or for too long
		_, err = io.WriteString(c, strings.Repeat("GET /nope HTTP/1.1\r\nHost: a\r\n\r\n", 1000))
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("the connection is held: %v", err)
	}
}

// A publisher may be slow, as long as it is not silent.
func TestASlowBodyIsTaken(t *testing.T) {
	t.Parallel()
	n := start(t, func(c *engine.Config) { c.BodyTimeout = 2 * time.Second })
	text := `{"topic":"t","data":"slow"}`
	all := map[string]*rawConn{}
	for media, query := range map[string]string{"application/json": "", "application/x-ndjson": "",
		"text/plain": "?topic=t"} {
		all[media] = n.dialRaw(fmt.Sprintf("POST /publish%s HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer %s\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n",
			query, key, media, len(text)))
	}
	for i := range len(text) { // 2.7 s in all
		time.Sleep(100 * time.Millisecond)
		for _, c := range all {
			io.WriteString(c, text[i:i+1])
		}
	}
	for media, c := range all {
		if resp, body := c.answer(); resp.StatusCode != 200 {
			t.Errorf("%s: %s %s", media, resp.Status, body)
		}
	}
}
