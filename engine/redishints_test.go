package engine_test

import (
	"net"
	"strings"
	"testing"
	"time"

	"ssedge/engine"
)

// plainSentinel is a sentinel of a master without replicas.
func plainSentinel(t *testing.T, master *redisServer, lines string) *redisServer {
	t.Helper()
	r := newSentinel(t, master, "m", lines)
	eventually(t, "the sentinel answers", func() bool {
		out := r.cli("PING")
		return strings.Contains(out, "PONG") || strings.Contains(out, "NOAUTH")
	})
	return r
}

// What cannot be used at start is said with what to change.
func TestWhatIsWrongWithServersIsHinted(t *testing.T) {
	t.Parallel()
	tlsPort := freePorts(t, 1)[0]
	open, closed := startRedis(t, secured(t, tlsPort)...), startRedis(t, "--requirepass", "pw")
	asking := plainSentinel(t, open, "requirepass sp")
	knowing := plainSentinel(t, closed, "sentinel auth-pass m pw")
	silent, err := net.Listen("tcp", "127.0.0.1:0") // its queue takes connections
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	for url, says := range map[string]string{
		"redis://" + silent.Addr().
			String(): "what listens there does not answer",
		"redis://127.0.0.1:" +
			tlsPort: "expects TLS (rediss://",
		"redis+cluster://127.0.0.1:" +
			tlsPort: "expects TLS (rediss",
		"redis+sentinel://127.0.0.1:" + tlsPort +
			"/m": "expects TLS (rediss",
		"rediss://" +
			open.address(): "may not know TLS, expected redis://",
		"rediss+cluster://" +
			open.address(): "may not know TLS, expected redis",
		"redis://" +
			closed.address(): "expected user and password in the URL, redis://user:password@",
		"redis://:wrong@" +
			closed.address(): "the user and the password in the URL",
		"redis+sentinel://" + asking.address() +
			"/m": "?sentinel_password=",
		"redis+sentinel://:pw@" + asking.address() +
			"/m": "?sentinel_password=",
		"redis+sentinel://" + asking.address() +
			"/m?sentinel_password=wrong": "?sentinel_password=",
		"redis+sentinel://" + knowing.address() +
			"/m": "password of the master, redis+sentinel://user:password@",
		"redis+sentinel://:wrong@" + knowing.address() +
			"/m": "password of the master, redis+sentinel://user:password@",
		"redis+sentinel://" + open.address() +
			"/m": "no sentinel, expected redis://",
	} {
		c := engine.DefaultConfig()
		c.Dev, c.Listen, c.Admin, c.Redis.URL, c.Redis.Timeout = true, []string{"127.0.0.1:0"}, "",
			url, time.Second
		e, err := engine.New(c)
		if err == nil {
			e.Close()
			t.Errorf("%s: it starts", url)
		} else if text := err.Error(); !strings.Contains(text, says) || strings.Contains(text,
			"\n") {
			t.Errorf("%s: expected %q in: %s", url, says, text)
		}
	}
}
