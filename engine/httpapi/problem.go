package httpapi

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
)

// problem is a refusal: what the client is told, and a metric label.
type problem struct {
	status     int
	cause      string
	reason     string
	retryAfter int // seconds; 0: none
}

func (p *problem) Error() string { return p.reason }

func bad(cause, format string, args ...any) *problem {
	return &problem{status: http.StatusBadRequest, cause: cause, reason: fmt.Sprintf(format, args...)}
}

// tooLarge names both numbers, and the setting, in the words of package rule.
func tooLarge(what, found string, limit int64, setting string) *problem {
	return &problem{
		status: http.StatusRequestEntityTooLarge, cause: "too_large",
		reason: fmt.Sprintf("expected at most %d bytes of %s (--%s), found %s", limit, what, setting, found),
	}
}

// answer is the body of a refusal. Published is there when events were taken in
// before it: they stay.
type answer struct {
	Error     string `json:"error"`
	Status    int    `json:"status"`
	Line      int    `json:"line,omitempty"`      // of NDJSON, from 1
	Item      int    `json:"item,omitempty"`      // of an array, from 1
	Published *int   `json:"published,omitempty"` // events taken in before
}

func (s *Public) refuse(w http.ResponseWriter, p *problem) {
	s.refuseWith(w, p, answer{})
}

func (s *Public) refuseWith(w http.ResponseWriter, p *problem, a answer) {
	s.config.Refused(p.cause)
	a.Error, a.Status = p.reason, p.status
	p.setFields(w.Header())
	writeJSON(w, p.status, a)
}

// setFields sets what a status needs beside its body.
func (p *problem) setFields(h http.Header) {
	if p.retryAfter > 0 {
		h.Set("Retry-After", strconv.Itoa(p.retryAfter))
	}
	if p.status == http.StatusUnauthorized {
		h.Set("WWW-Authenticate", `Bearer realm="ssedge"`)
	}
}

// writeJSON answers with one line of JSON.
func writeJSON(w http.ResponseWriter, status int, v any) {
	body, err := json.Marshal(v)
	if err != nil { // of our own types: a defect
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	writeBody(w, status, "application/json", append(body, '\n'))
}

func writeBody(w http.ResponseWriter, status int, contentType string, body []byte) {
	h := w.Header()
	h.Set("Content-Type", contentType)
	h.Set("Content-Length", strconv.Itoa(len(body)))
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	w.Write(body)
}
