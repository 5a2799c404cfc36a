package httpapi

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"ssedge/engine/auth"
	"ssedge/engine/fanin"
	"ssedge/engine/intake"
	"ssedge/proto/eventid"
	"ssedge/proto/rule"
)

// errAway is what a source says of its servers.
var errAway = errors.New("redis does not take the event: dial tcp 10.0.0.5:6379: connect: connection refused")

// failing is a source that takes so many events and then none.
type failing struct{ left int }

func (f *failing) Publish(*fanin.Event) (fanin.Receipt, error) {
	if f.left == 0 {
		return fanin.Receipt{}, errAway
	}
	f.left--
	return fanin.Receipt{ID: eventid.ID{MS: 7}}, nil
}

func newFailing(takes int, draining bool, log io.Writer) *Public {
	return NewPublic(PublicConfig{
		Admission: intake.NewAdmission(intake.AdmissionConfig{}), Authorizer: auth.Open(),
		Source:     &failing{takes},
		Rule:       rule.Limits{EventBytes: 1000, TopicBytes: 64, KeyBytes: 64},
		BodyLimits: BodyLimits{BodyBytes: 10_000, PublishBytes: 1 << 20, BodyTimeout: time.Second},
		Logger:     slog.New(slog.NewTextHandler(log, nil)),
		Draining:   func() bool { return draining }, Refused: func(string) {},
	})
}

// A source that cannot take an event is no fault of the publisher, which is told when
// to come back, and what was taken before. It is told nothing of the servers behind this one:
// that stands in the log.
func TestASourceThatFails(t *testing.T) {
	for _, c := range []struct {
		query, media, body string
		takes              int
		says               string
	}{
		{"?topic=t", "text/plain", "x", 0, "with a key"},
		{"", "application/json", `{"topic":"t","data":1}`, 0, "may or may not have been stored"},
		{"", "application/json", `[{"topic":"t","data":1},{"topic":"t","data":2}]`, 1,
			`"published":1`},
		{"", "application/x-ndjson", "{\"topic\":\"t\",\"data\":1}\n{\"topic\":\"t\",\"data\":2}\n",
			1, `"published":1`},
	} {
		r := httptest.NewRequest("POST", "/publish"+c.query, strings.NewReader(c.body))
		r.Header.Set("Content-Type", c.media)
		w := httptest.NewRecorder()
		var log strings.Builder
		newFailing(c.takes, false, &log).ServeHTTP(w, r)
		if w.Code != 503 || w.Header().Get("Retry-After") == "" ||
			!strings.Contains(w.Body.String(), c.says) {
			t.Errorf("%s %s: %d %v %s", c.media, c.body, w.Code, w.Header(), w.Body)
		}
		if body := w.Body.String(); !strings.Contains(body, perhapsStored.Reason) ||
			strings.Contains(body, "10.0.0.5") || strings.Contains(body, "redis") {
			t.Errorf("%s %s is answered %s", c.media, c.body, body)
		}
		if !strings.Contains(log.String(), "10.0.0.5:6379") {
			t.Errorf("%s %s: the log is %q", c.media, c.body, &log)
		}
	}
}

// A publisher is told when an event was certainly not stored: it may come back with it.
func TestASourceThatHasStoredNothing(t *testing.T) {
	p := newFailing(0, false, io.Discard)
	p.config.Source = refusing{}
	r := httptest.NewRequest("POST", "/publish?topic=t", strings.NewReader("x"))
	w := httptest.NewRecorder()
	p.ServeHTTP(w, r)
	if w.Code != 503 || w.Header().Get("Retry-After") == "" ||
		!strings.Contains(w.Body.String(), "the event was not stored") ||
		strings.Contains(w.Body.String(), "READONLY") {
		t.Errorf("%d %v %s", w.Code, w.Header(), w.Body)
	}
}

type refusing struct{}

func (refusing) Publish(*fanin.Event) (fanin.Receipt, error) {
	return fanin.Receipt{}, fmt.Errorf("READONLY: %w", fanin.ErrNotStored)
}

// However many publishes fail, there are few log lines, and each says how many failures had none.
func TestOutagesAreLoggedAtABoundedRate(t *testing.T) {
	var o outages
	var log strings.Builder
	began := time.Now()
	for i := range 1000 {
		o.log(slog.New(slog.NewTextHandler(&log, nil)), began.Add(time.Duration(i)*outagePause/400),
			errAway)
	}
	lines := strings.Split(strings.TrimSpace(log.String()), "\n")
	if len(lines) != 3 || !strings.Contains(lines[0], "not_logged_before=0") ||
		!strings.Contains(lines[1], "not_logged_before=399") ||
		!strings.Contains(lines[2], "not_logged_before=399") {
		t.Errorf("found %q", lines)
	}
}

// caused is an error with a cause.
type caused string

func (c caused) Error() string { return "no: " + string(c) }
func (c caused) Cause() string { return string(c) }

// A cause that comes up while another one lasts has its line, too; very many causes have not.
func TestEachCauseOfAnOutageIsLogged(t *testing.T) {
	var o outages
	var log strings.Builder
	began := time.Now()
	fail := func(k int, cause string) {
		o.log(slog.New(slog.NewTextHandler(&log, nil)),
			began.Add(time.Duration(k)*time.Millisecond),
			fmt.Errorf("publishing: %w", caused(cause)))
	}
	for k := range 300 {
		fail(k, []string{"full", "wrongtype a", "wrongtype b"}[k%3])
	}
	if n := strings.Count(log.String(), "\n"); n != 3 {
		t.Errorf("%d lines, expected 3: %s", n, &log)
	}
	for k := range 1000 {
		fail(k, fmt.Sprint("cause ", k))
	}
	if n := strings.Count(log.String(), "\n"); n != outageLines {
		t.Errorf("%d lines, expected %d", n, outageLines)
	}
}

// A client that publishes to a draining server is sent elsewhere: its streams would not get
// the event any more.
func TestPublishingToADrainingServer(t *testing.T) {
	w := httptest.NewRecorder()
	newFailing(1, true, io.Discard).
		ServeHTTP(w, httptest.NewRequest("POST", "/publish?topic=t", strings.NewReader("x")))
	if w.Code != 503 || w.Header().Get("Retry-After") == "" ||
		!strings.Contains(w.Body.String(), "going away") {
		t.Errorf("%d %v %s", w.Code, w.Header(), w.Body)
	}
}
