// Package refuse has the answers to requests that are not served: what the client is told, and a
// metric label. They are made in one place for both ways to a client, bytes on a connection and
// net/http, so that they are the same.
package refuse

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"sync"

	"github.com/go-json-experiment/json/jsontext"

	"ssedge/proto/http1"
)

// Answer is one of them. It is never changed.
type Answer struct {
	Status     int
	Cause      string // metric label
	Reason     string // one line for the client: what was expected. It may be any text
	RetryAfter int    // seconds; 0: coming back later does not help
}

func (r *Answer) Error() string { return r.Reason }

// Cause is what refusals have in common: a metric label, and what goes with it.
type Cause struct {
	Label      string
	Status     int
	RetryAfter int
}

var (
	declared sync.Mutex
	labels   []string
)

func init() {
	for _, err := range http1.Errors() {
		Declare(err.Status, err.Label, 0)
	}
}

// Declare makes a cause, which [Causes] has from then on.
func Declare(status int, label string, retryAfter int) Cause {
	declared.Lock()
	defer declared.Unlock()
	if !slices.Contains(labels, label) {
		labels = append(labels, label)
	}
	return Cause{label, status, retryAfter}
}

// Causes returns the labels of all causes, for metrics of each.
func Causes() []string {
	declared.Lock()
	defer declared.Unlock()
	return slices.Clone(labels)
}

// Say makes a refusal of a cause.
func (c Cause) Say(format string, args ...any) *Answer {
	if len(args) > 0 {
		format = fmt.Sprintf(format, args...)
	}
	return &Answer{c.Status, c.Label, format, c.RetryAfter}
}

// WithReason is the same for a reason of its own.
func (r *Answer) WithReason(err error) *Answer {
	own := *r
	own.Reason = err.Error()
	return &own
}

// Unreadable is the refusal of a request head that cannot be read.
func Unreadable(err *http1.Error) *Answer {
	return &Answer{Status: err.Status, Cause: err.Label, Reason: err.Reason}
}

// Where is what a refusal says of a body of several events.
type Where struct {
	Line      int  // of NDJSON, from 1; 0: it has none
	Item      int  // of an array, from 1
	Counts    bool // Published is told:
	Published int  // events taken in before. They stay
}

// fields are those of a refusal that depend on it.
func (r *Answer) fields(yield func(name, value string) bool) {
	if r.RetryAfter > 0 && !yield("Retry-After", strconv.Itoa(r.RetryAfter)) {
		return
	}
	if r.Status == http.StatusUnauthorized {
		yield("WWW-Authenticate", `Bearer realm="ssedge"`)
	}
}

// AppendBody appends the body: one line of JSON.
func (r *Answer) AppendBody(dst []byte, at Where) []byte {
	dst = append(dst, `{"error":`...)
	// an error says that bytes were no UTF-8, and were replaced
	dst, _ = jsontext.AppendQuote(dst, r.Reason)
	member := func(name string, n int) {
		dst = append(append(dst, ",\""...), name...)
		dst = strconv.AppendInt(append(dst, "\":"...), int64(n), 10)
	}
	member("status", r.Status)
	if at.Line > 0 {
		member("line", at.Line)
	}
	if at.Item > 0 {
		member("item", at.Item)
	}
	if at.Counts {
		member("published", at.Published)
	}
	return append(dst, "}\n"...)
}

// Append appends a complete HTTP/1.1 response, for a connection that is closed after it. more is
// header fields to go with it, each with its line end. There is no Date, and a HEAD request gets
// the body, too: nothing follows it on the connection.
func (r *Answer) Append(dst, more []byte) []byte {
	dst = append(dst, "HTTP/1.1 "...)
	dst = strconv.AppendInt(dst, int64(r.Status), 10)
	dst = append(append(append(dst, ' '), http1.StatusText(r.Status)...), "\r\n"...)
	dst = append(dst, more...)
	body := r.AppendBody(nil, Where{})
	field := func(name, value string) bool {
		dst = append(append(append(append(dst, name...), ": "...), value...), "\r\n"...)
		return true
	}
	field("Content-Type", "application/json")
	field("Content-Length", strconv.Itoa(len(body)))
	field("Cache-Control", "no-store")
	field("X-Content-Type-Options", "nosniff")
	field("Connection", "close")
	r.fields(field)
	return append(append(dst, "\r\n"...), body...)
}

// Write answers a request at net/http.
func (r *Answer) Write(w http.ResponseWriter, at Where) {
	r.SetFields(w.Header())
	body := r.AppendBody(nil, at)
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Content-Length", strconv.Itoa(len(body)))
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(r.Status)
	w.Write(body)
}

// SetFields sets the fields that go with a refusal, whatever the body.
func (r *Answer) SetFields(h http.Header) {
	r.fields(func(name, value string) bool {
		h.Set(name, value)
		return true
	})
}
