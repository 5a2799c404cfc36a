package intake_test

import (
	"log/slog"
	"strings"
	"sync"
	"testing"
)

// lines is a log that tests can read.
type lines struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// Whatever the level, the log has the topics of a stream and nothing else of what its client sent:
// there may be credentials in it.
func TestTheLogHasNoCredentials(t *testing.T) {
	t.Parallel()
	log := &lines{}
	n := start(t, func(s *setup) {
		logger := slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug}))
		s.admission.Logger, s.intake.Logger = logger, logger
	})
	for _, request := range []string{
		"GET /events?topic=seen&access_token=hidden-1 HTTP/1.1\r\nHost: x\r\nCookie: s=hidden-2\r\nX-Api-Key: hidden-3\r\n\r\n",
		"GET /events?topic=&jwt=hidden-4 HTTP/1.1\r\nHost: x\r\n\r\n",
		"GET /events?topic=t HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer hidden-5\r\n\r\n",
		"POST /publish?token=hidden-6 HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n",
		"GET /events?topic=t&token=hidden-7 HTTP/1.1\r\nHost x\r\n\r\n",
	} {
		n.ask(request).Read(make([]byte, 1))
	}
	await(t, "the stream is logged", func() bool { return strings.Contains(log.String(), "seen") })
	if text := log.String(); strings.Contains(text, "hidden") {
		t.Errorf("the log has credentials: %s", text)
	}
}
