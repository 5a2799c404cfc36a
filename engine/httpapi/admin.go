package httpapi

import (
	"io"
	"net/http"
	"net/http/pprof"
	"time"
)

// AdminConfig is what the admin listener needs. All fields must be set.
type AdminConfig struct {
	Ready   func() error // nil: ready; else why not
	Metrics func(io.Writer)
	Status  func() any // for /admin/status, as JSON
	Local   bool       // the listener is this machine's: no other Host is served
}

// scrapeTimeout is how long a scraper may take to read the metrics.
const scrapeTimeout = 30 * time.Second

const adminIndex = `/metrics        for Prometheus
/healthz        200 while the process runs
/readyz         200 if new streams should come here, else 503
/admin/status   what this node is and holds, as JSON
/debug/pprof/   profiles
`

// NewAdmin makes the handler of the admin listener. It has no access control: the
// listener belongs on an address that only operators reach.
func NewAdmin(c AdminConfig) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		writeBody(w, http.StatusOK, "text/plain; charset=utf-8", []byte("ok\n"))
	})
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		if err := c.Ready(); err != nil {
			writeBody(w, http.StatusServiceUnavailable, "text/plain; charset=utf-8", []byte(err.Error()+"\n"))
			return
		}
		writeBody(w, http.StatusOK, "text/plain; charset=utf-8", []byte("ready\n"))
	})
	mux.HandleFunc("GET /metrics", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
		http.NewResponseController(w).SetWriteDeadline(time.Now().Add(scrapeTimeout))
		c.Metrics(w)
	})
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		writeBody(w, http.StatusOK, "text/plain; charset=utf-8", []byte(adminIndex))
	})
	mux.HandleFunc("GET /admin/status", func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, http.StatusOK, c.Status())
	})
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	mux.HandleFunc("/debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if c.Local && !localHost(r) {
			writeJSON(w, notLocal.status, answer{Error: notLocal.reason, Status: notLocal.status})
			return
		}
		mux.ServeHTTP(w, r)
	})
}
