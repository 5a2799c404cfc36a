package engine_test

import (
	"bytes"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"ssedge/engine"
)

// said is a log that may be read while it is written.
type said struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (s *said) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(b)
}

func (s *said) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

// A server answers, and takes no events: whatever the reason, publishers are told that nothing was stored; readiness, metric, log and
// status say it, until it takes them again; streams stay.
func TestServersThatTakeNoEvents(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		do, undo [][]string
		cause    string
	}{
		"replica":           {[][]string{{"REPLICAOF", "127.0.0.1", "1"}}, [][]string{{"REPLICAOF", "NO", "ONE"}}, "READONLY"},
		"too few replicas":  {[][]string{{"CONFIG", "SET", "min-replicas-to-write", "1"}}, [][]string{{"CONFIG", "SET", "min-replicas-to-write", "0"}}, "NOREPLICAS"},
		"no memory":         {[][]string{{"CONFIG", "SET", "maxmemory-policy", "noeviction"}, {"CONFIG", "SET", "maxmemory", "1"}}, [][]string{{"CONFIG", "SET", "maxmemory", "0"}}, "OOM"},
		"cannot be written": {[][]string{{"CONFIG", "SET", "dir", "/proc"}, {"CONFIG", "SET", "save", "3600 1000000"}, {"BGSAVE"}}, [][]string{{"CONFIG", "SET", "save", ""}, {"CONFIG", "SET", "stop-writes-on-bgsave-error", "no"}}, "MISCONF"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := startRedis(t, "--enable-protected-configs", "local")
			log := &said{}
			n := edge(t, "redis://"+r.address(), func(c *engine.Config) {
				c.RedisProbe, c.ReadyNeedsRedis, c.Logger = 100*time.Millisecond, true, slog.New(slog.NewTextHandler(log, nil))
			})
			st := n.opened(t, topic("x"))
			n.publish(t, "x", "before")
			st.gets(t, "before")
			for _, arguments := range c.do {
				r.cli(arguments...)
			}
			await(t, "publishing to be refused", func() (bool, string) {
				got, err := http.Post("http://"+n.addr+"/publish?topic=other", "text/plain", strings.NewReader("x"))
				if err != nil {
					t.Fatal(err)
				}
				defer got.Body.Close()
				body, _ := io.ReadAll(got.Body)
				return got.StatusCode == 503 && strings.Contains(string(body), "was not stored") && !strings.Contains(string(body), c.cause), got.Status + string(body)
			})
			n.await(t, "ssedge_redis_up", 0)
			if status, body := n.get(t, n.admin, "/readyz"); status != 503 || strings.Contains(body, r.port) {
				t.Errorf("/readyz: %d %s", status, body)
			}
			if _, body := n.get(t, n.admin, "/admin/status"); !strings.Contains(body, c.cause) {
				t.Errorf("/admin/status: %s", body)
			}
			if text := log.String(); strings.Count(text, "takes no events") != 1 || !strings.Contains(text, c.cause) {
				t.Errorf("the log: %s", text)
			}
			for _, arguments := range c.undo {
				r.cli(arguments...)
			}
			n.await(t, "ssedge_redis_up", 1)
			n.publish(t, "x", "after")
			st.gets(t, "after")
			if status, body := n.get(t, n.admin, "/readyz"); status != 200 {
				t.Errorf("/readyz: %d %s", status, body)
			}
			if !strings.Contains(log.String(), "takes events again") {
				t.Errorf("the log: %s", log)
			}
		})
	}
}
