package httpapi

import (
	"errors"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"ssedge/engine/auth"
	"ssedge/engine/fanin"
	"ssedge/engine/intake"
	"ssedge/proto/eventid"
)

// failing is a source that takes so many events and then none.
type failing struct{ left int }

func (f *failing) Publish(*fanin.Event) (fanin.Receipt, error) {
	if f.left == 0 {
		return fanin.Receipt{}, errors.New("the broker is away")
	}
	f.left--
	return fanin.Receipt{ID: eventid.ID{MS: 7}}, nil
}

func newFailing(takes int, draining bool) *Public {
	return NewPublic(PublicConfig{
		Admission: intake.NewAdmission(intake.AdmissionConfig{}), Authorizer: auth.Open(), Source: &failing{takes},
		Message:   MessageLimits{EventBytes: 1000, TopicBytes: 64, KeyBytes: 64},
		BodyBytes: 10_000, BodyTimeout: time.Second,
		Draining: func() bool { return draining }, Crowded: func() bool { return false }, Refused: func(string) {},
	})
}

// A source that cannot take an event is no fault of the publisher, who is told when
// to come back, and what was taken before.
func TestASourceThatFails(t *testing.T) {
	for _, c := range []struct{ media, body, says string }{
		{"text/plain", "x", "the broker is away"},
		{"application/json", `{"topic":"t","data":1}`, "the broker is away"},
		{"application/json", `[{"topic":"t","data":1},{"topic":"t","data":2}]`, `"published":1`},
		{"application/x-ndjson", "{\"topic\":\"t\",\"data\":1}\n{\"topic\":\"t\",\"data\":2}\n", `"published":1`},
	} {
		r := httptest.NewRequest("POST", "/publish?topic=t", strings.NewReader(c.body))
		r.Header.Set("Content-Type", c.media)
		w := httptest.NewRecorder()
		newFailing(strings.Count(c.says, "published"), false).ServeHTTP(w, r)
		if w.Code != 503 || w.Header().Get("Retry-After") == "" || !strings.Contains(w.Body.String(), c.says) {
			t.Errorf("%s %s: %d %v %s", c.media, c.body, w.Code, w.Header(), w.Body)
		}
	}
}

// Who publishes to a server that drains is sent elsewhere: its streams would not get
// the event any more.
func TestPublishingToADrainingServer(t *testing.T) {
	w := httptest.NewRecorder()
	newFailing(1, true).ServeHTTP(w, httptest.NewRequest("POST", "/publish?topic=t", strings.NewReader("x")))
	if w.Code != 503 || w.Header().Get("Retry-After") == "" || !strings.Contains(w.Body.String(), "going away") {
		t.Errorf("%d %v %s", w.Code, w.Header(), w.Body)
	}
}
