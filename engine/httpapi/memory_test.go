package httpapi

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"ssedge/engine/auth"
	"ssedge/engine/fanin"
	"ssedge/engine/intake"
	"ssedge/proto/eventid"
	"ssedge/proto/rule"
)

// during is a source that does something with each event.
type during func()

func (d during) Publish(*fanin.Event) (fanin.Receipt, error) {
	d()
	return fanin.Receipt{ID: eventid.ID{MS: 1 << 40, Seq: 7}}, nil
}

const (
	bodyMax  = 1 << 20
	eventMax = 128 << 10
)

func withMemory(max int64, source fanin.Publisher) *Public {
	return NewPublic(PublicConfig{
		Admission: intake.NewAdmission(intake.AdmissionConfig{}), Authorizer: auth.Open(),
		Source:     source,
		Rule:       rule.Limits{EventBytes: eventMax, TopicBytes: 64, KeyBytes: 64},
		BodyLimits: BodyLimits{BodyBytes: bodyMax, PublishBytes: max, BodyTimeout: time.Minute},
		Logger:     slog.New(slog.NewTextHandler(io.Discard, nil)),
		Draining:   func() bool { return false }, Refused: func(string) {},
	})
}

// form is a body of a media type, with its query.
type form struct{ query, media, body string }

// array is one of that many bytes at most, of the same event.
func array(event string) form {
	return form{"", "application/json",
		"[" + strings.Repeat(event+",", (bodyMax-2-len(event))/(len(event)+1)) + event + "]"}
}

// hungry are bodies that take the most memory for their length.
var hungry = map[string]form{
	"an array of the shortest events": array(`{"topic":"t","data":1}`),
	"an array of line breaks": array(`{"topic":"t","data":"` +
		strings.Repeat(`\n`, eventMax/2) + `"}`),
	"an array of escaped data": array(`{"topic":"t","data":"` +
		strings.Repeat(`\u0061`, eventMax) + `"}`),
	"an array of keys": array(`{"topic":"` + strings.Repeat("t", 64) + `","key":"` +
		strings.Repeat("k", 64) + `","data":1}`),
	"one event of escaped data": {"", "application/json", `{"topic":"t","data":"` +
		strings.Repeat(`\u0061`, eventMax) + `"}`},
	"one event of blanks": {"", "application/json", `{"topic":"t","data":[` +
		strings.Repeat(" ", bodyMax-100) + `]}`},
	"a line of escaped data": {"", "application/x-ndjson", `{"topic":"t","data":"` +
		strings.Repeat(`\u0061`, eventMax) + `"}`},
	"a line of line breaks": {"", "application/x-ndjson", `{"topic":"t","data":"` +
		strings.Repeat(`\n`, eventMax) + `"}`},
	"lines that are short": {"", "application/x-ndjson",
		strings.Repeat(`{"topic":"t","data":1}`+"\n", 20_000)},
	"data of line breaks": {"?topic=t", "text/plain", strings.Repeat("\n", eventMax)},
}

func (f form) request() *http.Request {
	r := httptest.NewRequest("POST", "/publish"+f.query, strings.NewReader(f.body))
	r.Header.Set("Content-Type", f.media)
	return r
}

// One request holds no more than is said, and what is counted is what it holds. Nothing is left
// behind it. It counts the whole process's memory, so it does not run beside other tests.
func TestWhatOneRequestHolds(t *testing.T) {
	if Raced {
		t.Skip("not run with -race: it has one goroutine. go test ./engine/httpapi runs it")
	}
	for name, f := range hungry {
		for _, chunked := range []bool{false, true} {
			counted, real, published := int64(0), int64(0), 0
			var s *Public
			var before int64
			s = withMemory(RequestBytesMax(bodyMax, eventMax), during(func() {
				published++
				if counted = max(counted, s.PublishBytes()); published%10_000 == 1 {
					real = max(real, int64(heap())-before)
				}
			}))
			r, w := f.request(), httptest.NewRecorder()
			if chunked {
				r.ContentLength = -1
			}
			before = int64(heap())
			s.ServeHTTP(w, r)
			if w.Code != 200 || published == 0 {
				t.Errorf("%s: %d %s", name, w.Code, w.Body)
			}
			if most := RequestBytesMax(bodyMax, eventMax); counted > most {
				t.Errorf("%s: %d bytes, expected at most %d", name, counted, most)
			}
			if real > counted+1<<20 {
				t.Errorf("%s: it holds %d bytes, and %d are counted", name, real, counted)
			}
			if left := s.PublishBytes(); left != 0 {
				t.Errorf("%s: %d bytes are left", name, left)
			}
			t.Logf("%s: %d bytes, %d times the body; %d of them in use", name, counted,
				counted/int64(len(f.body)), real)
		}
	}
}

