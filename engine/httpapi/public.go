package httpapi

import (
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"

	"ssedge/engine/auth"
	"ssedge/engine/fanin"
	"ssedge/engine/intake"
	"ssedge/engine/refuse"
	"ssedge/proto/rule"
)

// PublicConfig is what the public listener needs. All fields must be set.
type PublicConfig struct {
	Admission  *intake.Admission
	Authorizer auth.Authorizer
	Source     fanin.Publisher
	Rule       rule.Limits
	BodyLimits      // BodyTimeout is also for silence in the reading of receipts
	Dev        bool // serve the development page
	Draining   func() bool
	Refused    func(cause string)
	Logger     *slog.Logger
}

// Public serves the public listener.
type Public struct {
	config  PublicConfig
	outages outages
	bodies  bodies
	memory  memory

	Events     atomic.Uint64 // published
	Bytes      atomic.Uint64 // their wire form, without ids
	Duplicates atomic.Uint64 // idempotent publishes that were taken before
}

// NewPublic makes the handler.
func NewPublic(c PublicConfig) *Public {
	return &Public{config: c, memory: memory{max: c.PublishBytes}}
}

func (s *Public) published(e *fanin.Event, duplicate bool) {
	if duplicate {
		s.Duplicates.Add(1)
		return
	}
	s.Events.Add(1)
	s.Bytes.Add(uint64(len(e.Body)))
}

// route is what a path offers.
type route struct {
	methods string // for Allow
	handle  map[string]http.HandlerFunc
}

// route finds the handler of a path as it was sent. Another spelling (/%70ublish) is another path:
// otherwise a client could get around a proxy that denies /publish by name.
func (s *Public) route(path string) (route, bool) {
	switch path {
	case intake.StreamPath:
		return route{"GET, HEAD, OPTIONS", map[string]http.HandlerFunc{
				"GET": s.subscribe, "HEAD": s.headEvents,
				"OPTIONS": s.options("GET, HEAD, OPTIONS")}},
			true
	case "/publish":
		return route{"POST, OPTIONS", map[string]http.HandlerFunc{
			"POST": s.publish, "OPTIONS": s.options("POST, OPTIONS")}}, true
	case "/", "": // the path of http://host is empty (RFC 9110 4.2.3)
		if s.config.Dev {
			return route{"GET, HEAD",
				map[string]http.HandlerFunc{"GET": servePage, "HEAD": servePage}}, true
		}
	}
	return route{}, false
}

func (s *Public) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	intake.HandlerStarted(r.Context())
	s.allowOrigin(w, r)
	if c := intake.ConnFrom(r.Context()); c != nil && c.Crowded() || r.ContentLength != 0 &&
		s.mayPublish(authorization(r), nil) != nil {
		w.Header().Set("Connection", "close") // and nothing more of the body is waited for
	}
	if s.config.Dev && !localHost(r) {
		w.Header().Set("Connection", "close")
		s.refuse(w, notLocal)
		return
	}
	if r.Method == http.MethodOptions && r.URL.Path == "*" { // RFC 9110 9.3.7
		w.WriteHeader(http.StatusNoContent)
		return
	}
	rt, ok := s.route(r.URL.EscapedPath())
	if !ok {
		s.refuse(w,
			causeNotFound.Say("nothing is here; streams are at /events, publishing at /publish"))
		return
	}
	handle, ok := rt.handle[r.Method]
	if !ok {
		w.Header().Set("Allow", rt.methods)
		s.refuse(w, causeMethod.Say("expected "+rt.methods))
		return
	}
	handle(w, r)
}

// headEvents answers as a GET would begin, and takes no stream.
func (s *Public) headEvents(w http.ResponseWriter, r *http.Request) {
	conn := intake.ConnFrom(r.Context())
	if conn == nil {
		s.refuse(w, notHere)
		return
	}
	request := s.streamRequest(conn, r)
	if refused := s.config.Admission.Check(&request); refused != nil {
		s.refuse(w, refused)
		return
	}
	h := w.Header()
	h.Set("Content-Type", request.ContentType())
	h.Set("Cache-Control", request.CacheControl())
	h.Set("X-Accel-Buffering", "no")
	w.WriteHeader(http.StatusOK)
}

// options answers OPTIONS, a browser's preflight among them (Fetch standard, CORS protocol).
func (s *Public) options(methods string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Allow", methods)
		if h.Get("Access-Control-Allow-Origin") != "" {
			h.Set("Access-Control-Allow-Methods", methods)
			h.Set("Access-Control-Allow-Headers",
				allowedHeaders(r.Header.Values("Access-Control-Request-Headers")))
			h.Set("Access-Control-Max-Age", "600")
		}
		w.WriteHeader(http.StatusNoContent)
	}
}

// allowedHeaders allows what a page of an allowed origin asks for: tracing and error reporting add
// fields of their own, and a field that is not known does no harm. The names are given back only if
// they are names.
func allowedHeaders(asked []string) string {
	const usual = "Authorization, Content-Type, Cache-Control, Last-Event-ID, Idempotency-Key"
	names := strings.Join(asked, ", ")
	if names == "" || len(names) > 1024 ||
		strings.Trim(names,
			"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_, ") != "" {
		return usual
	}
	return usual + ", " + names
}

func (s *Public) allowOrigin(w http.ResponseWriter, r *http.Request) {
	if s.config.Admission.VariesByOrigin() {
		w.Header().Set("Vary", "Origin")
	}
	if allowed := s.config.Admission.AllowedOrigin(r.Header.Get("Origin")); allowed != "" {
		w.Header().Set("Access-Control-Allow-Origin", allowed)
		w.Header().Set("Access-Control-Expose-Headers", "Retry-After")
	}
}

// checkOrigin keeps pages of other sites from publishing where no key is needed:
// a browser sends such a request without asking first.
func (s *Public) checkOrigin(r *http.Request) *refuse.Answer {
	origin := r.Header.Get("Origin")
	if !s.config.Dev || origin == "" || s.config.Admission.AllowedOrigin(origin) != "" {
		return nil
	}
	if u, err := url.Parse(origin); err == nil && u.Host != "" &&
		strings.EqualFold(u.Host, r.Host) {
		return nil
	}
	return causeOrigin.Say("expected a page of this server, or an origin named by --cors-origin")
}