func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// Requests that take at the same time take no more than there is.
func TestTakingAtTheSameTime(t *testing.T) {
	m := memory{max: 50}
	var took atomic.Int64
	var all sync.WaitGroup
	for range 100 {
		all.Go(func() {
			s := share{of: &m}
			for range 10 {
				if s.add(1) == nil {
					took.Add(1)
				}
			}
		})
	}
	if all.Wait(); took.Load() != 50 || m.held.Load() != 50 {
		t.Errorf("%d were taken, %d are held, expected 50", took.Load(), m.held.Load())
	}
}

// Many requests at once hold no more than all of them may: those beyond are told to come back,
// nothing of them is published, and small ones go on.
func TestPublishersHoldNoMoreThanTheyMay(t *testing.T) {
	t.Parallel()
	for name, f := range hungry {
		t.Run(name, func(t *testing.T) {
			asked := 200 // of most, five times as many as there is room for, or more
			if Raced {
				if asked = 40; name != "one event of blanks" {
					t.Skip("not run with -race: other bodies are read by the same code. go test ./engine/httpapi runs it")
				}
			}
			t.Parallel()
			entered, leave := make(chan struct{}, 1000), make(chan struct{})
			most := RequestBytesMax(bodyMax, eventMax)
			s := withMemory(most, during(func() {
				entered <- struct{}{}
				<-leave
			}))
			answers := make(chan *httptest.ResponseRecorder, 1000)
			ask := func(f form) {
				go func() {
					w, r, body := httptest.NewRecorder(), f.request(), strings.NewReader(f.body)
					r.Body = io.NopCloser(body)
					s.ServeHTTP(w, r)
					if f.media != "application/x-ndjson" && body.Len() > 0 {
						t.Errorf("%d bytes of the body were not read: a client that writes first does not see the answer",
							body.Len())
					}
					answers <- w
				}()
			}
			for range asked {
				ask(f)
			}
			refused := 0
			for inside := 0; inside+refused < asked; {
				select {
				case <-entered:
					inside++
				case w := <-answers:
					if refused++; w.Code != 503 || w.Header().Get("Retry-After") != "1" ||
						!strings.Contains(w.Body.String(), "--publish-bytes") {
						t.Errorf("%d %.200s", w.Code, w.Body)
					}
				case <-time.After(time.Minute):
					t.Fatal("nothing happens")
				}
			}
			if refused == 0 || refused == asked {
				t.Errorf("%d of %d were refused", refused, asked)
			}
			if held := s.PublishBytes(); held > most+most/4 {
				// buffers grow by a quarter more than they need
				t.Errorf("%d bytes are held, expected at most %d", held, most)
			}
			ask(form{"?topic=t", "text/plain", "small"})
			<-entered
			close(leave)
			go func() {
				for range entered {
				}
			}()
			for range asked - refused + 1 {
				w := <-answers
				// its receipts found no room
				partly := strings.Count(f.body, "\n") > 1 &&
					strings.Contains(w.Body.String(), `"published":`)
				if w.Code != 200 && !(w.Code == 503 && partly) {
					t.Errorf("%d %.200s", w.Code, w.Body)
				}
			}
			close(entered)
			if left := s.PublishBytes(); left != 0 {
				t.Errorf("%d bytes are left", left)
			}
			w := httptest.NewRecorder()
			s.config.Source = during(func() {})
			if s.ServeHTTP(w, f.request()); w.Code != 200 {
				t.Errorf("then: %d %.200s", w.Code, w.Body)
			}
		})
	}
}
